"""Digests of rows over Arrow: the same numbers as the server computes (`tsql/digest.py`)."""
