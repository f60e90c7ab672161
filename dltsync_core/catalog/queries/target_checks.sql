-- The CHECK constraints of the given tables: one row each. definition is NULL for a login without VIEW DEFINITION on the table.
SELECT ck.parent_object_id AS object_id,
       ck.name,
       ck.definition,
       ck.is_disabled,
       ck.is_not_for_replication
FROM sys.check_constraints AS ck
WHERE ck.parent_object_id IN (?)
ORDER BY ck.parent_object_id, ck.name;
