"""Rows into a warehouse, idempotently: the same slice loaded twice changes nothing."""
