-- How the given tables are partitioned: one row per partitioned table; a table on a filegroup has none.
-- The partitioning column is the index column with partition_ordinal 1; heaps (index_id 0) have such a row too.
SELECT i.object_id,
       pf.function_id,
       pf.name AS function_name,
       ps.name AS scheme_name,
       pf.boundary_value_on_right,
       ic.column_id
FROM sys.indexes AS i
JOIN sys.partition_schemes AS ps ON ps.data_space_id = i.data_space_id
JOIN sys.partition_functions AS pf ON pf.function_id = ps.function_id
JOIN sys.index_columns AS ic
  ON ic.object_id = i.object_id AND ic.index_id = i.index_id AND ic.partition_ordinal = 1
WHERE i.object_id IN (?) AND i.index_id IN (0, 1);
