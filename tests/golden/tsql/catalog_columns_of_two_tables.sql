-- The columns of the given tables: one row per column, in column order.
-- type_name is the declared type, base_name the system type below it: they differ for alias types, and base_name is NULL
-- for CLR types. generated_always_type: 0 not, 1 and 2 start and end of the row's period, 5 to 10 transaction ids and sequence
-- numbers. is_persisted is NULL for a column that is not computed. encryption_type is NULL unless the column is encrypted by Always Encrypted.
SELECT c.object_id,
       c.column_id,
       c.name AS column_name,
       declared.name AS type_name,
       base.name AS base_name,
       declared.is_user_defined,
       declared.is_assembly_type,
       c.max_length,
       c.precision,
       c.scale,
       c.collation_name,
       c.is_nullable,
       c.is_identity,
       c.is_computed,
       computed.is_persisted,
       c.generated_always_type,
       c.is_filestream,
       c.is_hidden,
       c.is_sparse,
       c.is_column_set,
       c.is_masked,
       c.encryption_type
FROM sys.columns AS c
JOIN sys.types AS declared ON declared.user_type_id = c.user_type_id
LEFT JOIN sys.types AS base ON base.user_type_id = c.system_type_id
LEFT JOIN sys.computed_columns AS computed ON computed.object_id = c.object_id AND computed.column_id = c.column_id
WHERE c.object_id IN (?, ?)
ORDER BY c.object_id, c.column_id;

-- parameters: 1 | 2
