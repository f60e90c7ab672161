SELECT [departs_at]
FROM [sales].[flights]
WHERE [departs_at] > CAST(? AS datetime2(0)) AND [departs_at] <= CAST(? AS datetime2(0))
-- parameters: 2013-01-01 00:00:00 | 2013-02-01 00:00:00
