SET XACT_ABORT ON;
BEGIN TRANSACTION;
CREATE TABLE [sales].[odd ]]name] (
  [day] date NOT NULL,
  PRIMARY KEY CLUSTERED ([day])
) ON [ps]]x]([day]);
CREATE NONCLUSTERED INDEX [by day] ON [sales].[odd ]]name] ([day]) ON [ps]]x]([day]);
COMMIT TRANSACTION;
