CREATE UNIQUE NONCLUSTERED INDEX [ix2] ON [_dltsync_staging].[0123_in] ([id]) INCLUDE ([day], [code's]) ON [ps]]x]([day]);
