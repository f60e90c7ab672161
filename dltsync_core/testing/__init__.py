"""Stand-ins for the source and the warehouse, in memory."""
