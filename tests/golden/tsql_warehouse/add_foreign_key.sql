ALTER TABLE [_dltsync_staging].[0123_in] WITH CHECK ADD FOREIGN KEY ([id], [code's]) REFERENCES [sales].[odd ]]name] ([k]]1], [k2]);
