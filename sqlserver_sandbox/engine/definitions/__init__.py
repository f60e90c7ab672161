"""Changing the declared catalogue: columns, indexes, data spaces, partition boundaries."""
