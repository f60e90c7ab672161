WITH v AS (
  SELECT [id] AS [d_key0], [code's] AS [d_key1], [long] AS [d_key2], [from]]] AS d_from, [to] AS d_written, CASE WHEN NOT (([to] IS NULL OR [to] >= CAST(N'9999-01-01 00:00:00+00:00' AS datetimeoffset(7)))) THEN [to] END AS d_to, CASE WHEN [is latest] <> 0 THEN 1 ELSE 0 END AS d_latest
  FROM [sales].[odd ]]name] WHERE [from]]] IS NOT NULL
), w AS (
  SELECT v.*, ROW_NUMBER() OVER (ORDER BY v.[d_key0], CAST(v.[d_key1] AS varbinary(8000)), CAST(v.[d_key2] AS varbinary(max)), v.d_from) AS d_row,
    LEAD(v.d_from) OVER (PARTITION BY [d_key0], [d_key1], [d_key2] ORDER BY v.d_from) AS d_next,
    SUM(v.d_latest) OVER (PARTITION BY [d_key0], [d_key1], [d_key2]) AS d_latest_in_key
  FROM v
), m AS (
  SELECT w.*, MAX(CASE WHEN w.d_latest_in_key <> 1 OR w.d_to <= w.d_from
    OR (w.d_next IS NOT NULL AND (w.d_latest = 1 OR w.d_to IS NULL))
    OR (w.d_next IS NOT NULL AND NOT (w.d_to <= w.d_next AND DATEDIFF(day, w.d_to, w.d_next) BETWEEN -2 AND 2 AND CASE WHEN DATEDIFF(day, w.d_to, w.d_next) BETWEEN -2 AND 2 THEN DATEDIFF_BIG(nanosecond, w.d_to, w.d_next) END = 100))
    OR (w.d_next IS NULL AND w.d_latest = 1 AND w.d_to IS NOT NULL)
    OR (w.d_next IS NULL AND w.d_latest = 0 AND w.d_to IS NULL)
    THEN 1 ELSE 0 END) OVER (PARTITION BY [d_key0], [d_key1], [d_key2]) AS d_suspect,
    MIN(w.d_row) OVER (PARTITION BY [d_key0], [d_key1], [d_key2]) AS d_entity
  FROM w
)
SELECT m.d_entity AS entity, CONVERT(varchar(20), [d_key0]) AS [k0], [d_key1] AS [k1], [d_key2] AS [k2],
  CONVERT(varchar(40), [d_from], 121) AS valid_from, CONVERT(varchar(27), CAST([d_to] AS datetime2(7)), 121) + RIGHT(CONVERT(varchar(40), [d_to], 121), 6) AS valid_to, CONVERT(varchar(27), CAST([d_written] AS datetime2(7)), 121) + RIGHT(CONVERT(varchar(40), [d_written], 121), 6) AS written_to, m.d_latest AS is_latest
FROM m WHERE m.d_suspect = 1
ORDER BY m.d_entity, m.d_from;
