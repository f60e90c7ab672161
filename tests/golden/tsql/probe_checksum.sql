SELECT COUNT_BIG(*) AS n, CONVERT(varchar(20), CHECKSUM_AGG(BINARY_CHECKSUM([id], [departs_at], [odd ]]name]))) AS s1
FROM [sales].[flights]
