"""Source to warehouse over the wire."""
