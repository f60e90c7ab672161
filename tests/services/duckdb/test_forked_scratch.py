"""Scratch databases in a process that is forked."""

from __future__ import annotations

import subprocess
import sys


def test_a_process_that_is_forked_afterwards_works_and_ends() -> None:
    """It crashed at its end when it closed a database of its parent, whose threads it does not have."""
    program = """
import os, sys
from dltsync_core.config.memory_budget import DuckDbMemory
from dltsync_core.duckdb.scratch import scratch_database

def work():
    with scratch_database(DuckDbMemory(400, 4)) as connection:
        joined = connection.execute("SELECT count(*) FROM range(3000000) t(a) JOIN range(1000000) s(b) ON a = b")
        assert joined.fetchone() == (1000000,)

work()
child = os.fork()
work()
if child:
    raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
