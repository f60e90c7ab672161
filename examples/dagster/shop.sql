-- The tables of the example: orders by month, customers as versions, countries as reference data.
CREATE SCHEMA sales
GO
CREATE PARTITION FUNCTION by_month (date) AS RANGE RIGHT FOR VALUES ('2024-01-01', '2024-02-01', '2024-03-01', '2024-04-01')
GO
CREATE PARTITION SCHEME by_month AS PARTITION by_month ALL TO ([PRIMARY])
GO
CREATE TABLE sales.Orders (OrderDate date NOT NULL, OrderNo int NOT NULL, CustomerNo int NOT NULL, Amount decimal(12,2) NOT NULL,
    CONSTRAINT pk_orders PRIMARY KEY (OrderDate, OrderNo)) ON by_month(OrderDate)
GO
CREATE TABLE sales.Customers (CustomerNo int NOT NULL, EffectiveDate datetime2(3) NOT NULL, EndDate datetime2(3) NULL, IsLatest bit NOT NULL,
    Name nvarchar(40) NOT NULL, Country char(2) NOT NULL, LastModified datetime2(3) NOT NULL,
    CONSTRAINT pk_customers PRIMARY KEY (CustomerNo, EffectiveDate))
GO
CREATE TABLE sales.Countries (Code char(2) NOT NULL CONSTRAINT pk_countries PRIMARY KEY, Name nvarchar(40) NOT NULL)
GO
INSERT INTO sales.Orders VALUES ('2024-01-05', 1, 1, 100.10), ('2024-01-31', 2, 2, 20.00), ('2024-02-01', 3, 1, 300.00),
    ('2024-03-30', 4, 2, 4.05)
GO
INSERT INTO sales.Customers VALUES (1, '2023-01-01', '2024-01-10', 0, N'Ann', 'CH', '2024-01-10'),
    (1, '2024-01-10', NULL, 1, N'Ann', 'JP', '2024-01-10'), (2, '2023-01-01', NULL, 1, N'Bob', 'CH', '2023-01-01')
GO
INSERT INTO sales.Countries VALUES ('CH', N'Schweiz'), ('JP', N'日本')
