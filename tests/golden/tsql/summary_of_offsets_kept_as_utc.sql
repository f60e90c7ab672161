SELECT COUNT_BIG(*) AS n,
  SUM(CAST(CASE WHEN [an_offset] IS NULL THEN 1 ELSE 0 END AS bigint)) AS [f1],
  CONVERT(varchar(40), MIN([an_offset]), 121) AS [f2],
  CONVERT(varchar(40), MAX([an_offset]), 121) AS [f3]
FROM [sales].[moments]
