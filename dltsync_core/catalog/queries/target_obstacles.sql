-- What can stand against SWITCH or TRUNCATE of the given tables, or be lost when they are made anew (trigger, default, permission,
-- property), beside their own properties and indexes: one row per obstacle, with
-- the rule it comes under (warehouse/sqlserver/preflight.py) and the name of what causes it. The rule hidden_references stands for all
-- tables: without VIEW DEFINITION on the database a login does not see foreign keys of tables that it has no right on.
SELECT x.object_id, x.rule_name, x.object_name
FROM (
  SELECT fk.referenced_object_id AS object_id, N'referenced' AS rule_name, fk.name AS object_name
  FROM sys.foreign_keys AS fk
  UNION ALL
  SELECT ct.object_id, N'change_tracking', N'CHANGE_TRACKING'
  FROM sys.change_tracking_tables AS ct
  UNION ALL
  SELECT sp.target_object_id, N'row_filter', N'SECURITY POLICY'
  FROM sys.security_predicates AS sp
  UNION ALL
  SELECT ft.object_id, N'full_text', N'FULLTEXT INDEX'
  FROM sys.fulltext_indexes AS ft
  UNION ALL
  SELECT c.object_id, N'rowguidcol', c.name
  FROM sys.columns AS c
  WHERE c.is_rowguidcol = 1
  UNION ALL
  SELECT c.object_id, N'ansi_padding', c.name
  FROM sys.columns AS c
  WHERE c.is_ansi_padded = 0 AND c.system_type_id IN (165, 167, 173, 175)
  UNION ALL
  SELECT c.object_id, N'rule', c.name
  FROM sys.columns AS c
  WHERE c.rule_object_id <> 0
  UNION ALL
  SELECT c.object_id, N'xml_collection', c.name
  FROM sys.columns AS c
  WHERE c.xml_collection_id <> 0
  UNION ALL
  SELECT t.object_id, N'hidden_references', N'VIEW DEFINITION'
  FROM sys.tables AS t
  WHERE HAS_PERMS_BY_NAME(DB_NAME(), N'DATABASE', N'VIEW DEFINITION') = 0
  UNION ALL
  SELECT c.object_id, N'masked', c.name
  FROM sys.columns AS c
  WHERE c.is_masked = 1
  UNION ALL
  SELECT tr.parent_id, N'trigger', tr.name
  FROM sys.triggers AS tr
  WHERE tr.parent_class = 1
  UNION ALL
  SELECT d.parent_object_id, N'default', d.name
  FROM sys.default_constraints AS d
  UNION ALL
  SELECT p.major_id, N'permission', p.permission_name
  FROM sys.database_permissions AS p
  WHERE p.class = 1
  UNION ALL
  SELECT e.major_id, N'property', e.name
  FROM sys.extended_properties AS e
  WHERE e.class = 1
) AS x
WHERE x.object_id IN (?)
ORDER BY x.object_id, x.rule_name, x.object_name;
