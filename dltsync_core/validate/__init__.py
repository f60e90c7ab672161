"""Is it the same? Source, lake and warehouse compared, as values."""
