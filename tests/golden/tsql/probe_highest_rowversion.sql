SELECT COUNT_BIG(*) AS n, CONVERT(varchar(18), CONVERT(binary(8), MAX(CASE WHEN [rv] < CONVERT(binary(8), ?, 1) THEN CONVERT(binary(8), [rv]) END)), 1) AS high
FROM [sales].[flights]
-- parameters: 0x00000000000007D2
