-- Everything of this database that a person may call a table and this login may see: one row each.
-- type: U table, V view, SN synonym.
SELECT s.name AS schema_name,
       o.name AS object_name,
       o.object_id,
       o.type
FROM sys.objects AS o
JOIN sys.schemas AS s ON s.schema_id = o.schema_id
WHERE o.type IN ('U', 'V', 'SN') AND o.is_ms_shipped = 0;
