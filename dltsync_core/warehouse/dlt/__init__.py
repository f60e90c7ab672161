"""Loading through dlt."""
