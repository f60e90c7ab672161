DROP TABLE IF EXISTS [sales].[odd ]]name];
