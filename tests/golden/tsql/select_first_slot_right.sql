SELECT [departs_at]
FROM [sales].[flights]
WHERE ([departs_at] < CAST(? AS datetime2(0)) OR [departs_at] IS NULL)
-- parameters: 2013-01-01 00:00:00
