"""`dltsync validate`: source, lake and warehouse compared."""
