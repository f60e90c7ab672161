-- The boundaries of the given partition functions: one row each, in the server's order, as lossless text.
-- boundary_text is NULL for a NULL boundary. The driver's own reading of sql_variant is not trusted; each base type has the
-- style that loses nothing.
SELECT v.function_id,
       v.boundary_id,
       CASE
         WHEN t.name IN ('bit', 'tinyint', 'smallint', 'int', 'bigint')
           THEN CONVERT(nvarchar(4000), CAST(v.value AS bigint))
         WHEN t.name IN ('decimal', 'numeric') THEN CONVERT(nvarchar(4000), v.value)
         WHEN t.name IN ('money', 'smallmoney') THEN CONVERT(nvarchar(4000), CAST(CAST(v.value AS money) AS decimal(19,4)))
         WHEN t.name IN ('float', 'real') THEN CONVERT(nvarchar(4000), CAST(v.value AS float), 3)
         WHEN t.name = 'date' THEN CONVERT(nvarchar(4000), CAST(v.value AS date), 23)
         WHEN t.name = 'datetime' THEN CONVERT(nvarchar(4000), CAST(v.value AS datetime), 126)
         WHEN t.name = 'smalldatetime' THEN CONVERT(nvarchar(4000), CAST(v.value AS smalldatetime), 126)
         WHEN t.name = 'datetime2' THEN CONVERT(nvarchar(4000), CAST(v.value AS datetime2(7)), 121)
         WHEN t.name = 'time' THEN CONVERT(nvarchar(4000), CAST(v.value AS time(7)), 121)
         WHEN t.name = 'datetimeoffset' THEN CONVERT(nvarchar(4000), CAST(v.value AS datetimeoffset(7)), 121)
         WHEN t.name = 'uniqueidentifier' THEN CONVERT(nvarchar(4000), CAST(v.value AS uniqueidentifier))
         WHEN t.name IN ('binary', 'varbinary') THEN CONVERT(nvarchar(max), CAST(v.value AS varbinary(8000)), 1)
         ELSE CAST(v.value AS nvarchar(4000))
       END AS boundary_text
FROM sys.partition_range_values AS v
JOIN sys.partition_parameters AS p ON p.function_id = v.function_id AND p.parameter_id = v.parameter_id
JOIN sys.types AS t ON t.user_type_id = p.system_type_id
WHERE v.function_id IN (?) AND v.parameter_id = 1
ORDER BY v.function_id, v.boundary_id;
