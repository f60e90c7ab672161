"""The rows of leases in the ledger's store: what a lease is, and the statements that find, lock and verify it.

Each statement runs within a transaction of the caller's. `leases` decides who holds a unit and for how long.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from dltsync_core.clock import utc_from_epoch
from dltsync_core.display import number_of
from dltsync_core.errors import Fenced, LeaseHeld
from dltsync_core.identity import TableName
from dltsync_core.process import read_identity
from dltsync_core.state.tables import fences, leases, table_key, unit_key

KEYS_PER_STATEMENT = 1_000
"""Units that one statement names. A table cut into new partitions changes all of them together, and SQL Server takes 2,100
parameters."""

NO_HOLDER = ""
"""The holder of a lease that was given back."""

_SHOWN = 5


@dataclass(frozen=True)
class Lease:
    """The right to write some units of a table. `fence` is higher than every one handed out for the table before."""

    table: TableName
    units: tuple[str, ...]
    holder: str
    fence: int

    def __str__(self) -> str:
        """For a person: the table, and its units as far as they fit into a sentence."""
        more = f" and {len(self.units) - _SHOWN:,} more" if len(self.units) > _SHOWN else ""
        return f"{self.table} {', '.join(self.units[:_SHOWN])}{more}"


@dataclass(frozen=True)
class OtherLease:
    """Somebody else's lease that is in the way."""

    unit: str
    holder: str
    acquired_at: int
    expires_at: int

    def __str__(self) -> str:
        """For a person: which process, on which machine, since when."""
        return f"{read_identity(self.holder).for_people}, there since {_moment(self.acquired_at)}"


class Raced(Exception):
    """Another transaction inserted the same row first: this one is tried again."""


def verify_lease(connection: sa.Connection, lease: Lease, pipeline: str) -> None:
    """Within a transaction: the lease is ours and stays so until its end. Raises Fenced."""
    lock_counter(connection, table_key(pipeline, lease.table))
    held = [
        connection.execute(sa.select(sa.func.count()).select_from(leases).where(*part)).scalar_one()
        for part in rows_of(lease, pipeline)
    ]
    if sum(held) != len(lease.units):
        raise Fenced(
            f"{lease}: another run took over before this one could commit",
            remedy="nothing was committed; run again, it will see what the other run did",
            table=str(lease.table),
            unit=lease.units[0],
        )


def end_lease(connection: sa.Connection, lease: Lease, pipeline: str) -> None:
    """Within a transaction that locked the table's counter: let others have the units."""
    for part in rows_of(lease, pipeline):
        connection.execute(sa.update(leases).where(*part).values(holder=NO_HOLDER, expires_at=0))


def rows_of(lease: Lease, pipeline: str) -> Iterator[tuple[sa.ColumnElement[bool], ...]]:
    """Conditions that together find the lease's rows, as far as they still are the lease's."""
    for part in parts_of([unit_key(pipeline, lease.table, unit) for unit in lease.units]):
        yield leases.c.unit_key.in_(part), leases.c.holder == lease.holder, leases.c.fence == lease.fence


def parts_of(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    """As many keys at a time as one statement may name."""
    for start in range(0, len(keys), KEYS_PER_STATEMENT):
        yield keys[start : start + KEYS_PER_STATEMENT]


def lock_counter(connection: sa.Connection, key: str) -> int:
    """The highest fence handed out. Whatever takes, renews, checks or gives back a lease of the table comes through here
    first and holds the row until the transaction ends: they queue, so none sees another's half, and none waits crosswise."""
    same = sa.update(fences).where(fences.c.table_key == key).values(fence=fences.c.fence)
    if connection.execute(same).rowcount != 1:
        insert_row(connection, fences, {"table_key": key, "fence": 0})
    return int(connection.execute(sa.select(fences.c.fence).where(fences.c.table_key == key)).scalar_one())


def insert_row(connection: sa.Connection, table: sa.Table, values: dict[str, Any]) -> None:
    try:
        connection.execute(sa.insert(table).values(**values))
    except IntegrityError:
        raise Raced from None


def held_too_long(table: TableName, other: OtherLease, wait_seconds: float) -> LeaseHeld:
    """The error for a unit that another run did not give back in time."""
    return LeaseHeld(
        f"{table} {other.unit}: another run is at it ({other}), for longer than the "
        f"{number_of(wait_seconds, 'second')} we waited; its "
        f"lease runs until {_moment(other.expires_at)} unless it is renewed",
        remedy="let that run end, or raise state.lease_wait_seconds, and run again; if it hangs, end that process",
        table=str(table),
        unit=other.unit,
        holder=read_identity(other.holder).for_people,
        since=_moment(other.acquired_at),
    )


def _moment(milliseconds: int) -> str:
    try:
        return utc_from_epoch(milliseconds / 1000)
    except (ValueError, OverflowError):  # no moment we ever wrote
        return "?"
