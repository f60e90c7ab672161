SET NOCOUNT ON;
SET XACT_ABORT ON;
SET LOCK_TIMEOUT 3000;
SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
IF @@TRANCOUNT <> 0 THROW 51001, N'dltsync: a transaction is open on this connection', 1;
DECLARE @code int, @lower int, @upper int, @n int, @rows bigint, @fence bigint, @text nvarchar(max);
BEGIN TRANSACTION;
EXEC @code = sys.sp_getapplock @Resource = N'dltsync:ab''c', @LockMode = 'Exclusive', @LockOwner = 'Transaction', @LockTimeout = 0;
IF @code < 0 THROW 51002, N'dltsync: the application lock of the target was not granted', 1;
SET IDENTITY_INSERT [sales].[odd ]]name] ON;
INSERT INTO [sales].[odd ]]name] ([id], [long])
SELECT s.[id], s.[long] FROM [_dltsync_staging].[0123_in] AS s
WHERE NOT EXISTS (SELECT 1 FROM [sales].[odd ]]name] AS t WHERE t.[id] = s.[id] AND t.[long] = s.[long] AND CAST(t.[long] AS varbinary(max)) = CAST(s.[long] AS varbinary(max)));
SET IDENTITY_INSERT [sales].[odd ]]name] OFF;
COMMIT TRANSACTION;
SET LOCK_TIMEOUT 30000;
