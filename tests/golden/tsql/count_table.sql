SELECT COUNT_BIG(*) AS n
FROM [sales].[flights]
