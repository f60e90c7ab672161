"""SCD type 2: the rules for versions of one key, version issues, and their repair."""
