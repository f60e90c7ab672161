IF SCHEMA_ID(N'it''s ]a') IS NULL EXEC (N'CREATE SCHEMA [it''s ]]a]');
