"""A DuckDB file as the warehouse."""
