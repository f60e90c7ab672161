SELECT $PARTITION.[pf months]([departs_at]) AS slot,
  COUNT_BIG(*) AS n,
  0 AS [f1],
  CONVERT(varchar(50), SUM(CAST([id] AS decimal(38,0)))) AS [f2],
  0 AS [f3],
  CONVERT(varchar(40), MIN([departs_at]), 121) AS [f4],
  CONVERT(varchar(40), MAX([departs_at]), 121) AS [f5],
  SUM(CAST(CASE WHEN [odd ]]name] IS NULL THEN 1 ELSE 0 END AS bigint)) AS [f6]
FROM [sales].[flights]
WHERE [departs_at] <= CAST(? AS datetime2(0))
GROUP BY $PARTITION.[pf months]([departs_at])
-- parameters: 2013-01-01 00:00:00
