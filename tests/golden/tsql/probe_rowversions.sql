SELECT COUNT_BIG(*) AS n,
  CONVERT(varchar(18), MAX(CASE WHEN x.rv < CONVERT(binary(8), ?, 1) THEN x.rv END), 1) AS high, COUNT_BIG(x.rv) AS stamped,
  COUNT_BIG(CASE WHEN x.rv >= CONVERT(binary(8), ?, 1) THEN x.rv END) AS above,
  CONVERT(varchar(50), SUM(CASE WHEN x.rv >= CONVERT(binary(8), ?, 1) THEN CAST(CAST(x.rv AS bigint) AS decimal(38,0)) END)) AS total
FROM (
    SELECT CONVERT(binary(8), [rv]) AS rv
    FROM [sales].[flights]) AS x
-- parameters: 0x00000000000007D2 | 0x00000000000007D2 | 0x00000000000007D2
