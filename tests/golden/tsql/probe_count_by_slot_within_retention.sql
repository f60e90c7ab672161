SELECT $PARTITION.[pf months]([departs_at]) AS slot, COUNT_BIG(*) AS n
FROM [sales].[flights]
WHERE ([departs_at] >= CAST(? AS datetime2(0)))
GROUP BY $PARTITION.[pf months]([departs_at])
-- parameters: 2013-02-01 00:00:00
