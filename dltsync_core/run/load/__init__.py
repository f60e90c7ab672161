"""The way of one unit: lease, extract, publish, load, validate, commit."""
