"""ALTER TABLE … SWITCH: what must hold of the two tables, as functions over the declared catalogue."""
