INSERT INTO [_dltsync_staging].[0123_in] ([id], [code's], [at], [when]) VALUES (CAST(? AS int), CAST(? AS nvarchar(50)), CONVERT(datetime, ?, 126), CAST(? AS datetime2(7)));
