ALTER TABLE [_dltsync_staging].[0123_in] WITH CHECK ADD CHECK ([id]>(0) AND [note]<>N'it''s');
