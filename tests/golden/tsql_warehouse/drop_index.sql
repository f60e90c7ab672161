DROP INDEX [by ]]day] ON [sales].[odd ]]name];
