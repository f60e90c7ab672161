"""What every test may use."""

from __future__ import annotations

import mssql_python
import pyodbc

pytest_plugins = [
    "tests.fixtures_sandbox",
    "tests.fixtures_faults",
    "tests.fixtures_postgres",
    "tests.fixtures_s3",
    "tests.crash_summary",
    "tests.integration.forks",
]

# A pooled connection outlives its test and its server: a test would see what another one left.
pyodbc.pooling = False
mssql_python.pooling(enabled=False)
