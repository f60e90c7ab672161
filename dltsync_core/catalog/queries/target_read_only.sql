-- The partitions of the given tables and their indexes that lie in a read-only filegroup: one row each.
SELECT i.object_id,
       i.index_id,
       d.destination_id AS partition_number,
       fg.name AS filegroup_name
FROM sys.indexes AS i
JOIN sys.partition_schemes AS ps ON ps.data_space_id = i.data_space_id
JOIN sys.partition_functions AS pf ON pf.function_id = ps.function_id
JOIN sys.destination_data_spaces AS d ON d.partition_scheme_id = ps.data_space_id AND d.destination_id <= pf.fanout
JOIN sys.filegroups AS fg ON fg.data_space_id = d.data_space_id
WHERE i.object_id IN (?) AND i.is_hypothetical = 0 AND fg.is_read_only = 1
ORDER BY i.object_id, i.index_id, d.destination_id;
