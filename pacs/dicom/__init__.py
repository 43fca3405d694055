"""The format: data sets as bytes, JSON and XML, and the tables of the standard. Knows no database."""
