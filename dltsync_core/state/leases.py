"""Leases: a unit belongs to one run at a time, and every holder gets a higher number than the one before.

A lease lasts `seconds` beyond its last renewal; a thread renews it at a third of that. Whoever stops renewing (killed, paused,
cut off) loses it to the next who asks. The fence is what makes that safe: the loser may still be writing when it wakes up, but
lake, warehouse and ledger refuse a writer whose fence is below the one they have seen.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from dltsync_core import checkpoints
from dltsync_core.errors import Fenced, LeaseHeld, SyncError
from dltsync_core.identity import TableName
from dltsync_core.process import read_identity
from dltsync_core.state.lease_rows import (
    NO_HOLDER,
    Lease,
    OtherLease,
    Raced,
    end_lease,
    held_too_long,
    insert_row,
    lock_counter,
    parts_of,
    rows_of,
)
from dltsync_core.state.store import Store, store_time
from dltsync_core.state.tables import fences, leases, table_key, unit_key
from dltsync_core.waiting import Blocked, Wait

log = logging.getLogger("dltsync.state")

RENEWALS_PER_LEASE = 3
"""Two renewals may fail before a lease is lost."""

BEAT_AGAIN_SECONDS = 1.0
"""How soon a renewal that failed is tried again, at the most."""

POLL_SECONDS = 0.5
"""How often somebody who waits looks again."""

_ended_here: set[tuple[str, str, int]] = set()
"""Leases of this process that ended and could not be given back: unit key, holder, fence. Nobody writes under them any more, so
that another run of the same process need not wait until they expire."""


class _LeaseTaken(Blocked):
    """A unit is leased to another run."""

    def __init__(self, table: TableName, by: OtherLease) -> None:
        super().__init__(f"{table} {by.unit}", str(by))
        self.by = by


class Held:
    """A lease while it is held."""

    def __init__(self, owner: Leases, lease: Lease) -> None:
        self.lease = lease
        self.given_back = False
        """Set when the lease ended with the commit of its units (`Ledger.commit`)."""
        self._owner = owner
        self._renewed = time.monotonic()
        self._lost = False
        self._guard = threading.Lock()

    def check(self) -> None:
        """Raises Fenced when the lease is no longer ours. Asks the store only when the last renewal is too long ago to know."""
        late = time.monotonic() - self._renewed > self._owner.seconds * 2 / RENEWALS_PER_LEASE
        if late and not self._lost:
            self.renew()
        if self._lost:
            raise Fenced(
                f"{self.lease}: this run lost its lease while it stood still, and another run took over",
                remedy="nothing of this run was made visible after that; run again, it will see what the other run did",
                table=str(self.lease.table),
                unit=self.lease.units[0],
            )

    def renew(self, *, patient: bool = True) -> None:
        """Put the expiry off. Raises StateError when the store does not answer; a lost lease is remembered."""
        with self._guard:
            before = time.monotonic()  # also of a renewal that took several attempts: rather too early than too late
            if self._owner.renew(self.lease, patient=patient):
                self._renewed = before
            else:
                self._lost = True


class Leases:
    """The leases that one process takes of a pipeline's units. Thread-safe."""

    def __init__(self, store: Store, pipeline: str, *, holder: str, seconds: float) -> None:
        self.seconds = seconds
        self._store = store
        self._pipeline = pipeline
        self._holder = holder

    @contextmanager
    def held(
        self,
        table: TableName,
        units: Sequence[str],
        *,
        at_least: int,
        wait_seconds: float,
        on_wait: Callable[[str], None],
        raise_if_stopped: Callable[[], None],
    ) -> Iterator[Held]:
        """All the units, or none: waits for others and renews while the block runs.

        The fence is higher than `at_least` too: the highest that lake and warehouse have seen, so that a ledger that was lost
        hands out none twice. `raise_if_stopped` may raise to end the waiting. Raises LeaseHeld after `wait_seconds`, StateError.
        """
        held = Held(
            self, self._wait_for(table, tuple(sorted(set(units))), at_least, wait_seconds, on_wait, raise_if_stopped)
        )
        checkpoints.reached(checkpoints.LEASED)
        ended = threading.Event()
        heart = threading.Thread(target=self._beat, args=(held, ended), name="dltsync-lease", daemon=True)
        heart.start()
        try:
            yield held
        finally:
            ended.set()
            heart.join()
            if held.given_back:
                checkpoints.reached(checkpoints.LEASE_RELEASED)
            else:
                self._give_back(held.lease)

    def renew(self, lease: Lease, *, patient: bool = True) -> bool:
        """Whether the lease still is ours; it then lasts as long as a new one. Raises StateError."""

        def put_off(connection: sa.Connection) -> bool:
            lock_counter(connection, table_key(self._pipeline, lease.table))
            until = store_time(connection) + int(self.seconds * 1000)
            renewed = [
                connection.execute(sa.update(leases).where(*part).values(expires_at=until)).rowcount
                for part in rows_of(lease, self._pipeline)
            ]
            return sum(renewed) == len(lease.units)

        return self._store.write(put_off, patient=patient)

    def fences_in_force(self, table: TableName) -> frozenset[int]:
        """The fences of the table's leases that somebody holds now. Writes nothing. Raises StateError."""
        if not self._store.exists:
            return frozenset()
        return self._store.read(lambda connection: self._split(connection, table)[0])

    def end_abandoned(self, table: TableName, wanted: Collection[int]) -> frozenset[int]:
        """Those of these fences under which nobody can write any more. A lease that expired, or whose holder is gone, is ended
        first: a holder that wakes up after this finds that it lost its lease. Raises StateError."""

        def end(connection: sa.Connection) -> frozenset[int]:
            lock_counter(connection, table_key(self._pipeline, table))
            in_force, abandoned = self._split(connection, table)
            ended = [key for key, fence in abandoned.items() if fence in wanted and fence not in in_force]
            for part in parts_of(ended):
                gone = {"holder": NO_HOLDER, "expires_at": 0}
                connection.execute(sa.update(leases).where(leases.c.unit_key.in_(part)).values(**gone))
            return frozenset(wanted) - in_force

        while True:
            try:
                return self._store.write(end)
            except Raced:
                continue

    def _split(self, connection: sa.Connection, table: TableName) -> tuple[frozenset[int], dict[str, int]]:
        """The fences that are held, and those of leases that nobody gave back and nobody holds, by unit key."""
        now = store_time(connection)
        rows = connection.execute(
            sa.select(leases).where(
                leases.c.pipeline == self._pipeline,
                leases.c.schema_name == table.schema,
                leases.c.table_name == table.table,
                leases.c.holder != NO_HOLDER,
            )
        ).all()
        held = [row.expires_at > now and not _has_ended(row) for row in rows]
        return (
            frozenset(row.fence for row, is_held in zip(rows, held, strict=True) if is_held),
            {row.unit_key: row.fence for row, is_held in zip(rows, held, strict=True) if not is_held},
        )

    def _wait_for(
        self,
        table: TableName,
        units: tuple[str, ...],
        at_least: int,
        wait_seconds: float,
        on_wait: Callable[[str], None],
        raise_if_stopped: Callable[[], None],
    ) -> Lease:
        def take() -> Lease:
            raise_if_stopped()
            got = self._try(table, units, at_least)
            if isinstance(got, Lease):
                return got
            raise _LeaseTaken(table, got)

        def give_up(taken: _LeaseTaken) -> LeaseHeld:
            return held_too_long(table, taken.by, wait_seconds)

        return Wait(wait_seconds, on_wait=on_wait).until(take, _LeaseTaken, pause=POLL_SECONDS, give_up=give_up)

    def _try(self, table: TableName, units: tuple[str, ...], at_least: int) -> Lease | OtherLease:
        while True:
            try:
                # A lease that was taken by an attempt without an answer is our own: it is taken once more, with a higher fence.
                return self._store.write(lambda connection: self._take(connection, table, units, at_least))
            except Raced:
                continue

    def _take(
        self, connection: sa.Connection, table: TableName, units: tuple[str, ...], at_least: int
    ) -> Lease | OtherLease:
        counter = table_key(self._pipeline, table)
        highest = lock_counter(connection, counter)
        now = store_time(connection)
        keys = {unit_key(self._pipeline, table, unit): unit for unit in units}
        rows = {
            row.unit_key: row
            for part in parts_of(list(keys))
            for row in connection.execute(sa.select(leases).where(leases.c.unit_key.in_(part))).all()
        }
        for row in rows.values():
            if row.holder not in (NO_HOLDER, self._holder) and row.expires_at > now and not _has_ended(row):
                return OtherLease(keys[row.unit_key], row.holder, row.acquired_at, row.expires_at)
        fence, until = max(highest, at_least) + 1, now + int(self.seconds * 1000)
        connection.execute(sa.update(fences).where(fences.c.table_key == counter).values(fence=fence))
        for key, unit in keys.items():
            ours = {"holder": self._holder, "fence": fence, "acquired_at": now, "expires_at": until}
            if key in rows:
                connection.execute(sa.update(leases).where(leases.c.unit_key == key).values(**ours))
            else:
                named = {
                    "pipeline": self._pipeline,
                    "schema_name": table.schema,
                    "table_name": table.table,
                    "unit": unit,
                }
                insert_row(connection, leases, {"unit_key": key, **named, **ours})
        return Lease(table, units, self._holder, fence)

    def _beat(self, held: Held, ended: threading.Event) -> None:
        pause = usual = self.seconds / RENEWALS_PER_LEASE
        while not ended.wait(pause):
            try:
                held.renew(patient=False)  # who gives the lease back waits for this thread
            except SyncError as error:  # tried again soon; `check` finds out when that is too late
                if pause == usual:
                    log.warning("%s: the lease could not be renewed: %s", held.lease.table, error)
                pause = min(usual, BEAT_AGAIN_SECONDS)
            else:
                pause = usual

    def _give_back(self, lease: Lease) -> None:
        """Let others have the units at once. When that fails other processes wait until the lease expires, or this one ends."""

        def free(connection: sa.Connection) -> None:
            lock_counter(connection, table_key(self._pipeline, lease.table))
            end_lease(connection, lease, self._pipeline)

        try:
            self._store.write(free)
        except BaseException as error:  # also when the run is stopped while it waits for the store
            keys = (unit_key(self._pipeline, lease.table, unit) for unit in lease.units)
            _ended_here.update((key, lease.holder, lease.fence) for key in keys)
            if not isinstance(error, SyncError):
                raise
            log.warning("%s: the lease could not be given back, it expires by itself: %s", lease.table, error)
            return
        checkpoints.reached(checkpoints.LEASE_RELEASED)


def _has_ended(row: Any) -> bool:
    return (row.unit_key, row.holder, row.fence) in _ended_here or read_identity(row.holder).is_gone
