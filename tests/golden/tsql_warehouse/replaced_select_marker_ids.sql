SELECT [id] FROM [_dltsync].[replaced_markers] WHERE [replaced_by] = N'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'
