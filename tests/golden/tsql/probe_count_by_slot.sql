SELECT $PARTITION.[pf months]([departs_at]) AS slot, COUNT_BIG(*) AS n
FROM [sales].[flights]
GROUP BY $PARTITION.[pf months]([departs_at])
