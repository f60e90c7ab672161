SET NOCOUNT ON;
SET XACT_ABORT ON;
SET LOCK_TIMEOUT 3000;
SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
IF @@TRANCOUNT <> 0 THROW 51001, N'dltsync: a transaction is open on this connection', 1;
DECLARE @code int, @lower int, @upper int, @n int, @rows bigint, @fence bigint, @text nvarchar(max);
BEGIN TRANSACTION;
EXEC @code = sys.sp_getapplock @Resource = N'dltsync:ab''c', @LockMode = 'Exclusive', @LockOwner = 'Transaction', @LockTimeout = 0;
IF @code < 0 THROW 51002, N'dltsync: the application lock of the target was not granted', 1;
IF EXISTS (SELECT 1 FROM [_dltsync].[markers] WHERE id = N'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' AND fence > 7) THROW 51003, N'dltsync: a later load of another run reached this unit', 1;
DELETE FROM [_dltsync].[markers] WHERE id IN (N'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', N'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb');
INSERT INTO [_dltsync].[markers] (id, [pipeline], [target_schema], [target_table], [unit], [schema_name], [table_name], [kind], [load_id], [run_id], [probe_method], [probe_signature], [probe_watermark], [watermark], [definition_digest], [source], [lake], [written_at], [fence], [rows], [probe_rows])
VALUES (N'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', N'nightly', N'sales', N'odd ]name', N'[2024-01-01,2024-02-01)', NULL, NULL, NULL, N'20240101T000000000000Z-0a1b2c3d', NULL, NULL, N'it''s one', NULL, NULL, NULL, NULL, NULL, NULL, 7, 1234, 1234);
UPDATE [_dltsync].[markers] SET load_id = N'20240101T000000000000Z-0a1b2c3d', lake = N'', watermark = NULL WHERE id IN (N'cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc', N'dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd');
SET @lower = NULL;
SET @upper = NULL;
SELECT @lower = r.boundary_id
FROM sys.partition_range_values AS r
JOIN sys.partition_functions AS f ON f.function_id = r.function_id
WHERE f.name = N'pf]x' AND r.parameter_id = 1 AND CASE WHEN f.name = N'pf]x' THEN CAST(r.value AS date) END = CAST(N'2024-01-01' AS date);
SELECT @upper = r.boundary_id
FROM sys.partition_range_values AS r
JOIN sys.partition_functions AS f ON f.function_id = r.function_id
WHERE f.name = N'pf]x' AND r.parameter_id = 1 AND CASE WHEN f.name = N'pf]x' THEN CAST(r.value AS date) END = CAST(N'2024-02-01' AS date);
IF @lower IS NULL OR @upper IS NULL OR @upper - @lower <> 1 THROW 51004, N'dltsync: the boundaries of the target moved', 1;
SET @n = @lower + 1;
ALTER TABLE [sales].[odd ]]name] SWITCH PARTITION @n TO [_dltsync_staging].[0123_out] PARTITION @n;
ALTER TABLE [_dltsync_staging].[0123_in] SWITCH PARTITION @n TO [sales].[odd ]]name] PARTITION @n;
SET @n = @lower;
SET @lower = NULL;
SET @upper = NULL;
SELECT @lower = r.boundary_id
FROM sys.partition_range_values AS r
JOIN sys.partition_functions AS f ON f.function_id = r.function_id
WHERE f.name = N'pf]x' AND r.parameter_id = 1 AND CASE WHEN f.name = N'pf]x' THEN CAST(r.value AS date) END = CAST(N'2024-01-01' AS date);
SELECT @upper = r.boundary_id
FROM sys.partition_range_values AS r
JOIN sys.partition_functions AS f ON f.function_id = r.function_id
WHERE f.name = N'pf]x' AND r.parameter_id = 1 AND CASE WHEN f.name = N'pf]x' THEN CAST(r.value AS date) END = CAST(N'2024-02-01' AS date);
IF @lower IS NULL OR @upper IS NULL OR @upper - @lower <> 1 THROW 51004, N'dltsync: the boundaries of the target moved', 1;
IF @n <> @lower THROW 51004, N'dltsync: the boundaries of the target moved', 1;
COMMIT TRANSACTION;
SET LOCK_TIMEOUT 30000;
