ALTER TABLE [_dltsync_staging].[0123_in] WITH CHECK ADD CHECK ([code's] < N'it''s');
