"""Writing rows: assignment to columns, checks of staged rows, uniqueness."""
