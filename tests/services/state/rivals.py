"""Processes that want the same units of one ledger: `python -m tests.services.state.rivals`.

One order in (JSON on the first line of the input), one child process for each rival, what each of them did out as a list of JSON
objects. Forked, so that starting Python is paid for once. The rivals begin at the same moment, and believe nothing the ledger
says about exclusion: whoever works on a unit makes a file of its name that may not be there.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from dltsync_core import checkpoints
from dltsync_core.clock import utc_now
from dltsync_core.committed import CommitChange, CommittedUnit, LoadIdentity, Probe
from dltsync_core.errors import StateConflict
from dltsync_core.identity import TableName
from dltsync_core.process import this_process
from dltsync_core.state import leases as leases_module
from dltsync_core.state import server_store as server
from dltsync_core.state.leases import Leases
from dltsync_core.state.ledger import Ledger
from dltsync_core.state.ledger_retry import Patience
from dltsync_core.state.store import Store

TABLE = TableName("dbo", "Orders")


def committed_unit(unit: str, load_id: str = "l") -> CommittedUnit:
    probe = Probe("fingerprint", 1, "s", None)
    identity = LoadIdentity("p", "source", TABLE, "partition", unit, load_id, "r", "definition")
    return CommittedUnit(identity, 0, probe, 1, 1, "lake", utc_now())


def say(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


@contextmanager
def alone_with(directory: Path, units: Sequence[str]) -> Iterator[None]:
    """Raises FileExistsError when another process is at one of the units."""
    with ExitStack() as stack:
        for unit in units:
            path = directory / f"at-{unit}"
            os.close(os.open(path, os.O_CREAT | os.O_EXCL))
            stack.callback(path.unlink)
        yield


def commit_leased(order: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Lease a family, commit every unit of it from what is there; as often as ordered."""
    directory, dice = Path(order["directory"]), random.Random(number)
    leases_module.POLL_SECONDS = 0.01
    fences, commits = [], 0
    with Ledger(Store(directory, order["url"]), "p") as ledger:
        leases = Leases(ledger.store, "p", holder=str(this_process()), seconds=60)
        for _ in range(order["rounds"]):
            family = dice.choice(order["families"])
            with (
                leases.held(
                    TABLE, family, at_least=0, wait_seconds=120, on_wait=lambda _: None, raise_if_stopped=lambda: None
                ) as held,
                alone_with(directory, family),
            ):
                seen = ledger.committed_units(TABLE)
                held.check()
                changes = [
                    CommitChange(unit, seen.generation(unit), committed_unit(unit))
                    for unit in dice.sample(family, len(family))
                ]
                ledger.commit(TABLE, changes, lease=held.lease)
                fences.append(held.lease.fence)
                commits += len(family)
    return {"fences": fences, "commits": commits}


def commit_unleased(order: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Compare-and-set alone: the same units in another order each time, from what is there."""
    dice, won = random.Random(number), 0
    with Ledger(Store(Path(order["directory"]), order["url"]), "p") as ledger:
        for _ in range(order["rounds"]):
            seen = ledger.committed_units(TABLE)
            units = dice.sample(order["units"], len(order["units"]))
            try:
                ledger.commit(
                    TABLE, [CommitChange(u, seen.generation(u), committed_unit(u, f"{number}")) for u in units]
                )
            except StateConflict:
                continue
            won += 1
    return {"won": won}


def hold(order: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Hold a lease until a line comes, then check it, then commit: says how far it came."""
    ledger = Ledger(Store(Path(order["directory"]), order["url"]), "p")
    holder = str(this_process()) if order.get("machine") is None else f"{order['machine']}|b|n|1|1|x"
    leases = Leases(ledger.store, "p", holder=holder, seconds=order["seconds"])
    with leases.held(
        TABLE, ["all"], at_least=0, wait_seconds=0, on_wait=lambda _: None, raise_if_stopped=lambda: None
    ) as held:
        say(held=held.lease.fence, process=os.getpid())
        sys.stdin.readline()
        if not order.get("heedless"):
            held.check()
        ledger.commit(TABLE, [CommitChange("all", 0, committed_unit("all", "the first"))], lease=held.lease)
    return {"committed": True}


def stand_still_inside(order: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Stop in the middle of the transaction that commits, with the rows of the table's counter locked."""
    server.STANDSTILL_SECONDS = 1
    ledger = Ledger(Store(Path(order["directory"]), order["url"], patience=Patience(30)), "p")
    leases = Leases(ledger.store, "p", holder=str(this_process()), seconds=order["seconds"])
    with leases.held(
        TABLE, ["all"], at_least=0, wait_seconds=0, on_wait=lambda _: None, raise_if_stopped=lambda: None
    ) as held:
        stopped = threading.Event()

        def stop(moment: str) -> None:
            if moment == checkpoints.LEDGER_WRITING and not stopped.is_set():
                stopped.set()  # once: who wakes up tries again, and so does its heart
                say(held=held.lease.fence, process=os.getpid())
                os.kill(os.getpid(), signal.SIGSTOP)

        with checkpoints.watched(stop):
            ledger.commit(TABLE, [CommitChange("all", 0, committed_unit("all", "the first"))], lease=held.lease)
    return {"committed": True}


WORKS: Mapping[str, Callable[[Mapping[str, Any], int], dict[str, Any]]] = {
    work.__name__: work for work in (commit_leased, commit_unleased, hold, stand_still_inside)
}


def done(order: Mapping[str, Any], number: int) -> dict[str, Any]:
    try:
        return WORKS[order["work"]](order, number)
    except Exception as error:  # noqa: BLE001 -- told to the test, which asks for it
        return {"error": type(error).__name__, "text": str(error), "trace": traceback.format_exc()}


def main() -> None:
    order = json.loads(sys.stdin.readline())
    if order.get("rivals") is None:
        say(**done(order, 0))
        return
    start, files = time.time() + 0.2, []
    children = []
    for number in range(order["rivals"]):
        path = Path(order["directory"]) / f"rival-{number}.json"
        files.append(path)
        child = os.fork()
        if child == 0:
            time.sleep(max(0.0, start - time.time()))
            path.write_text(json.dumps(done(order, number)))
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)
    print(json.dumps([json.loads(path.read_text()) for path in files]))


# -- the test's side ----------------------------------------------------------------------------------------------------


def begin(**order: Any) -> subprocess.Popen[str]:
    """A process at that work; its input stays open."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.services.state.rivals"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps({**order, "directory": str(order["directory"])}) + "\n")
    process.stdin.flush()
    return process


def race(**order: Any) -> list[dict[str, Any]]:
    """What each of `rivals` processes did."""
    out, _ = begin(**order).communicate(timeout=240)
    told: list[dict[str, Any]] = json.loads(out)
    assert [one["trace"] for one in told if "error" in one] == []
    return told


if __name__ == "__main__":
    main()
