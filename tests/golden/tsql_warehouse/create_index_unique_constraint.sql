ALTER TABLE [_dltsync_staging].[0123_in] ADD UNIQUE NONCLUSTERED ([id]);
