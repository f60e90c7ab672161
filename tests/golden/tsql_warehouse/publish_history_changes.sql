SET NOCOUNT ON;
SET XACT_ABORT ON;
SET LOCK_TIMEOUT 3000;
SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
IF @@TRANCOUNT <> 0 THROW 51001, N'dltsync: a transaction is open on this connection', 1;
DECLARE @code int, @lower int, @upper int, @n int, @rows bigint, @fence bigint, @text nvarchar(max);
BEGIN TRANSACTION;
EXEC @code = sys.sp_getapplock @Resource = N'dltsync:ab''c', @LockMode = 'Exclusive', @LockOwner = 'Transaction', @LockTimeout = 0;
IF @code < 0 THROW 51002, N'dltsync: the application lock of the target was not granted', 1;
SET @rows = 0;
UPDATE t SET [to] = c.new_end, [is latest] = c.new_latest
FROM [sales].[odd ]]name] AS t JOIN [_dltsync_staging].[0123_in] AS c ON (t.[id] = c.[k0] OR (t.[id] IS NULL AND c.[k0] IS NULL)) AND ((t.[code's] = c.[k1] AND CAST(t.[code's] AS varbinary(8000)) = CAST(c.[k1] AS varbinary(8000))) OR (t.[code's] IS NULL AND c.[k1] IS NULL)) AND ((t.[long] = c.[k2] AND CAST(t.[long] AS varbinary(max)) = CAST(c.[k2] AS varbinary(max))) OR (t.[long] IS NULL AND c.[k2] IS NULL)) AND t.[from]]] = c.valid_from
WHERE c.new_latest = 0 AND (t.[to] = c.old_end OR (t.[to] IS NULL AND c.old_end IS NULL)) AND CASE WHEN t.[is latest] <> 0 THEN 1 ELSE 0 END = c.old_latest;
SET @rows = @rows + @@ROWCOUNT;
UPDATE t SET [to] = c.new_end, [is latest] = c.new_latest
FROM [sales].[odd ]]name] AS t JOIN [_dltsync_staging].[0123_in] AS c ON (t.[id] = c.[k0] OR (t.[id] IS NULL AND c.[k0] IS NULL)) AND ((t.[code's] = c.[k1] AND CAST(t.[code's] AS varbinary(8000)) = CAST(c.[k1] AS varbinary(8000))) OR (t.[code's] IS NULL AND c.[k1] IS NULL)) AND ((t.[long] = c.[k2] AND CAST(t.[long] AS varbinary(max)) = CAST(c.[k2] AS varbinary(max))) OR (t.[long] IS NULL AND c.[k2] IS NULL)) AND t.[from]]] = c.valid_from
WHERE c.new_latest = 1 AND (t.[to] = c.old_end OR (t.[to] IS NULL AND c.old_end IS NULL)) AND CASE WHEN t.[is latest] <> 0 THEN 1 ELSE 0 END = c.old_latest;
SET @rows = @rows + @@ROWCOUNT;
IF @rows <> 2 THROW 51007, N'dltsync: the history was changed meanwhile', 1;
COMMIT TRANSACTION;
SET LOCK_TIMEOUT 30000;
