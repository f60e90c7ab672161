-- Row-level security: one row per given table whose rows are filtered by an enabled security policy.
-- predicate_type 0 is FILTER: rows disappear without an error.
SELECT DISTINCT sp.target_object_id AS object_id
FROM sys.security_predicates AS sp
JOIN sys.security_policies AS pol ON pol.object_id = sp.object_id
WHERE sp.predicate_type = 0 AND pol.is_enabled = 1 AND sp.target_object_id IN (?);
