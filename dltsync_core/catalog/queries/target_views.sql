-- Indexed views over the given tables: one row each. SWITCH needs a match on both sides, TRUNCATE is refused.
SELECT DISTINCT d.referenced_id AS object_id, v.name AS view_name
FROM sys.sql_expression_dependencies AS d
JOIN sys.views AS v ON v.object_id = d.referencing_id
JOIN sys.indexes AS i ON i.object_id = v.object_id
WHERE d.referenced_id IN (?) AND i.index_id = 1;
