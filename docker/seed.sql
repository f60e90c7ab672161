-- A small shop for docker-compose.yml, and a login that may read it and nothing else. For sqlcmd, which fills in the password from the
-- variable DLT_SYNC_PASSWORD. It may be run again, and then changes the login's password only.
IF DB_ID(N'Shop') IS NULL CREATE DATABASE Shop
GO
ALTER DATABASE Shop SET ALLOW_SNAPSHOT_ISOLATION ON
GO
USE Shop
GO
IF SCHEMA_ID(N'sales') IS NULL EXEC(N'CREATE SCHEMA sales')
GO
IF NOT EXISTS (SELECT 1 FROM sys.partition_functions WHERE name = N'by_month')
    CREATE PARTITION FUNCTION by_month (date) AS RANGE RIGHT FOR VALUES ('2024-01-01', '2024-02-01', '2024-03-01', '2024-04-01')
GO
IF NOT EXISTS (SELECT 1 FROM sys.partition_schemes WHERE name = N'by_month')
    CREATE PARTITION SCHEME by_month AS PARTITION by_month ALL TO ([PRIMARY])
GO
IF OBJECT_ID(N'sales.Orders') IS NULL
    CREATE TABLE sales.Orders (OrderDate date NOT NULL, OrderNo int NOT NULL, CustomerNo int NOT NULL, Amount decimal(12,2) NOT NULL,
        CONSTRAINT pk_orders PRIMARY KEY (OrderDate, OrderNo)) ON by_month(OrderDate)
GO
IF OBJECT_ID(N'sales.Customers') IS NULL
    CREATE TABLE sales.Customers (CustomerNo int NOT NULL, EffectiveDate datetime2(3) NOT NULL, EndDate datetime2(3) NULL,
        IsLatest bit NOT NULL, Name nvarchar(40) NOT NULL, Country char(2) NOT NULL, LastModified datetime2(3) NOT NULL,
        CONSTRAINT pk_customers PRIMARY KEY (CustomerNo, EffectiveDate))
GO
IF OBJECT_ID(N'sales.Countries') IS NULL
    CREATE TABLE sales.Countries (Code char(2) NOT NULL CONSTRAINT pk_countries PRIMARY KEY, Name nvarchar(40) NOT NULL)
GO
IF NOT EXISTS (SELECT 1 FROM sales.Orders)
    INSERT INTO sales.Orders (OrderDate, OrderNo, CustomerNo, Amount)
    VALUES ('2024-01-05', 1, 1, 100.10), ('2024-01-31', 2, 2, 20.00), ('2024-02-01', 3, 1, 300.00), ('2024-03-30', 4, 2, 4.05)
GO
IF NOT EXISTS (SELECT 1 FROM sales.Customers)
    INSERT INTO sales.Customers (CustomerNo, EffectiveDate, EndDate, IsLatest, Name, Country, LastModified)
    VALUES (1, '2023-01-01', '2024-01-10', 0, N'Ann', 'CH', '2024-01-10'), (1, '2024-01-10', NULL, 1, N'Ann', 'JP', '2024-01-10'),
        (2, '2023-01-01', NULL, 1, N'Bob', 'CH', '2023-01-01')
GO
IF NOT EXISTS (SELECT 1 FROM sales.Countries)
    INSERT INTO sales.Countries (Code, Name) VALUES ('CH', N'Schweiz'), ('JP', N'Japan')
GO
IF SUSER_ID(N'dltsync_reader') IS NULL CREATE LOGIN dltsync_reader WITH PASSWORD = N'$(DLT_SYNC_PASSWORD)', DEFAULT_DATABASE = Shop
GO
ALTER LOGIN dltsync_reader WITH PASSWORD = N'$(DLT_SYNC_PASSWORD)'
GO
IF USER_ID(N'dltsync_reader') IS NULL CREATE USER dltsync_reader FOR LOGIN dltsync_reader
GO
GRANT SELECT ON SCHEMA::sales TO dltsync_reader
GO
GRANT VIEW DEFINITION TO dltsync_reader
GO
