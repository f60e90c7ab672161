-- Every property of the given tables that this version has: one row per table. Named columns would fail with 207 on older versions.
SELECT t.*
FROM sys.tables AS t
WHERE t.object_id IN (?);
