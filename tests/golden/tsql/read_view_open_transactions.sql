SELECT TOP (3) t.session_id, s.login_name, s.program_name, s.host_name,
  CONVERT(varchar(30), d.database_transaction_begin_time, 126) AS since,
  DATEDIFF(second, d.database_transaction_begin_time, GETDATE()) AS seconds
FROM sys.dm_tran_database_transactions AS d
LEFT JOIN sys.dm_tran_session_transactions AS t ON t.transaction_id = d.transaction_id
LEFT JOIN sys.dm_exec_sessions AS s ON s.session_id = t.session_id
WHERE d.database_id = DB_ID() AND d.database_transaction_begin_time IS NOT NULL
  AND (t.session_id IS NULL OR t.session_id <> @@SPID)
ORDER BY d.database_transaction_begin_time
