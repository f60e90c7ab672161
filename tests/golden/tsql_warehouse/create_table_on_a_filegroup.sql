CREATE TABLE [sales].[odd ]]name] (
  [day] date NOT NULL
) ON [fast ]]1] WITH (DATA_COMPRESSION = PAGE);
