"""DuckDB as a tool: its SQL, scratch databases, column statistics. Used by lake, validate and warehouse."""
