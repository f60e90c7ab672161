-- The key columns and included columns of every enabled index of the given tables, in key order, included ones after them: one row
-- per column. Unique ones without a filter are keys of all rows.
SELECT i.object_id,
       i.index_id,
       i.name AS index_name,
       i.type_desc,
       i.is_unique,
       i.is_primary_key,
       i.has_filter,
       c.name AS column_name,
       ic.key_ordinal,
       ic.is_descending_key
FROM sys.indexes AS i
JOIN sys.index_columns AS ic ON ic.object_id = i.object_id AND ic.index_id = i.index_id
JOIN sys.columns AS c ON c.object_id = ic.object_id AND c.column_id = ic.column_id
WHERE i.object_id IN (?)
  AND i.is_disabled = 0 AND i.is_hypothetical = 0
  AND (ic.key_ordinal > 0 OR ic.is_included_column = 1)
ORDER BY i.object_id, i.index_id, ic.is_included_column, ic.key_ordinal, ic.index_column_id;
