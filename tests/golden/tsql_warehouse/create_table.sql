CREATE TABLE [sales].[odd ]]name] (
  [id] int NOT NULL,
  [name] nvarchar(50) COLLATE Latin1_General_CI_AS NULL,
  PRIMARY KEY CLUSTERED ([id])
);
