SELECT COUNT_BIG(*) AS n,
  CONVERT(varchar(50), SUM(CAST(CAST(CAST(SUBSTRING(h.d, 1, 8) AS binary(8)) AS bigint) AS decimal(38,0)))) AS s1,
  CONVERT(varchar(50), SUM(CAST(CAST(CAST(SUBSTRING(h.d, 9, 8) AS binary(8)) AS bigint) AS decimal(38,0)))) AS s2
FROM (
  SELECT HASHBYTES('SHA2_256', CONCAT(CAST(N'' AS nvarchar(max)),
    CASE WHEN x.[c1] IS NULL THEN N'~' ELSE CONCAT(DATALENGTH(x.[c1]), N':') END,
    x.[c1],
    CASE WHEN x.[c2] IS NULL THEN N'~' ELSE CONCAT(DATALENGTH(x.[c2]), N':') END,
    x.[c2])) AS d
  FROM (
    SELECT CONVERT(varchar(20), [id]) AS [c1],
      CONVERT(varchar(40), [departs_at], 121) AS [c2]
    FROM [sales].[flights]
WHERE [LastModified] > CAST(? AS datetime2(7)) AND [LastModified] <= CAST(? AS datetime2(7))) AS x) AS h
-- parameters: 2024-01-01 00:00:00.1234567 | 2024-01-02 00:00:00.0000000
