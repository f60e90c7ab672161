SELECT COUNT_BIG(*) AS n
FROM [sales].[flights]
WHERE [rv] > CONVERT(binary(8), ?, 1)
-- parameters: 0x00000000000007D1
