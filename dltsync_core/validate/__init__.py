"""Compares source, lake and warehouse, as values."""
