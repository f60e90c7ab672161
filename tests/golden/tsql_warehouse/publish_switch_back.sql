SET NOCOUNT ON;
SET XACT_ABORT ON;
SET LOCK_TIMEOUT 3000;
SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
IF @@TRANCOUNT <> 0 THROW 51001, N'dltsync: a transaction is open on this connection', 1;
DECLARE @code int, @lower int, @upper int, @n int, @rows bigint, @fence bigint, @text nvarchar(max);
BEGIN TRANSACTION;
EXEC @code = sys.sp_getapplock @Resource = N'dltsync:ab''c', @LockMode = 'Exclusive', @LockOwner = 'Transaction', @LockTimeout = 0;
IF @code < 0 THROW 51002, N'dltsync: the application lock of the target was not granted', 1;
IF NOT EXISTS (SELECT 1 FROM [_dltsync].[replaced_rows] WHERE [id] = N'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' AND load_id = N'load''s') OR NOT EXISTS (SELECT 1 FROM [_dltsync].[markers] WHERE [id] = N'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' AND load_id = N'load''s') THROW 51006, N'dltsync: the rows of before this load are no longer there', 1;
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
ALTER TABLE [sales].[odd ]]name] SWITCH PARTITION @n TO [_dltsync_staging].[0123_in] PARTITION @n;
ALTER TABLE [_dltsync_staging].[0123_out] SWITCH PARTITION @n TO [sales].[odd ]]name] PARTITION @n;
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
SELECT @fence = fence FROM [_dltsync].[markers] WHERE [id] = N'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa';
DELETE FROM [_dltsync].[markers] WHERE [id] IN (N'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', N'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb') AND load_id = N'load''s';
INSERT INTO [_dltsync].[markers] ([id], [pipeline], [target_schema], [target_table], [unit], [schema_name], [table_name], [kind], [load_id], [run_id], [probe_method], [probe_signature], [probe_watermark], [watermark], [definition_digest], [source], [lake], [written_at], [fence], [rows], [probe_rows])
SELECT [id], [pipeline], [target_schema], [target_table], [unit], [schema_name], [table_name], [kind], [load_id], [run_id], [probe_method], [probe_signature], [probe_watermark], [watermark], [definition_digest], [source], [lake], [written_at], [fence], [rows], [probe_rows] FROM [_dltsync].[replaced_markers] AS k WHERE [replaced_by] = N'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' AND NOT EXISTS (SELECT 1 FROM [_dltsync].[markers] AS m WHERE m.[id] = k.[id]);
UPDATE [_dltsync].[markers] SET fence = @fence WHERE [id] = N'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' AND fence < @fence;
DELETE FROM [_dltsync].[replaced_markers] WHERE [replaced_by] = N'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa';
DELETE FROM [_dltsync].[replaced_rows] WHERE [id] = N'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa';
COMMIT TRANSACTION;
SET LOCK_TIMEOUT 30000;
