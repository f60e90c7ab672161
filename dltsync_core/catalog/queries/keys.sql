-- The columns of every unique index or constraint that covers all rows of the given tables: one row per key column.
SELECT i.object_id,
       i.index_id,
       i.is_primary_key,
       c.name AS column_name
FROM sys.indexes AS i
JOIN sys.index_columns AS ic ON ic.object_id = i.object_id AND ic.index_id = i.index_id
JOIN sys.columns AS c ON c.object_id = ic.object_id AND c.column_id = ic.column_id
WHERE i.object_id IN (?)
  AND i.is_unique = 1 AND i.has_filter = 0 AND i.is_disabled = 0 AND i.is_hypothetical = 0
  AND ic.key_ordinal > 0
ORDER BY i.object_id, i.index_id, ic.key_ordinal;
