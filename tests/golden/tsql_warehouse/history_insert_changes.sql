INSERT INTO [_dltsync_staging].[0123_in] ([k0], [k1], [k2], [valid_from], [old_end], [new_end], [old_latest], [new_latest]) VALUES
(CAST(N'1' AS int), CAST(N'it''s' AS nvarchar(50)), NULL, CAST(N'2024-01-01 00:00:00.0000001' AS datetime2(7)), NULL, CAST(N'2024-02-01 00:00:00.0000000 +00:00' AS datetimeoffset(7)), 1, 0),
(CAST(N'1' AS int), CAST(N'it''s' AS nvarchar(50)), NULL, CAST(N'2024-01-01 00:00:00.0000001' AS datetime2(7)), NULL, CAST(N'2024-02-01 00:00:00.0000000 +00:00' AS datetimeoffset(7)), 1, 0);
