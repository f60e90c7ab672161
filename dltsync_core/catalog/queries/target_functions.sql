-- Who uses the given partition functions: one row per scheme and table, the table's columns NULL for a scheme without tables. SPLIT
-- changes all of them. next_filegroup is where a scheme keeps its last partition.
SELECT ps.function_id,
       ps.name AS scheme_name,
       s.name AS schema_name,
       t.name AS table_name,
       fg.name AS filegroup_name
FROM sys.partition_schemes AS ps
JOIN sys.partition_functions AS pf ON pf.function_id = ps.function_id
JOIN sys.destination_data_spaces AS d ON d.partition_scheme_id = ps.data_space_id AND d.destination_id = pf.fanout
JOIN sys.filegroups AS fg ON fg.data_space_id = d.data_space_id
LEFT JOIN sys.indexes AS i ON i.data_space_id = ps.data_space_id
LEFT JOIN sys.tables AS t ON t.object_id = i.object_id
LEFT JOIN sys.schemas AS s ON s.schema_id = t.schema_id
WHERE ps.function_id IN (?)
ORDER BY ps.name, s.name, t.name;
