SET NOCOUNT ON;
DECLARE @code int;
EXEC @code = sys.sp_releaseapplock @Resource = N'dltsync:ab', @LockOwner = 'Session';
SELECT @code AS code;
