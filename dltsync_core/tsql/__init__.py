"""The text of statements, as pure functions. `fragments` is the only file that quotes."""
