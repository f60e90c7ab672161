SELECT [No],
  [Code],
  [At],
  [Value],
  DATEPART(nanosecond, [At]) % 1000 AS [dltsync_remainder_1]
FROM [sales].[Readings] AS t
WHERE [Code] >= CAST(? AS nvarchar(50)) AND (([Code] > CAST(? AS nvarchar(50))) OR ([Code] = CAST(? AS nvarchar(50)) AND [No] > CAST(? AS bigint))) AND ([Code] <= CAST(? AS nvarchar(50)) OR [Code] IS NULL) AND ((([Code] < CAST(? AS nvarchar(50)) OR [Code] IS NULL)) OR ([Code] = CAST(? AS nvarchar(50)) AND [No] <= CAST(? AS bigint)))
ORDER BY t.[Code], t.[No]
-- parameters: a'b | a'b | a'b | 7 | c]d | c]d | c]d | 9
