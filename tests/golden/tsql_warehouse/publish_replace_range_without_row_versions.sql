SET NOCOUNT ON;
SET XACT_ABORT ON;
SET LOCK_TIMEOUT 3000;
SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
IF @@TRANCOUNT <> 0 THROW 51001, N'dltsync: a transaction is open on this connection', 1;
DECLARE @code int, @lower int, @upper int, @n int, @rows bigint, @fence bigint, @text nvarchar(max);
BEGIN TRANSACTION;
EXEC @code = sys.sp_getapplock @Resource = N'dltsync:ab''c', @LockMode = 'Exclusive', @LockOwner = 'Transaction', @LockTimeout = 0;
IF @code < 0 THROW 51002, N'dltsync: the application lock of the target was not granted', 1;
DELETE FROM [sales].[odd ]]name] WITH (TABLOCKX) WHERE [day] < CAST(N'2024-01-01' AS date);
INSERT INTO [sales].[odd ]]name] ([id], [day], [code's])
SELECT [id], [day], [code's] FROM [_dltsync_staging].[0123_in];
IF @@ROWCOUNT <> 1234 THROW 51005, N'dltsync: other rows arrived than were staged', 1;
COMMIT TRANSACTION;
SET LOCK_TIMEOUT 30000;
