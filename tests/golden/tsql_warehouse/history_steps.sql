WITH v AS (
  SELECT [id] AS [d_key0], [code's] AS [d_key1], [long] AS [d_key2], [from]]] AS d_from, [to] AS d_written, CASE WHEN NOT (([to] IS NULL OR [to] >= CAST(N'9999-01-01 00:00:00+00:00' AS datetimeoffset(7)))) THEN [to] END AS d_to, CASE WHEN [is latest] <> 0 THEN 1 ELSE 0 END AS d_latest
  FROM [sales].[odd ]]name] WHERE [from]]] IS NOT NULL
), w AS (
  SELECT v.*, ROW_NUMBER() OVER (ORDER BY v.[d_key0], CAST(v.[d_key1] AS varbinary(8000)), CAST(v.[d_key2] AS varbinary(max)), v.d_from) AS d_row,
    LEAD(v.d_from) OVER (PARTITION BY [d_key0], [d_key1], [d_key2] ORDER BY v.d_from) AS d_next,
    SUM(v.d_latest) OVER (PARTITION BY [d_key0], [d_key1], [d_key2]) AS d_latest_in_key
  FROM v
)
SELECT TOP (1) d.nanoseconds, COUNT_BIG(*) AS times, MAX(d.pairs) AS pairs
FROM (
  SELECT CASE WHEN DATEDIFF(day, w.d_to, w.d_next) BETWEEN -2 AND 2 THEN DATEDIFF_BIG(nanosecond, w.d_to, w.d_next) END AS nanoseconds, COUNT_BIG(*) OVER () AS pairs
  FROM w WHERE w.d_next IS NOT NULL AND w.d_to IS NOT NULL
) AS d
GROUP BY d.nanoseconds ORDER BY COUNT_BIG(*) DESC, d.nanoseconds;
