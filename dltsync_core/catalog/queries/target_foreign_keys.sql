-- The foreign keys that the given tables have: one row per column, in the order of the key's columns.
SELECT fk.parent_object_id AS object_id,
       fk.name,
       fk.is_disabled,
       fk.is_not_for_replication,
       fk.delete_referential_action_desc,
       fk.update_referential_action_desc,
       c.name AS column_name,
       s.name AS referenced_schema,
       t.name AS referenced_table,
       rc.name AS referenced_column
FROM sys.foreign_keys AS fk
JOIN sys.foreign_key_columns AS fkc ON fkc.constraint_object_id = fk.object_id
JOIN sys.columns AS c ON c.object_id = fkc.parent_object_id AND c.column_id = fkc.parent_column_id
JOIN sys.columns AS rc ON rc.object_id = fkc.referenced_object_id AND rc.column_id = fkc.referenced_column_id
JOIN sys.tables AS t ON t.object_id = fkc.referenced_object_id
JOIN sys.schemas AS s ON s.schema_id = t.schema_id
WHERE fk.parent_object_id IN (?)
ORDER BY fk.parent_object_id, fk.name, fkc.constraint_column_id;
