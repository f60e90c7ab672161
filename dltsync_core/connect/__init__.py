"""Connections to SQL Server: connection strings, control and data sessions, translated errors, retries."""
