-- The partitions of every index of the given tables that are compressed: one row each. Tables without partitions have partition 1.
SELECT p.object_id,
       p.index_id,
       p.partition_number,
       p.data_compression_desc
FROM sys.partitions AS p
WHERE p.object_id IN (?) AND p.data_compression_desc <> 'NONE'
ORDER BY p.object_id, p.index_id, p.partition_number;
