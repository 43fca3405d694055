"""The archive, without HTTP: ingest, index, query, retrieve, de-identify, pixels, DIMSE."""
