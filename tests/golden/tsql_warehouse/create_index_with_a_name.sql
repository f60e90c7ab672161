CREATE NONCLUSTERED INDEX [by ]]day] ON [sales].[odd ]]name] ([day] DESC) INCLUDE ([id]) ON [ps]]x]([day]);
