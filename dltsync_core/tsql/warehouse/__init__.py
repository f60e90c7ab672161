"""Statements that change a SQL Server warehouse: tables, staging, publishing, markers, locks."""
