CREATE TABLE [sales].[odd ]]name] (
  [day] date NOT NULL,
  PRIMARY KEY CLUSTERED ([day])
) ON [ps]]x]([day]);
