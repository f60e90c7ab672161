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
ALTER TABLE [sales].[odd ]]name] SWITCH TO [_dltsync_staging].[0123_out];
ALTER TABLE [_dltsync_staging].[0123_in] SWITCH TO [sales].[odd ]]name];
COMMIT TRANSACTION;
SET LOCK_TIMEOUT 30000;
