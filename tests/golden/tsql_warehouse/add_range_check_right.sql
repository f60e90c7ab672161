ALTER TABLE [_dltsync_staging].[0123_in] WITH CHECK ADD CHECK ([day] >= N'2024-01-01' AND [day] < N'2024-02-01');
