"""What every test may use."""

from __future__ import annotations

import signal

import mssql_python
import pyodbc
from hypothesis import settings

pytest_plugins = [
    "tests.fixtures_sandbox",
    "tests.fixtures_faults",
    "tests.fixtures_postgres",
    "tests.fixtures_stores",
    "tests.crash_summary",
    "tests.integration.forks",
]

# A shell ignores Ctrl-C for what it starts in the background, and so would every process that a test starts and interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A pooled connection outlives its test and its server: a test would see what another one left.
pyodbc.pooling = False
mssql_python.pooling(enabled=False)

# A time limit per example fails on a machine that is busy with something else: speed is for benchmarks.
settings.register_profile("dltsync", deadline=None)
settings.load_profile("dltsync")
