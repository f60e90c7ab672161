"""Facts about the databases, tables, columns, keys and partitions of the server."""
