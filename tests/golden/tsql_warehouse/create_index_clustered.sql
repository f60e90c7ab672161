CREATE CLUSTERED INDEX [ix1] ON [_dltsync_staging].[0123_in] ([day], [id] DESC) WITH (DATA_COMPRESSION = PAGE ON PARTITIONS (2)) ON [ps]]x]([day]);
