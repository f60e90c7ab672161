TRUNCATE TABLE [_dltsync_staging].[0123_out];
