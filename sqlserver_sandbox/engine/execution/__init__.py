"""The run of a batch: what a handler is given, options, the loop over statements, what errors end."""
