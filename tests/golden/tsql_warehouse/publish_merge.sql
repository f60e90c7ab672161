SET NOCOUNT ON;
SET XACT_ABORT ON;
SET LOCK_TIMEOUT 3000;
SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
IF @@TRANCOUNT <> 0 THROW 51001, N'dltsync: a transaction is open on this connection', 1;
DECLARE @code int, @lower int, @upper int, @n int, @rows bigint, @fence bigint, @text nvarchar(max);
BEGIN TRANSACTION;
EXEC @code = sys.sp_getapplock @Resource = N'dltsync:ab''c', @LockMode = 'Exclusive', @LockOwner = 'Transaction', @LockTimeout = 0;
IF @code < 0 THROW 51002, N'dltsync: the application lock of the target was not granted', 1;
UPDATE t SET t.[day] = s.[day]
FROM [sales].[odd ]]name] AS t JOIN [_dltsync_staging].[0123_in] AS s ON t.[id] = s.[id] AND t.[code's] = s.[code's] AND CAST(t.[code's] AS varbinary(8000)) = CAST(s.[code's] AS varbinary(8000));
INSERT INTO [sales].[odd ]]name] ([id], [day], [code's])
SELECT s.[id], s.[day], s.[code's] FROM [_dltsync_staging].[0123_in] AS s
WHERE NOT EXISTS (SELECT 1 FROM [sales].[odd ]]name] AS t WHERE t.[id] = s.[id] AND t.[code's] = s.[code's] AND CAST(t.[code's] AS varbinary(8000)) = CAST(s.[code's] AS varbinary(8000)));
SELECT @rows = COUNT_BIG(*) FROM [sales].[odd ]]name];
DELETE FROM [_dltsync].[markers] WHERE id IN (N'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa');
INSERT INTO [_dltsync].[markers] (id, [pipeline], [target_schema], [target_table], [unit], [schema_name], [table_name], [kind], [load_id], [run_id], [probe_method], [probe_signature], [probe_watermark], [watermark], [definition_digest], [source], [lake], [written_at], [fence], [rows], [probe_rows])
VALUES (N'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', N'nightly', N'sales', N'odd ]name', N'[2024-01-01,2024-02-01)', NULL, NULL, NULL, N'20240101T000000000000Z-0a1b2c3d', NULL, NULL, N'it''s one', NULL, NULL, NULL, NULL, NULL, NULL, 7, @rows, 1234);
COMMIT TRANSACTION;
SET LOCK_TIMEOUT 30000;
