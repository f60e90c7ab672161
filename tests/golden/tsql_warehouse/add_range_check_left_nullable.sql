ALTER TABLE [_dltsync_staging].[0123_in] WITH CHECK ADD CHECK ([n]]o] IS NOT NULL AND [n]]o] > 2.25);
