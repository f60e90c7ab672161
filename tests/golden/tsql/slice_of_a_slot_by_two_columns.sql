SELECT [No],
  [Code],
  [At],
  [Value],
  DATEPART(nanosecond, [At]) % 1000 AS [dltsync_remainder_1]
FROM [sales].[Readings] AS t
WHERE [At] >= CAST(? AS datetime2(7)) AND [At] < CAST(? AS datetime2(7)) AND [No] >= CAST(? AS bigint) AND (([No] > CAST(? AS bigint)) OR ([No] = CAST(? AS bigint) AND [At] > CAST(? AS datetime2(7)))) AND [No] <= CAST(? AS bigint) AND (([No] < CAST(? AS bigint)) OR ([No] = CAST(? AS bigint) AND [At] <= CAST(? AS datetime2(7))))
ORDER BY t.[No], t.[At]
-- parameters: 2013-01-01 00:00:00 | 2013-02-01 00:00:00 | 7 | 7 | 7 | 2013-01-05 00:00:00.1234567 | 9 | 9 | 9 | 2013-01-06 00:00:00.0000000
