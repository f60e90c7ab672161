SELECT [k],
  [EffectiveDate],
  [EndDate],
  [IsLatest],
  [LastModified],
  DATEPART(nanosecond, [EffectiveDate]) % 1000 AS [dltsync_remainder_1],
  DATEPART(nanosecond, [EndDate]) % 1000 AS [dltsync_remainder_2],
  DATEPART(nanosecond, [LastModified]) % 1000 AS [dltsync_remainder_3]
FROM [sales].[versions]
WHERE ([LastModified] > CAST(? AS datetime2(7)) AND [LastModified] <= CAST(? AS datetime2(7)) OR [LastModified] IS NULL)
-- parameters: 2024-01-01 00:00:00.1234567 | 2024-01-02 00:00:00.0000000
