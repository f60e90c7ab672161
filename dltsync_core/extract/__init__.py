"""Rows out of the server: one read view, Arrow batches, bounded memory."""
