-- What depends on columns of the given tables, beside indexes and CHECK constraints, and stands against another type of theirs (5074):
-- one row per column and object. used is the name of the column, for a computed column its definition, which names columns in brackets.
SELECT x.object_id, x.kind, x.object_name, x.used
FROM (
  SELECT sc.object_id, N'statistics' AS kind, st.name AS object_name, CAST(c.name AS nvarchar(max)) AS used
  FROM sys.stats AS st
  JOIN sys.stats_columns AS sc ON sc.object_id = st.object_id AND sc.stats_id = st.stats_id
  JOIN sys.columns AS c ON c.object_id = sc.object_id AND c.column_id = sc.column_id
  WHERE st.user_created = 1
  UNION ALL
  SELECT d.parent_object_id, N'default constraint', d.name, CAST(c.name AS nvarchar(max))
  FROM sys.default_constraints AS d
  JOIN sys.columns AS c ON c.object_id = d.parent_object_id AND c.column_id = d.parent_column_id
  UNION ALL
  SELECT fkc.parent_object_id, N'foreign key', fk.name, CAST(c.name AS nvarchar(max))
  FROM sys.foreign_keys AS fk
  JOIN sys.foreign_key_columns AS fkc ON fkc.constraint_object_id = fk.object_id
  JOIN sys.columns AS c ON c.object_id = fkc.parent_object_id AND c.column_id = fkc.parent_column_id
  UNION ALL
  SELECT fkc.referenced_object_id, N'referencing foreign key', fk.name, CAST(c.name AS nvarchar(max))
  FROM sys.foreign_keys AS fk
  JOIN sys.foreign_key_columns AS fkc ON fkc.constraint_object_id = fk.object_id
  JOIN sys.columns AS c ON c.object_id = fkc.referenced_object_id AND c.column_id = fkc.referenced_column_id
  UNION ALL
  SELECT cc.object_id, N'computed column', cc.name, cc.definition
  FROM sys.computed_columns AS cc
) AS x
WHERE x.object_id IN (?)
ORDER BY x.object_id, x.kind, x.object_name;
