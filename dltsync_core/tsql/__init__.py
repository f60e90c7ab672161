"""The text of T-SQL statements, as pure functions. `fragments` is the only file that quotes."""
