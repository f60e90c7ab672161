-- The columns of every index of the given tables, in key order, included ones after them. partition_ordinal is 1 for the column that
-- the index is partitioned by; such a column that is neither key nor included was added by the server.
SELECT ic.object_id,
       ic.index_id,
       c.name AS column_name,
       ic.key_ordinal,
       ic.partition_ordinal,
       ic.is_descending_key,
       ic.is_included_column
FROM sys.index_columns AS ic
JOIN sys.columns AS c ON c.object_id = ic.object_id AND c.column_id = ic.column_id
WHERE ic.object_id IN (?)
ORDER BY ic.object_id, ic.index_id, ic.is_included_column, ic.key_ordinal, ic.index_column_id;
