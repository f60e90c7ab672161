SELECT [a_time_7],
  [an_offset],
  CAST([a_char] AS varbinary(10)) AS [a_char],
  CAST([a_nvarchar] AS varbinary(100)) AS [a_nvarchar],
  CAST([a_varchar_max] AS varbinary(max)) AS [a_varchar_max],
  CAST(CAST([a_text] AS varchar(max)) AS varbinary(max)) AS [a_text],
  CAST(CAST([an_ntext] AS nvarchar(max)) AS varbinary(max)) AS [an_ntext],
  CAST([a_path] AS varbinary(max)) AS [a_path],
  [a_shape].AsBinaryZM() AS [a_shape],
  [a_place].AsTextZM() AS [a_place],
  DATEPART(nanosecond, [a_time_7]) % 1000 AS [dltsync_remainder_1],
  DATEPART(nanosecond, [an_offset]) % 1000 AS [dltsync_remainder_2]
FROM [dbo].[all types]
