"""The digest of rows over Arrow: the same bytes as the server computes (`tsql/digest.py`)."""
