"""A config proposed from a database's catalogue, for `dltsync init`."""
