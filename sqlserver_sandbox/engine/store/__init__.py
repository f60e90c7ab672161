"""The data directory: database files, the declared catalogue, counters, locks, and transactions over them."""
