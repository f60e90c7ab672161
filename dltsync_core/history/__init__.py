"""SCD2: what must hold between the versions of one key, what is wrong, and how to put it right."""
