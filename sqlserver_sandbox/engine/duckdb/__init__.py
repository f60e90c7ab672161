"""All that talks to DuckDB: the connection, its errors, the functions and macros it lacks."""
