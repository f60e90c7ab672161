"""Names and types: each syntax node becomes DuckDB text with the type SQL Server would declare, or is refused."""
