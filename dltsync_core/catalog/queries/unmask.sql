-- Whether this login reads masked columns unmasked: one row, 1 or 0.
SELECT HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'UNMASK') AS unmask;
