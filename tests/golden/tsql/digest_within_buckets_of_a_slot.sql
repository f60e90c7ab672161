SELECT h.bucket AS bucket, COUNT_BIG(*) AS n,
  CONVERT(varchar(50), SUM(CAST(CAST(CAST(SUBSTRING(h.d, 1, 8) AS binary(8)) AS bigint) AS decimal(38,0)))) AS s1,
  CONVERT(varchar(50), SUM(CAST(CAST(CAST(SUBSTRING(h.d, 9, 8) AS binary(8)) AS bigint) AS decimal(38,0)))) AS s2
FROM (
  SELECT CAST(CAST(SUBSTRING(HASHBYTES('MD5', CONCAT(CAST(N'' AS nvarchar(max)),
    CASE WHEN x.[c3] IS NULL THEN N'~' ELSE CONCAT(DATALENGTH(x.[c3]), N':') END,
    x.[c3],
    CASE WHEN x.[c1] IS NULL THEN N'~' ELSE CONCAT(DATALENGTH(x.[c1]), N':') END,
    x.[c1])), 1, 4) AS binary(4)) AS bigint) AS bucket, HASHBYTES('MD5', CONCAT(CAST(N'' AS nvarchar(max)),
    CASE WHEN x.[c1] IS NULL THEN N'~' ELSE CONCAT(DATALENGTH(x.[c1]), N':') END,
    x.[c1],
    CASE WHEN x.[c2] IS NULL THEN N'~' ELSE CONCAT(DATALENGTH(x.[c2]), N':') END,
    x.[c2],
    CASE WHEN x.[c3] IS NULL THEN N'~' ELSE CONCAT(DATALENGTH(x.[c3]), N':') END,
    x.[c3])) AS d
  FROM (
    SELECT CONVERT(varchar(20), [id]) AS [c1],
      CONVERT(varchar(40), [departs_at], 121) AS [c2],
      CONVERT(nvarchar(4000), [odd ]]name]) COLLATE Latin1_General_100_BIN2 AS [c3]
    FROM [sales].[flights]
WHERE [departs_at] >= CAST(? AS datetime2(0)) AND [departs_at] < CAST(? AS datetime2(0))) AS x
WHERE CAST(CAST(SUBSTRING(HASHBYTES('MD5', CONCAT(CAST(N'' AS nvarchar(max)),
    CASE WHEN x.[c3] IS NULL THEN N'~' ELSE CONCAT(DATALENGTH(x.[c3]), N':') END,
    x.[c3],
    CASE WHEN x.[c1] IS NULL THEN N'~' ELSE CONCAT(DATALENGTH(x.[c1]), N':') END,
    x.[c1])), 1, 2) AS binary(2)) AS bigint) IN (SELECT w.number FROM (VALUES (CAST(? AS bigint)), (CAST(? AS bigint))) AS w(number))) AS h
GROUP BY h.bucket
-- parameters: 2013-01-01 00:00:00 | 2013-02-01 00:00:00 | 0 | 65535
