"""A SQL Server database as the warehouse: bulk copy into staging, then one transaction that switches the rows in."""
