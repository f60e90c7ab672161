-- The physical partitions of the given tables, heap or clustered index: one row each. approx_rows is a hint.
SELECT p.object_id,
       p.partition_number,
       p.rows AS approx_rows
FROM sys.partitions AS p
WHERE p.object_id IN (?) AND p.index_id IN (0, 1)
ORDER BY p.object_id, p.partition_number;
