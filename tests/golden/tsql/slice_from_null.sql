SELECT [No],
  [Code],
  [At],
  [Value],
  DATEPART(nanosecond, [At]) % 1000 AS [dltsync_remainder_1]
FROM [sales].[Readings] AS t
WHERE (([Code] IS NOT NULL) OR ([Code] IS NULL AND [No] > CAST(? AS bigint))) AND [Code] IS NULL AND (([Code] IS NULL AND [No] <= CAST(? AS bigint)))
ORDER BY t.[Code], t.[No]
-- parameters: 7 | 9
