-- The indexes of the given tables, heaps (index_id 0) too: one row each. function_id is NULL off a partition scheme;
-- filegroup_name and is_read_only are NULL on one.
SELECT i.object_id,
       i.index_id,
       i.name,
       i.type_desc,
       i.is_unique,
       i.is_primary_key,
       i.is_unique_constraint,
       i.is_disabled,
       i.has_filter,
       i.is_hypothetical,
       ps.name AS scheme_name,
       ps.function_id,
       fg.name AS filegroup_name,
       fg.is_read_only
FROM sys.indexes AS i
LEFT JOIN sys.partition_schemes AS ps ON ps.data_space_id = i.data_space_id
LEFT JOIN sys.filegroups AS fg ON fg.data_space_id = i.data_space_id
WHERE i.object_id IN (?) AND i.is_hypothetical = 0
ORDER BY i.object_id, i.index_id;
