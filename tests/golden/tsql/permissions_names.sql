SELECT N'schema' AS kind, s.name FROM sys.schemas AS s
UNION ALL SELECT N'function', f.name FROM sys.partition_functions AS f
UNION ALL SELECT N'scheme', p.name FROM sys.partition_schemes AS p
