"""A load is cut off at every statement that it sends, one after the other: the connection breaks before the statement, or the
process is killed while the server is at it. Each time the target has the old rows or the new ones, its keys, indexes and
constraints are as they were, and the load can be repeated.

The statements are counted, not chosen: the fault is set before the first, the second and so on, until a load meets none. Before a
statement is after the one before it: what follows COMMIT in its batch stands for an answer that was lost.
"""

from __future__ import annotations

import os
import signal
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypedDict

import pyodbc
import pytest

from dltsync_core.errors import SyncError
from dltsync_core.plan.steps import Disposition, MergeKeys, ReplaceTable
from dltsync_core.warehouse.port import LoadRequest
from dltsync_core.warehouse.sqlserver.ladder import LadderSettings
from sqlserver_sandbox.faults.plan import Drop, Fault, Stall, Where
from tests.services.warehouse.sqlserver.loads import PARTED, TARGET, UNITS, loaded_by, orders, part, request, rows
from tests.support.fault_control import FaultControl
from tests.support.forks import Forks
from tests.support.sandbox_server import SandboxServer
from tests.support.sqlserver_shop import drop_database
from tests.support.sqlserver_warehouse import SandboxWarehouse, sandbox_warehouse

pytestmark = [pytest.mark.xdist_group("forks"), pytest.mark.timeout(1800)]

PUBLISHING = r"BEGIN TRANSACTION;|\ATRUNCATE TABLE"
"""In the text of the batch that publishes, and of the batch within it that empties partitions."""
OTHERS = r"\A(?!TRUNCATE TABLE)(?![\s\S]*BEGIN TRANSACTION;)"
"""Every other batch."""
OLD_BY_UNIT: Mapping[str, dict[int, str | None]] = dict(
    zip(UNITS, ({1: "old", 2: "old"}, {11: "old"}, {21: "old"}), strict=True)
)
OLD = {number: note for one in OLD_BY_UNIT.values() for number, note in one.items()}
MOST = 500


@dataclass(frozen=True)
class Way:
    """A load by one way. `units` are its loads by unit, with the rows of each; `makes` are statements after which the target
    has what stands against better ways. `settled` says what follows a load whose replaced rows stay."""

    method: str
    units: Mapping[str, tuple[Disposition, dict[int, str | None]]]
    new: dict[int, str | None]
    makes: Sequence[str] = ()
    ladder: LadderSettings = field(default_factory=LadderSettings)
    settled: Literal["", "confirmed", "undone"] = ""


ALIGNED = "CREATE INDEX ix ON sales.Orders (No) INCLUDE (Note)"
CHECKED = "ALTER TABLE sales.Orders WITH CHECK ADD CONSTRAINT ck CHECK (No > 0)"
UNALIGNED = "CREATE UNIQUE INDEX ux ON sales.Orders (No) ON [PRIMARY]"
UNVERSIONED = "ALTER DATABASE CURRENT SET READ_COMMITTED_SNAPSHOT OFF"
FIRST: Mapping[str, tuple[Disposition, dict[int, str | None]]] = {UNITS[0]: (part(UNITS[0]), {1: "new", 3: "new"})}
IN_PART: dict[int, str | None] = {1: "new", 3: "new", 11: "old", 21: "old"}
WHOLE: dict[int, str | None] = {1: "new", 12: "new"}

SWITCHED = Way(
    "switch",
    {UNITS[0]: (part(UNITS[0]), {1: "new", 3: "new"}), UNITS[1]: (part(UNITS[1]), {})},
    {1: "new", 3: "new", 21: "old"},
    [ALIGNED],
)
WAYS = {
    "two partitions are switched": SWITCHED,
    "two partitions are switched and confirmed": replace(SWITCHED, settled="confirmed"),
    "two partitions are switched and back": replace(SWITCHED, settled="undone"),
    "a table is switched and confirmed": Way(
        "switch", {"all": (ReplaceTable(), WHOLE)}, WHOLE, [ALIGNED], settled="confirmed"
    ),
    "a table is switched": Way("switch", {"all": (ReplaceTable(), WHOLE)}, WHOLE, [ALIGNED]),
    "rows are deleted and inserted": Way("delete and insert", FIRST, IN_PART, [ALIGNED, CHECKED, UNALIGNED]),
    "partitions are truncated": Way(
        "truncate and insert", FIRST, IN_PART, [ALIGNED, UNVERSIONED], LadderSettings(switching=False)
    ),
    "rows are merged": Way(
        "update and insert",
        {"all": (MergeKeys(("No",)), {2: "new", 30: "new"})},
        {**OLD, 2: "new", 30: "new"},
        [ALIGNED, CHECKED],
    ),
}


class Cut(TypedDict):
    """What a process is to load where, and at which of its statements it is killed."""

    root: str
    port: int
    database: str
    way: str
    statement: int
    publishing: bool


@pytest.fixture
def before(faulty_sandbox: SandboxServer, faults: FaultControl, tmp_path: Path) -> Iterator[SandboxWarehouse]:
    """A target with rows in each of three partitions."""
    with sandbox_warehouse(faulty_sandbox, tmp_path) as house:
        house.warehouse.load_group(
            [request(house, orders(old), part(unit), layout=PARTED, unit=unit) for unit, old in OLD_BY_UNIT.items()]
        )
        yield house


@contextmanager
def copied(before: SandboxWarehouse, way: Way) -> Iterator[SandboxWarehouse]:
    """The same target in a database that goes away."""
    name = f"wh_{uuid.uuid4().hex[:8]}"
    before.query(f"EXEC sandbox_copy N'{name}'")
    yield SandboxWarehouse(before.server, before.root, name, ladder=way.ladder, pause=lambda seconds: None)
    with closing(pyodbc.connect(before.server.odbc(), autocommit=True)) as connection:
        drop_database(connection, name)


def loads(house: SandboxWarehouse, way: Way, fence: int) -> list[LoadRequest]:
    kept = way.settled != ""
    return [
        request(house, orders(rows), how, layout=PARTED, unit=unit, fence=fence, can_be_undone=kept)
        for unit, (how, rows) in way.units.items()
    ]


def load_and_settle(
    house: SandboxWarehouse, loading: Sequence[LoadRequest], settled: Literal["", "confirmed", "undone"]
) -> list[str | None]:
    """All loads, and what follows them. Returns how they entered."""
    methods = [loaded.method for loaded in house.warehouse.load_group(loading)]
    by_unit = {one.marker.unit: one.load_id for one in loading if one.marker is not None}
    if settled == "confirmed":
        house.warehouse.confirm(TARGET, "p", by_unit)
    elif settled == "undone":
        house.warehouse.undo(TARGET, "p", by_unit)
    return methods


def as_rows(state: Mapping[int, str | None]) -> list[tuple[Any, ...]]:
    return sorted(state.items())


def states(way: Way) -> list[tuple[list[tuple[Any, ...]], set[str]]]:
    """What the target may have after a load that was cut off: its rows, and the units that are new. Loads enter in one
    transaction, and are undone in one for each unit."""
    found = [(as_rows(OLD), set[str]()), (as_rows(way.new), set(way.units))]
    if way.settled == "undone":
        for unit, (_, rows_of_unit) in way.units.items():
            others = {
                number: note for other in OLD_BY_UNIT if other != unit for number, note in OLD_BY_UNIT[other].items()
            }
            found.append((as_rows({**others, **rows_of_unit}), {unit}))
    return found


def catalogue(house: SandboxWarehouse) -> list[tuple[Any, ...]]:
    """What the target has beside its rows: indexes and whether they are enabled, checks and whether they are trusted, the
    partitions, and the tables of the schema."""
    return [
        *house.query(
            "SELECT t.name, i.name, i.type_desc, i.is_unique, i.is_primary_key, i.is_disabled, COUNT(*) FROM sys.indexes AS i "
            "JOIN sys.tables AS t ON t.object_id = i.object_id JOIN sys.partitions AS p ON p.object_id = i.object_id AND "
            "p.index_id = i.index_id WHERE SCHEMA_NAME(t.schema_id) = N'sales' "
            "GROUP BY t.name, i.name, i.type_desc, i.is_unique, i.is_primary_key, i.is_disabled ORDER BY 1, 2"
        ),
        *house.query("SELECT name, is_disabled, is_not_trusted FROM sys.check_constraints ORDER BY name"),
    ]


def checked(
    house: SandboxWarehouse, way: Way, *, done: bool, started: Mapping[str, str], loading: Sequence[LoadRequest]
) -> list[str]:
    """After a load that was cut off: old rows under old markers or new ones under new. Problems as sentences."""
    seen, markers = rows(house), loaded_by(house)
    if done and way.settled == "undone":
        return [] if (seen, markers) == (as_rows(OLD), started) else [f"not undone: {seen}, with the markers {markers}"]
    new = {one.marker.unit: one.load_id for one in loading if one.marker is not None}
    for state, units in states(way):
        if seen == state and markers == {**started, **{unit: new[unit] for unit in units}}:
            return ["the load ended well, and the old rows are there"] if done and not units else []
    return [f"neither old nor new: {seen}, with the markers {markers}"]


def cleanup(house: SandboxWarehouse) -> None:
    """As each run does at its end: the connection may have broken before staging was dropped. What a session holds that broke
    is left alone until the server has ended it, a moment later."""
    for _ in range(100):
        house.warehouse.cleanup()
        if not house.staging():
            return
        time.sleep(0.1)


def finished(house: SandboxWarehouse, way: Way, was: list[tuple[Any, ...]], *, repeated: bool) -> list[str]:
    """After the load, or the next run's: problems as sentences."""
    again: Literal["", "confirmed"] = "confirmed" if way.settled else ""
    methods: list[str | None] = []
    if repeated or way.settled == "undone":
        methods = load_and_settle(house, loads(house, way, 3), again)
    else:
        cleanup(house)
    problems = [] if rows(house) == as_rows(way.new) else [f"at the end the target has {rows(house)}"]
    problems += [f"left in staging: {house.staging()}"] if house.staging() else []
    problems += [] if catalogue(house) == was else [f"the target has {catalogue(house)} instead of {was}"]
    return problems + [f"entered by {method}" for method in methods if method != way.method]


def made(before: SandboxWarehouse, way: Way) -> list[tuple[Any, ...]]:
    """Give the target what its way needs. Returns its catalogue."""
    for statement in way.makes:
        before.query(statement)
    return catalogue(before)


def statements(publishing: bool) -> str:
    return PUBLISHING if publishing else OTHERS


every_way = pytest.mark.parametrize(
    ("name", "publishing"),
    [
        pytest.param(
            name,
            publishing,
            id=f"{name}, {'statements of the publication' if publishing else 'other statements'}",
            marks=pytest.mark.slow if publishing and name == next(iter(WAYS)) else pytest.mark.exhaustive,
        )
        for name in WAYS
        for publishing in (True, False)
    ],
)
"""`make test-slow` goes through the publication of one way, `make test-crash` through everything."""


@pytest.fixture(scope="module")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """With this module in memory: each statement costs a process, and its imports would cost more than its load."""
    made = Forks(tmp_path_factory.mktemp("forks"), [__name__])
    try:
        yield made
    finally:
        made.close()


@pytest.mark.survives(
    "warehouse",
    "the connection to a SQL Server warehouse breaks before each statement of a load that switches, deletes, truncates or "
    "merges, of its confirmation and of its undoing",
    "the load begins again on another connection; a publication is sent again, or found committed; the confirmation "
    "goes on",
    "the new rows under the new marker, within the same run; indexes and constraints as before; nothing is left in staging",
)
@every_way
def test_a_connection_that_breaks_at_any_statement_costs_nothing(
    before: SandboxWarehouse, faults: FaultControl, name: str, publishing: bool
) -> None:
    way = WAYS[name]
    was, started = made(before, way), loaded_by(before)
    problems: list[str] = []
    for number in range(MOST):
        with copied(before, way) as house:
            loading, done = loads(house, way, 2), True
            faults.plan(Fault(Drop(), Where(database=house.database, pattern=statements(publishing), skip=number)))
            try:
                load_and_settle(house, loading, way.settled)
            except SyncError:
                done = False
            at = [f"{one.at[:60]}" for one in faults.happened()]
            faults.clear()
            problems += [
                f"statement {number} ({at}): {problem}"
                for problem in [
                    *checked(house, way, done=done, started=started, loading=loading),
                    *finished(house, way, was, repeated=not done),
                ]
            ]
            if not done and (publishing or way.settled != "undone"):
                # A load that is not undone is undone by the next one, as `finished` sees.
                problems.append(f"statement {number} ({at}): the load did not get over a connection that broke once")
            if not at:
                break
    assert number > (10 if publishing else 40), "the faults were not met"
    assert not problems, "\n".join(problems)


def load_and_be_killed(cut: Cut) -> None:
    """The work of a fork: the server stalls at a statement, and this process is killed as soon as it does."""
    server = SandboxServer(Path(cut["root"]))
    server.port = cut["port"]
    way = WAYS[cut["way"]]
    house = SandboxWarehouse(server, Path(cut["root"]), cut["database"], ladder=way.ladder)
    control = FaultControl(server)
    where = Where(database=cut["database"], pattern=statements(cut["publishing"]), skip=cut["statement"])
    control.plan(Fault(Stall(), where))

    def watch() -> None:
        while not control.happened():
            time.sleep(0.05)  # each look is work for the server, too
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()
    load_and_settle(house, loads(house, way, 2), way.settled)


@pytest.mark.survives(
    "crash",
    "kill -9 of a load into a SQL Server warehouse that switches, deletes, truncates or merges, at each of its statements, "
    "and of those of its confirmation and its undoing",
    "the next run loads the unit again",
    "old rows or new ones, never both; then the new ones; indexes and constraints as before; nothing is left in staging",
)
@every_way
def test_a_process_killed_at_any_statement_is_made_good_by_the_next_load(
    before: SandboxWarehouse, faults: FaultControl, forks: Forks, name: str, publishing: bool
) -> None:
    way = WAYS[name]
    was = made(before, way)
    problems: list[str] = []
    for number in range(MOST):
        with copied(before, way) as house:
            cut = Cut(
                root=str(house.root),
                port=house.server.port,
                database=house.database,
                way=name,
                statement=number,
                publishing=publishing,
            )
            ended = forks.run(f"{__name__}:load_and_be_killed", cut)
            faults.clear()
            assert ended.status in {0, -signal.SIGKILL}, ended.stderr
            seen = rows(house)
            if seen not in [state for state, _ in states(way)]:
                problems.append(f"statement {number}: neither old nor new: {seen}")
            problems += [f"statement {number}: {problem}" for problem in finished(house, way, was, repeated=True)]
            if ended.status == 0:
                break
    assert number > (10 if publishing else 40), "the process was not killed"
    assert not problems, "\n".join(problems)
