-- The database this session is in: one row.
-- snapshot_state 1 = SNAPSHOT transactions are allowed; read_committed_snapshot 1 = READ COMMITTED reads row versions.
SELECT CONVERT(nvarchar(128), SERVERPROPERTY('ServerName')) AS server_name,
       d.name AS database_name,
       CONVERT(nvarchar(128), SERVERPROPERTY('ProductVersion')) AS product_version,
       CONVERT(int, SERVERPROPERTY('EngineEdition')) AS engine_edition,
       d.collation_name,
       d.compatibility_level,
       d.snapshot_isolation_state AS snapshot_state,
       d.is_read_committed_snapshot_on AS read_committed_snapshot
FROM sys.databases AS d
WHERE d.database_id = DB_ID();
