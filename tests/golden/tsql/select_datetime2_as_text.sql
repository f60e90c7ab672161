SELECT [a_bit],
  [a_tinyint],
  [a_decimal],
  [a_money],
  [a_float],
  [a_real],
  [a_date],
  [a_datetime],
  [a_smalldatetime],
  [a_datetime2_3],
  CONVERT(varchar(40), [a_datetime2_7], 121) AS [a_datetime2_7],
  [a_time_3],
  CONVERT(varchar(40), [a_time_7], 121) AS [a_time_7],
  CONVERT(varchar(27), CAST([an_offset] AS datetime2(7)), 121) + RIGHT(CONVERT(varchar(40), [an_offset], 121), 6) AS [an_offset],
  CAST([a_char] AS nvarchar(10)) AS [a_char],
  [a_nvarchar],
  CAST([a_varchar_max] AS nvarchar(max)) AS [a_varchar_max],
  [a_binary],
  [a_varbinary_max],
  [a_guid],
  [a_rowversion],
  CAST([an_xml] AS nvarchar(max)) AS [an_xml],
  CAST([a_text] AS nvarchar(max)) AS [a_text],
  CAST([an_ntext] AS nvarchar(max)) AS [an_ntext],
  CAST([an_image] AS varbinary(max)) AS [an_image],
  CAST([a_json] AS nvarchar(max)) AS [a_json],
  [a_path].ToString() AS [a_path],
  CAST([a_shape] AS varbinary(max)) AS [a_shape],
  CAST([a_place] AS varbinary(max)) AS [a_place],
  (SELECT t.base + N':' + CASE
      WHEN t.base IN (N'bit', N'tinyint', N'smallint', N'int', N'bigint') THEN CONVERT(nvarchar(4000), CAST(t.v AS bigint))
      WHEN t.base IN (N'decimal', N'numeric') THEN CONVERT(nvarchar(4000), t.v)
      WHEN t.base IN (N'money', N'smallmoney') THEN CONVERT(nvarchar(4000), CAST(CAST(t.v AS money) AS decimal(19,4)))
      WHEN t.base IN (N'float', N'real') THEN CONVERT(nvarchar(4000), CAST(t.v AS float), 3)
      WHEN t.base = N'date' THEN CONVERT(nvarchar(4000), CAST(t.v AS date), 23)
      WHEN t.base = N'datetime' THEN CONVERT(nvarchar(4000), CAST(t.v AS datetime), 126)
      WHEN t.base = N'smalldatetime' THEN CONVERT(nvarchar(4000), CAST(t.v AS smalldatetime), 126)
      WHEN t.base = N'datetime2' THEN CONVERT(nvarchar(4000), CAST(t.v AS datetime2(7)), 121)
      WHEN t.base = N'time' THEN CONVERT(nvarchar(4000), CAST(t.v AS time(7)), 121)
      WHEN t.base = N'datetimeoffset' THEN CONVERT(nvarchar(27), CAST(CAST(t.v AS datetimeoffset(7)) AS datetime2(7)), 121)
        + RIGHT(CONVERT(nvarchar(40), CAST(t.v AS datetimeoffset(7)), 121), 6)
      WHEN t.base = N'uniqueidentifier' THEN CONVERT(nvarchar(4000), CAST(t.v AS uniqueidentifier))
      WHEN t.base IN (N'binary', N'varbinary') THEN CONVERT(nvarchar(max), CAST(t.v AS varbinary(8000)), 1)
      WHEN t.base IN (N'char bytes', N'varchar bytes') THEN CONVERT(nvarchar(max), CAST(t.v AS varbinary(8000)), 1)
      ELSE CAST(t.v AS nvarchar(4000)) END
    FROM (SELECT [a_variant] AS v, CAST(SQL_VARIANT_PROPERTY([a_variant], 'BaseType') AS nvarchar(128)) + CASE
      WHEN CAST(SQL_VARIANT_PROPERTY([a_variant], 'BaseType') AS nvarchar(128)) IN (N'char', N'varchar')
        AND DATALENGTH([a_variant]) > 4000 THEN N' bytes' ELSE N'' END AS base) AS t) AS [a_variant],
  CAST([a_vector] AS nvarchar(max)) AS [a_vector],
  [a_utf8]
FROM [dbo].[all types]
