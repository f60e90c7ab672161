-- MS_Description of the given tables: one row per table that has one.
SELECT e.major_id AS object_id,
       CONVERT(nvarchar(4000), e.value) AS description
FROM sys.extended_properties AS e
WHERE e.class = 1 AND e.minor_id = 0 AND e.name = 'MS_Description' AND e.major_id IN (?);
