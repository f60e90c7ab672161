ALTER TABLE [sales].[odd ]]name] ALTER COLUMN [a] nvarchar(60) COLLATE Latin1_General_CI_AS NOT NULL;
