SELECT x.slot AS slot, COUNT_BIG(*) AS n,
  CONVERT(varchar(50), SUM(CAST(CAST(x.rv AS bigint) AS decimal(38,0)))) AS total,
  CONVERT(varchar(18), MAX(x.rv), 1) AS high, COUNT_BIG(x.rv) AS stamped
FROM (
    SELECT $PARTITION.[pf months]([departs_at]) AS slot, CONVERT(binary(8), [rv]) AS rv
    FROM [sales].[flights]
WHERE (([LastModified] <= CAST(? AS datetime2(7)) OR [LastModified] IS NULL) OR [LastModified] > CAST(? AS datetime2(7)))) AS x
GROUP BY x.slot
-- parameters: 2013-01-01 00:00:00 | 2013-02-01 00:00:00
