"""Parquet that can be trusted: written privately, verified, then published; every file says what it holds."""
