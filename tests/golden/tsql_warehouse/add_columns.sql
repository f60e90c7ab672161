ALTER TABLE [sales].[odd ]]name] ADD [a] int NULL, [b] nvarchar(max) COLLATE Latin1_General_BIN2 NULL;
