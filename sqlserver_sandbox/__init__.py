"""A loopback stand-in for SQL Server: the TDS protocol over DuckDB, for demonstrations and tests.

Start it with `python -m sqlserver_sandbox --data DIR --port N`. It serves a closed, documented list of T-SQL to the real
drivers and refuses everything else. It says nothing about SQL Server's locking, plans or speed.
"""
