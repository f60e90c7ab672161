SELECT 0 AS pair, CASE WHEN CAST(? AS nvarchar(4000)) COLLATE German_PhoneBook_CI_AS = CAST(? AS nvarchar(4000)) COLLATE German_PhoneBook_CI_AS THEN 1 ELSE 0 END AS is_same
UNION ALL
SELECT 1 AS pair, CASE WHEN CAST(CAST(? AS nvarchar(4000)) COLLATE SQL_Latin1_General_CP1_CI_AS AS varchar(8000)) COLLATE SQL_Latin1_General_CP1_CI_AS = CAST(CAST(? AS nvarchar(4000)) COLLATE SQL_Latin1_General_CP1_CI_AS AS varchar(8000)) COLLATE SQL_Latin1_General_CP1_CI_AS THEN 1 ELSE 0 END AS is_same
-- parameters: Straße | Strasse | Né | né
