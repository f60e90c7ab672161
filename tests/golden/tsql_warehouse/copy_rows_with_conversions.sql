SET NOCOUNT ON;
INSERT INTO [_dltsync_staging].[0123_in] WITH (TABLOCK) ([id], [day])
SELECT CONVERT(varchar(20), [id]),
  CONVERT(varchar(10), [day], 23)
FROM [_dltsync_staging].[0123_out];
