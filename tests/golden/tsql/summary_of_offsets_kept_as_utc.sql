SELECT COUNT_BIG(*) AS n,
  SUM(CAST(CASE WHEN [an_offset] IS NULL THEN 1 ELSE 0 END AS bigint)) AS [f1],
  CONVERT(varchar(27), CAST(MIN([an_offset]) AS datetime2(3)), 121) + RIGHT(CONVERT(varchar(40), MIN([an_offset]), 121), 6) AS [f2],
  CONVERT(varchar(27), CAST(MAX([an_offset]) AS datetime2(3)), 121) + RIGHT(CONVERT(varchar(40), MAX([an_offset]), 121), 6) AS [f3]
FROM [sales].[moments]
