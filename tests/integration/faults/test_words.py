"""One fault at a time: what a person reads while it lasts, and that the run gets past it when it passes."""

from __future__ import annotations

import pytest

from dltsync_core.errors import SyncError
from dltsync_core.run.result import RunResult
from sqlserver_sandbox.faults.plan import (
    BreakTls,
    Drip,
    Drop,
    Fail,
    Failover,
    Fault,
    Miscount,
    RefuseLogin,
    ResetAtAccept,
    Stall,
    Tear,
    Where,
)
from tests.integration.faults.checks import check, check_manifests, check_messages, one_run
from tests.integration.faults.schedule import ROWS_OF
from tests.integration.faults.world import World
from tests.support.fault_control import FaultControl

LOGINS = Where(times=None)
ROWS = Where(pattern=ROWS_OF, table="Countries", times=None)
ONCE = Where(pattern=ROWS_OF, table="Countries")
EDITED = ("UPDATE {s}.Countries SET Area = 1 WHERE Code = 'FR'",)


def only_countries(world: World) -> None:
    """Leave the other tables out: they would only cost time."""
    world.overrides = {"partition_tables": [], "scd_tables": []}


def met(
    world: World, faults: FaultControl, fault: Fault, *, attempts: int, alone: bool = True
) -> RunResult | SyncError:
    """One edited row, and a run that meets the fault."""
    world.begin(loaded=True)
    world.attempts = attempts
    if alone:
        only_countries(world)
    world.change(EDITED)
    faults.plan(fault)
    result = one_run(world, parallel=False)
    assert faults.clear(), "the fault was not met"
    if alone:
        check_messages(world, result)
        check_manifests(world)
    else:
        check(world, result)
    return result


def recovers(world: World) -> None:
    """The next run without faults brings everything over."""
    world.database.clear()
    result = one_run(world, parallel=False)
    assert isinstance(result, RunResult)
    assert result.success, result["errors"]
    world.assert_same(["Countries"])


# ---- before there is a session: the run ends before it begins -----------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "kind", "said"),
    [
        pytest.param(
            Fault(ResetAtAccept(), LOGINS),
            "ServerUnreachable",
            "127.0.0.1 accept",  # and closed it, or gave no answer: the driver tells one or the other
            marks=pytest.mark.survives(
                "network",
                "every connection reset as soon as it is made",
                "the server accepts the connection and answers no login, or closes it before: check the port, and the firewall",
                "nothing was written; the next run succeeds",
            ),
        ),
        pytest.param(
            Fault(BreakTls("garbage"), LOGINS),
            "ServerUnreachable",
            "wrong version number",
            marks=pytest.mark.survives(
                "network",
                "something that is not TLS answers in the handshake",
                "no connection, and the message of the TLS library",
                "nothing was written; the next run succeeds",
            ),
        ),
        pytest.param(
            Fault(BreakTls("close"), LOGINS),
            "ServerUnreachable",
            "TCP Provider",
            marks=pytest.mark.survives(
                "network",
                "connection closed in the middle of the TLS handshake",
                "no connection, and the driver's message",
                "nothing was written; the next run succeeds",
            ),
        ),
        pytest.param(
            Fault(RefuseLogin(40613), LOGINS),
            "ServerUnreachable",
            "does not take connections now",
            marks=pytest.mark.survives(
                "server",
                "login answered with 40613 (failover, database not available)",
                "the server does not take connections now: wait a little and run again",
                "nothing was written; the next run succeeds",
            ),
        ),
        pytest.param(
            Fault(RefuseLogin(), LOGINS),
            "LoginFailed",
            "check username, password",
            marks=pytest.mark.survives(
                "server",
                "login refused in the middle of operation (18456)",
                "login failed, at once: a wrong password is never tried again",
                "nothing was written; the next run succeeds",
            ),
        ),
    ],
)
def test_a_connection_that_cannot_be_made_is_told(
    fault: Fault, kind: str, said: str, world: World, faults: FaultControl
) -> None:
    result = met(world, faults, fault, attempts=1)
    assert isinstance(result, SyncError)
    assert (type(result).__name__, said in str(result)) == (kind, True), result
    recovers(world)


# ---- at the statement that brings rows: the unit fails, the others do not ------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "kind", "said"),
    [
        pytest.param(
            Fault(Fail(1205), ROWS),
            "TransientQueryError",
            "(error 1205)",
            marks=pytest.mark.survives(
                "server",
                "deadlock victim at every attempt to read (1205)",
                "the server's message with its number; a refusal for now: run again",
                "the unit as before, the others committed; the next run succeeds",
            ),
        ),
        pytest.param(
            Fault(Fail(1222, rows=1), ROWS),
            "TransientQueryError",
            "(error 1222)",
            marks=pytest.mark.survives(
                "server",
                "lock timeout among the rows (1222)",
                "the server's message with its number; a refusal for now: run again",
                "no half load; the next run succeeds",
            ),
        ),
        pytest.param(
            Fault(Fail(3961), ROWS),
            "TransientQueryError",
            "(error 3961)",
            marks=pytest.mark.survives(
                "server",
                "the table was altered under the snapshot (3961)",
                "the server's message with its number; a refusal for now: run again",
                "the unit as before; the next run succeeds",
            ),
        ),
        pytest.param(
            Fault(Fail(40501, rows=1), ROWS),
            "TransientQueryError",
            "(error 40501)",
            marks=pytest.mark.survives(
                "server",
                "throttled among the rows, the connection ended by the server (40501)",
                "the server's message with its number; a refusal for now: run again",
                "no half load; the next run succeeds",
            ),
        ),
        pytest.param(
            Fault(Drop(rows=2), ROWS),
            "ServerUnreachable",
            "the connection broke",
            marks=pytest.mark.survives(
                "network",
                "connection reset in the middle of the rows, at every attempt",
                "the connection broke, while reading which table: run again",
                "no half load; the next run succeeds",
            ),
        ),
        pytest.param(
            Fault(Failover(20), ROWS),
            "ServerUnreachable",
            "the connection broke",
            marks=pytest.mark.survives(
                "server",
                "failover in the middle of a run: all connections broken, logins refused",
                "the connection broke, while reading which table: run again",
                "committed units stay committed; the next run succeeds",
            ),
        ),
        pytest.param(
            Fault(Tear(-1), ROWS),
            "ExtractError",
            "the server counts 3 rows, 2 were received in the same snapshot",
            marks=pytest.mark.survives(
                "answers",
                "a row missing from the rows that come",
                "the server counts 3 rows, 2 were received in the same snapshot",
                "the unit as before; nothing of it was published",
            ),
        ),
        pytest.param(
            Fault(Tear(1), ROWS),
            "ExtractError",
            "the server counts 3 rows, 4 were received in the same snapshot",
            marks=pytest.mark.survives(
                "answers",
                "a row that comes twice",
                "the server counts 3 rows, 4 were received in the same snapshot",
                "the unit as before; nothing of it was published",
            ),
        ),
    ],
)
def test_a_fault_that_lasts_fails_its_unit_only(
    fault: Fault, kind: str, said: str, world: World, faults: FaultControl
) -> None:
    result = met(world, faults, fault, attempts=1, alone=not isinstance(fault.do, (Fail, Failover)))
    assert isinstance(result, RunResult)
    failed = {unit.table.table: unit for unit in result.failed}
    assert set(failed) == {"Countries"}
    unit = failed["Countries"]
    assert (unit.error_type, said in (unit.error or "")) == (kind, True), unit.error
    assert "->" in (unit.error or ""), "it says what to do"
    recovers(world)


@pytest.mark.survives(
    "network",
    "no row for longer than command_timeout, at every attempt",
    "cancelled after so many seconds (command_timeout): raise it",
    "the unit as before; the next run succeeds",
)
def test_a_silence_that_lasts_is_a_timeout(world: World, faults: FaultControl) -> None:
    world.begin(loaded=True)
    world.attempts = 1
    world.database["command_timeout"] = 1
    only_countries(world)
    world.change(EDITED)
    faults.plan(Fault(Stall(rows=1), ROWS))
    result = one_run(world, parallel=False)
    faults.clear()
    assert isinstance(result, RunResult)
    (unit,) = result.failed
    assert unit.error_type == "StatementTimeout"
    assert "command_timeout" in (unit.error or "")
    recovers(world)


# ---- what passes is not noticed but in the log ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(
            fault,
            marks=pytest.mark.survives(
                "server",
                "a transient error once: deadlock, conflict, throttling, failover, connection broken before, among or after rows",
                "a warning in the log, an event with attempt and pause, then the unit committed",
                "source, lake and warehouse equal row by row, within the same run",
            ),
        )
        if number == 0
        else fault
        for number, fault in enumerate(
            (
                Fault(Fail(1205), ONCE),
                Fault(Fail(3960, rows=1), ONCE),
                Fault(Fail(40501, rows=2), ONCE),
                Fault(Fail(40613), ONCE),
                Fault(Drop(), ONCE),
                Fault(Drop(rows=2), ONCE),
                Fault(Drop("after"), ONCE),
                Fault(Failover(1), ONCE),
                Fault(ResetAtAccept(), Where(times=1)),
                Fault(RefuseLogin(40613), Where(times=1)),
                Fault(Drop(), Where(kind="commit")),
            )
        )
    ],
    ids=lambda fault: type(fault.do).__name__,
)
def test_a_fault_that_passes_costs_an_attempt_and_nothing_else(
    fault: Fault, world: World, faults: FaultControl
) -> None:
    result = met(world, faults, fault, attempts=3)
    assert isinstance(result, RunResult), result
    assert result.success, result["errors"]
    world.assert_same(["Countries"])


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(
            Fault(Miscount(3), LOGINS),
            marks=pytest.mark.survives(
                "answers",
                "row counts in the catalogue that are wrong",
                "nothing: dltsync never uses them",
                "source, lake and warehouse equal row by row",
            ),
        ),
        pytest.param(
            Fault(Drip(20_000), Where(kind="select")),
            marks=pytest.mark.survives(
                "network",
                "answers that arrive slowly",
                "only a longer run",
                "source, lake and warehouse equal row by row",
            ),
        ),
        pytest.param(
            Fault(Stall(0.2, rows=1), ROWS),
            marks=pytest.mark.survives(
                "network",
                "a pause among the rows, shorter than command_timeout",
                "only a longer run",
                "source, lake and warehouse equal row by row",
            ),
        ),
    ],
    ids=lambda fault: type(fault.do).__name__,
)
def test_what_is_only_wrong_or_slow_beside_the_rows_does_no_harm(
    fault: Fault, world: World, faults: FaultControl
) -> None:
    result = met(world, faults, fault, attempts=1)
    assert isinstance(result, RunResult), result
    assert result.success, result["errors"]
    world.assert_same(["Countries"])
