SELECT COUNT_BIG(*) AS n FROM [sales].[odd ]]name] WHERE [from]]] IS NULL;
