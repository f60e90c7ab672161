SELECT CONVERT(varchar(20), [No]) AS [dltsync_key_1], CONVERT(varchar(40), [At], 121) AS [dltsync_key_2]
FROM [sales].[Readings] AS t
ORDER BY t.[No], t.[At]
OFFSET CAST(? AS bigint) ROWS FETCH NEXT 1 ROWS ONLY
-- parameters: 999
