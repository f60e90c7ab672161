SET NOCOUNT ON;
INSERT INTO [_dltsync_staging].[0123_in] WITH (TABLOCK) ([id], [day], [code's])
SELECT [id], [day], [code's]
FROM [sales].[odd ]]name]
WHERE [day] >= CAST(N'2024-01-01' AS date) AND [day] < CAST(N'2024-02-01' AS date);
