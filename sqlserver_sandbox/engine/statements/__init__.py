"""The handlers: one file per family of statements, and the table from syntax node to handler."""
