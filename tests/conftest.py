"""What every test may use."""

from __future__ import annotations

import signal

import mssql_python
import pyodbc
import pytest
from hypothesis import settings

# Tests that several folders share are no test_*.py files: pytest rewrites their assertions only when asked to.
pytest.register_assert_rewrite("tests.support")

pytest_plugins = [
    "tests.support.garbage",
    "tests.support.temporary_files",
    "tests.support.work_units",
    "tests.support.processes",
    "tests.support.sandbox_server",
    "tests.support.db_url",
    "tests.support.fault_control",
    "tests.support.postgres_server",
    "tests.support.object_stores",
    "tests.support.crash_summary",
    "tests.support.page_summary",
    "tests.support.forks",
]

# A shell ignores Ctrl-C for what it starts in the background, and so would every process that a test starts and interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A pooled connection outlives its test and its server: a test would see what another one left.
pyodbc.pooling = False
mssql_python.pooling(enabled=False)

# A time limit per example fails on a machine that is busy with something else: speed is for benchmarks.
settings.register_profile("dltsync", deadline=None)
settings.load_profile("dltsync")
