ALTER TABLE [sales].[odd ]]name] DROP CONSTRAINT [it's ]]one];
