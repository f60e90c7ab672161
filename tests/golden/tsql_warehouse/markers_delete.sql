IF OBJECT_ID(N'[_dltsync].[markers]', N'U') IS NOT NULL DELETE FROM [_dltsync].[markers] WHERE target_schema = N'sales' AND target_table = N'orders';
