"""Where published files are kept: a directory or a prefix of an object store, behind one port."""
