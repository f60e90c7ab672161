SELECT [Code] AS [dltsync_key_1]
FROM [sales].[Readings] AS t
WHERE [Code] > CAST(? AS nvarchar(50))
ORDER BY t.[Code]
OFFSET CAST(? AS bigint) ROWS FETCH NEXT 1 ROWS ONLY
-- parameters: a | 999
