SET NOCOUNT ON;
DECLARE @code int;
EXEC @code = sys.sp_getapplock @Resource = N'dltsync:ab', @LockMode = 'Exclusive', @LockOwner = 'Session', @LockTimeout = 600000;
SELECT @code AS code;
