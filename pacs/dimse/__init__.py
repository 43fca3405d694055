"""DIMSE: the DICOM network protocol, by pynetdicom. Nothing outside this package imports it."""
