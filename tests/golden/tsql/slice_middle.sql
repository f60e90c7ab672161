SELECT [No],
  [Code],
  [At],
  [Value],
  DATEPART(nanosecond, [At]) % 1000 AS [dltsync_remainder_1]
FROM [sales].[Readings] AS t
WHERE [No] > CAST(? AS bigint) AND [No] <= CAST(? AS bigint)
ORDER BY t.[No]
-- parameters: 1000 | 2000
