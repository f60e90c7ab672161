SET NOCOUNT ON;
SET XACT_ABORT ON;
SET LOCK_TIMEOUT 3000;
SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
IF @@TRANCOUNT <> 0 THROW 51001, N'dltsync: a transaction is open on this connection', 1;
DECLARE @code int, @lower int, @upper int, @n int, @rows bigint, @fence bigint, @text nvarchar(max);
BEGIN TRANSACTION;
EXEC @code = sys.sp_getapplock @Resource = N'dltsync:ab''c', @LockMode = 'Exclusive', @LockOwner = 'Transaction', @LockTimeout = 0;
IF @code < 0 THROW 51002, N'dltsync: the application lock of the target was not granted', 1;
EXEC (N'DROP TABLE [sales].[odd ]]name];');
EXEC (N'CREATE TABLE [sales].[odd ]]name] (
  [day] date NOT NULL
) ON [ps]]x]([day]);');
EXEC (N'ALTER TABLE [sales].[odd ]]name] WITH CHECK ADD CONSTRAINT [it''s ]]one] CHECK ([day]>''2020-01-01'');');
EXEC (N'ALTER TABLE [sales].[odd ]]name] WITH CHECK ADD CONSTRAINT [to days] FOREIGN KEY ([day]) REFERENCES [dbo].[days] ([day]);');
EXEC (N'ALTER TABLE [_dltsync_staging].[0123_in] SWITCH PARTITION 1 TO [sales].[odd ]]name] PARTITION 1;');
EXEC (N'ALTER TABLE [_dltsync_staging].[0123_in] SWITCH PARTITION 2 TO [sales].[odd ]]name] PARTITION 2;');
EXEC (N'ALTER TABLE [_dltsync_staging].[0123_in] SWITCH PARTITION 3 TO [sales].[odd ]]name] PARTITION 3;');
IF EXISTS (SELECT 1 FROM [_dltsync_staging].[0123_in]) THROW 51004, N'dltsync: the partition function was changed meanwhile', 1;
COMMIT TRANSACTION;
SET LOCK_TIMEOUT 30000;
