SELECT d.snapshot_isolation_state AS snapshot_state,
  CONVERT(varchar(18), MIN_ACTIVE_ROWVERSION(), 1) AS ceiling
FROM sys.databases AS d
WHERE d.database_id = DB_ID()
