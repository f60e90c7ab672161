-- Row-level security: one row per given table whose rows are filtered by an enabled security policy.
-- predicate_type 0 is FILTER: rows disappear without an error. A policy may be in any schema, and catalogue views show it only to a
-- login with VIEW DEFINITION on the database (from 2022 on VIEW SECURITY DEFINITION is enough): a row whose object_id is NULL says
-- that this login has neither. HAS_PERMS_BY_NAME is NULL for a permission that the version does not know.
SELECT DISTINCT sp.target_object_id AS object_id
FROM sys.security_predicates AS sp
JOIN sys.security_policies AS pol ON pol.object_id = sp.object_id
WHERE sp.predicate_type = 0 AND pol.is_enabled = 1 AND sp.target_object_id IN (?)
UNION ALL
SELECT CAST(NULL AS int)
WHERE HAS_PERMS_BY_NAME(DB_NAME(), N'DATABASE', N'VIEW DEFINITION') = 0
  AND COALESCE(HAS_PERMS_BY_NAME(DB_NAME(), N'DATABASE', N'VIEW SECURITY DEFINITION'), 0) = 0;
