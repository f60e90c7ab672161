"""Delta tables in a directory or an object store as the warehouse."""
