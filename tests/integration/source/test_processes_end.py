"""A process whose reader is caught in the driver ends like any other: soon, and with the status it chose."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

from sqlserver_sandbox.faults.plan import Fault, Stall
from tests.integration.source.caught_reader import ENDED_AS_IT_SHOULD
from tests.integration.source.faulty_tables import AT_ROWS
from tests.integration.source.source_tables import SourceTables
from tests.support.fault_control import FaultControl

STALL_SECONDS = 50.0
ENDS_WITHIN = 40.0
"""Of a busy machine. Starting Python and giving up the reader take some seconds."""


@pytest.mark.parametrize(
    ("interrupts", "stop_within", "ends_as"),
    [
        pytest.param(
            0,
            0.3,
            "StatementTimeout",
            id="the run is over",
            marks=pytest.mark.survives(
                "network",
                "the server stalls and ignores a cancel until after the run is over",
                "the process ends at once, with its own exit status",
                "no hanging process, no crash at its end",
            ),
        ),
        pytest.param(1, 1.0, "KeyboardInterrupt", id="Ctrl-C", marks=pytest.mark.slow),
        pytest.param(
            2,
            30.0,
            "KeyboardInterrupt",
            id="Ctrl-C twice",
            marks=pytest.mark.survives(
                "crash",
                "Ctrl-C twice while the server stalls and ignores a cancel",
                "the second one ends the wait for the driver",
                "the process ends as interrupted; no memory is freed while the driver uses it",
            ),
        ),
    ],
)
def test_a_process_ends_although_its_reader_is_caught_in_the_driver(
    faults: FaultControl, faulty_tables: SourceTables, interrupts: int, stop_within: float, ends_as: str
) -> None:
    """It crashed (the connection was closed under the fetch) or hung until the server came to, and was aborted then."""
    server = faulty_tables.server
    about = {
        "host": server.host,
        "port": server.port,
        "database": server.database,
        "username": server.username,
        "password": server.password,
        "schema": faulty_tables.schema,
        "interrupts": interrupts,
        "stop_within": stop_within,
    }
    faults.plan(Fault(Stall(seconds=STALL_SECONDS, deaf=True, rows=100), AT_ROWS))
    started = time.monotonic()
    command = [sys.executable, "-m", "tests.integration.source.caught_reader", json.dumps(about)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    took = time.monotonic() - started
    seen = f"after {took:.1f} seconds; {faults.happened()}; {ended.stderr}"
    assert (ended.returncode, ended.stdout.strip()) == (ENDED_AS_IT_SHOULD, ends_as), seen
    assert took < ENDS_WITHIN, seen
