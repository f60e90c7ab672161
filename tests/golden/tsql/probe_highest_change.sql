SELECT COUNT_BIG(*) AS n, CONVERT(varchar(40), MAX([LastModified]), 121) AS high
FROM [sales].[flights]
