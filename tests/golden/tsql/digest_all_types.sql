SELECT COUNT_BIG(*) AS n,
  CONVERT(varchar(50), SUM(CAST(CAST(CAST(SUBSTRING(h.d, 1, 8) AS binary(8)) AS bigint) AS decimal(38,0)))) AS s1,
  CONVERT(varchar(50), SUM(CAST(CAST(CAST(SUBSTRING(h.d, 9, 8) AS binary(8)) AS bigint) AS decimal(38,0)))) AS s2
FROM (
  SELECT HASHBYTES('SHA2_256', CONCAT(CAST(N'' AS nvarchar(max)),
    CASE WHEN x.[c1] IS NULL THEN N'~' ELSE CONCAT(DATALENGTH(x.[c1]), N':') END,
    x.[c1],
    CASE WHEN x.[c2] IS NULL THEN N'~' ELSE CONCAT(DATALENGTH(x.[c2]), N':') END,
    x.[c2],
    CASE WHEN x.[c3] IS NULL THEN N'~' ELSE CONCAT(DATALENGTH(x.[c3]), N':') END,
    x.[c3],
    CASE WHEN x.[c4] IS NULL THEN N'~' ELSE CONCAT(DATALENGTH(x.[c4]), N':') END,
    x.[c4],
    CASE WHEN x.[c5] IS NULL THEN N'~' ELSE CONCAT(DATALENGTH(x.[c5]), N':') END,
    x.[c5],
    CASE WHEN x.[c6] IS NULL THEN N'~' ELSE CONCAT(DATALENGTH(x.[c6]), N':') END,
    x.[c6],
    CASE WHEN x.[c7] IS NULL THEN N'~' ELSE CONCAT(DATALENGTH(x.[c7]), N':') END,
    x.[c7],
    CASE WHEN x.[c8] IS NULL THEN N'~' ELSE CONCAT(DATALENGTH(x.[c8]), N':') END,
    x.[c8],
    CASE WHEN x.[c9] IS NULL THEN N'~' ELSE CONCAT(DATALENGTH(x.[c9]), N':') END,
    x.[c9],
    CASE WHEN x.[c10] IS NULL THEN N'~' ELSE CONCAT(DATALENGTH(x.[c10]), N':') END,
    x.[c10],
    CASE WHEN x.[c11] IS NULL THEN N'~' ELSE CONCAT(DATALENGTH(x.[c11]), N':') END,
    x.[c11],
    CASE WHEN x.[c12] IS NULL THEN N'~' ELSE CONCAT(DATALENGTH(x.[c12]), N':') END,
    x.[c12],
    CASE WHEN x.[c13] IS NULL THEN N'~' ELSE CONCAT(DATALENGTH(x.[c13]), N':') END,
    x.[c13],
    CASE WHEN x.[c14] IS NULL THEN N'~' ELSE CONCAT(DATALENGTH(x.[c14]), N':') END,
    x.[c14],
    CASE WHEN x.[c15] IS NULL THEN N'~' ELSE CONCAT(DATALENGTH(x.[c15]), N':') END,
    x.[c15],
    CASE WHEN x.[c16] IS NULL THEN N'~' ELSE CONCAT(DATALENGTH(x.[c16]), N':') END,
    x.[c16],
    CASE WHEN x.[c17] IS NULL THEN N'~' ELSE CONCAT(DATALENGTH(x.[c17]), N':') END,
    x.[c17],
    CASE WHEN x.[c18] IS NULL THEN N'~' ELSE CONCAT(DATALENGTH(x.[c18]), N':') END,
    x.[c18],
    CASE WHEN x.[c19] IS NULL THEN N'~' ELSE CONCAT(DATALENGTH(x.[c19]), N':') END,
    x.[c19],
    CASE WHEN x.[c20] IS NULL THEN N'~' ELSE CONCAT(DATALENGTH(x.[c20]), N':') END,
    x.[c20],
    CASE WHEN x.[c21] IS NULL THEN N'~' ELSE CONCAT(DATALENGTH(x.[c21]), N':') END,
    x.[c21],
    CASE WHEN x.[c22] IS NULL THEN N'~' ELSE CONCAT(DATALENGTH(x.[c22]), N':') END,
    x.[c22],
    CASE WHEN x.[c23] IS NULL THEN N'~' ELSE CONCAT(DATALENGTH(x.[c23]), N':') END,
    x.[c23],
    CASE WHEN x.[c24] IS NULL THEN N'~' ELSE CONCAT(DATALENGTH(x.[c24]), N':') END,
    x.[c24],
    CASE WHEN x.[c25] IS NULL THEN N'~' ELSE CONCAT(DATALENGTH(x.[c25]), N':') END,
    x.[c25],
    CASE WHEN x.[c26] IS NULL THEN N'~' ELSE CONCAT(DATALENGTH(x.[c26]), N':') END,
    x.[c26],
    CASE WHEN x.[c27] IS NULL THEN N'~' ELSE CONCAT(DATALENGTH(x.[c27]), N':') END,
    x.[c27],
    CASE WHEN x.[c28] IS NULL THEN N'~' ELSE CONCAT(DATALENGTH(x.[c28]), N':') END,
    x.[c28],
    CASE WHEN x.[c29] IS NULL THEN N'~' ELSE CONCAT(DATALENGTH(x.[c29]), N':') END,
    x.[c29],
    CASE WHEN x.[c30] IS NULL THEN N'~' ELSE CONCAT(DATALENGTH(x.[c30]), N':') END,
    x.[c30],
    CASE WHEN x.[c31] IS NULL THEN N'~' ELSE CONCAT(DATALENGTH(x.[c31]), N':') END,
    x.[c31],
    CASE WHEN x.[c32] IS NULL THEN N'~' ELSE CONCAT(DATALENGTH(x.[c32]), N':') END,
    x.[c32])) AS d
  FROM (
    SELECT CONVERT(varchar(20), [a_bit]) AS [c1],
      CONVERT(varchar(20), [a_tinyint]) AS [c2],
      CONVERT(varchar(50), [a_decimal]) AS [c3],
      CONVERT(varchar(50), CAST([a_money] AS decimal(19,4))) AS [c4],
      CONVERT(varchar(40), [a_float], 3) AS [c5],
      CONVERT(varchar(40), CAST([a_real] AS float), 3) AS [c6],
      CONVERT(varchar(10), [a_date], 23) AS [c7],
      CONVERT(varchar(30), [a_datetime], 126) AS [c8],
      CONVERT(varchar(30), [a_smalldatetime], 126) AS [c9],
      CONVERT(varchar(40), [a_datetime2_3], 121) AS [c10],
      CONVERT(varchar(40), [a_datetime2_7], 121) AS [c11],
      CONVERT(varchar(40), [a_time_3], 121) AS [c12],
      CONVERT(varchar(40), [a_time_7], 121) AS [c13],
      CONVERT(varchar(27), CAST([an_offset] AS datetime2(7)), 121) + RIGHT(CONVERT(varchar(40), [an_offset], 121), 6) AS [c14],
      CONVERT(nvarchar(4000), [a_char]) COLLATE Latin1_General_100_BIN2 AS [c15],
      CONVERT(nvarchar(4000), [a_nvarchar]) COLLATE Latin1_General_100_BIN2 AS [c16],
      CONVERT(nvarchar(max), [a_varchar_max]) COLLATE Latin1_General_100_BIN2 AS [c17],
      CONVERT(varchar(8000), [a_binary], 1) AS [c18],
      CONVERT(varchar(max), [a_varbinary_max], 1) AS [c19],
      CONVERT(char(36), [a_guid]) AS [c20],
      CONVERT(varchar(18), CONVERT(binary(8), [a_rowversion]), 1) AS [c21],
      CAST([an_xml] AS nvarchar(max)) AS [c22],
      CONVERT(nvarchar(max), [a_text]) COLLATE Latin1_General_100_BIN2 AS [c23],
      CONVERT(nvarchar(max), [an_ntext]) COLLATE Latin1_General_100_BIN2 AS [c24],
      CONVERT(varchar(max), CAST([an_image] AS varbinary(max)), 1) AS [c25],
      CAST([a_json] AS nvarchar(max)) AS [c26],
      [a_path].ToString() AS [c27],
      CONVERT(varchar(max), CAST([a_shape] AS varbinary(max)), 1) AS [c28],
      CONVERT(varchar(max), CAST([a_place] AS varbinary(max)), 1) AS [c29],
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
        AND DATALENGTH([a_variant]) > 4000 THEN N' bytes' ELSE N'' END AS base) AS t) AS [c30],
      CAST([a_vector] AS nvarchar(max)) AS [c31],
      CONVERT(nvarchar(4000), [a_utf8]) COLLATE Latin1_General_100_BIN2 AS [c32]
    FROM [dbo].[all types]) AS x) AS h
