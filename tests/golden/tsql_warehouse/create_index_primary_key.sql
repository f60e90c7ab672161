ALTER TABLE [_dltsync_staging].[0123_in] ADD PRIMARY KEY CLUSTERED ([id], [day]) ON [ps]]x]([day]);
