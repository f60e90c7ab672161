"""The closed list of T-SQL: `parse` reads text into syntax values, `bind` gives each node its DuckDB text and declared type.

Nothing here opens a connection. Whatever has no rule is refused; there is no fall-through.
"""
