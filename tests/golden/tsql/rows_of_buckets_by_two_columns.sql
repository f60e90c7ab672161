SELECT [id],
  [departs_at],
  [odd ]]name]
FROM [sales].[flights]
WHERE [departs_at] >= CAST(? AS datetime2(0)) AND [departs_at] < CAST(? AS datetime2(0)) AND CAST(CAST(SUBSTRING(HASHBYTES('SHA2_256', CONCAT(CAST(N'' AS nvarchar(max)),
    CASE WHEN CONVERT(nvarchar(4000), [odd ]]name]) COLLATE Latin1_General_100_BIN2 IS NULL THEN N'~' ELSE CONCAT(DATALENGTH(CONVERT(nvarchar(4000), [odd ]]name]) COLLATE Latin1_General_100_BIN2), N':') END,
    CONVERT(nvarchar(4000), [odd ]]name]) COLLATE Latin1_General_100_BIN2,
    CASE WHEN CONVERT(varchar(20), [id]) IS NULL THEN N'~' ELSE CONCAT(DATALENGTH(CONVERT(varchar(20), [id])), N':') END,
    CONVERT(varchar(20), [id]))), 1, 4) AS binary(4)) AS bigint) IN (SELECT w.number FROM (VALUES (CAST(? AS bigint)), (CAST(? AS bigint))) AS w(number))
-- parameters: 2013-01-01 00:00:00 | 2013-02-01 00:00:00 | 7 | 4294967295
