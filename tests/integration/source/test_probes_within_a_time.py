"""Probes of many tables within a given time: one that stalls delays no other and is cancelled at the server, and a server that is
down costs one connection."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from dltsync_core.config import PipelineConfig, StateConfig, StaticTableConfig
from dltsync_core.connect import circuit
from dltsync_core.connect.control import ControlSession
from dltsync_core.connect.data import DataSession
from dltsync_core.errors import CatalogError, ServerUnreachable, StatementTimeout
from dltsync_core.identity import WHOLE_TABLE, TableName
from dltsync_core.run.pipeline import IncrementalSQLServerParquetPipeline
from dltsync_core.run.planning import timed_probes
from dltsync_core.run.planning.timed_probes import TableProbes, TimedProbes
from sqlserver_sandbox.faults.plan import Fault, Stall, Where
from tests.integration.source.source_tables import SourceTables

NAMES = ("t", "a", "b", "c")


@contextmanager
def opened(
    tables: SourceTables, root: Path, names: tuple[str, ...] = NAMES, **database: Any
) -> Iterator[Callable[..., TimedProbes]]:
    """A pipeline over static tables of the schema; call it to probe them."""
    for name in ("a", "b", "c"):
        tables.table(name, "id int NOT NULL PRIMARY KEY")
        tables.run(f"INSERT INTO {{s}}.{name} VALUES (1), (2)")
    config = PipelineConfig(
        database=tables.database(**database),
        static_tables=[StaticTableConfig(table_name=name, schema_name=tables.schema) for name in names],
        state=StateConfig(state_directory=root / "state", parquet_directory=root / "lake"),
    )
    with IncrementalSQLServerParquetPipeline(config) as pipeline:

        def probe(seconds: float = 8, **options: Any) -> TimedProbes:
            return pipeline.probe_within([str(table.name) for table in config.tables], seconds, **options)

        yield probe


def outcomes(found: TimedProbes) -> dict[str, str]:
    return {
        name.table: type(one).__name__ if not isinstance(one, TableProbes) else str(one.probes[WHOLE_TABLE].rows)
        for name, one in found.tables.items()
    }


def running(tables: SourceTables) -> list[str]:
    """What sessions of dltsync do at the server."""
    rows = tables.connection.execute(
        "SELECT status FROM sys.dm_exec_sessions WHERE program_name LIKE N'dltsync%' AND is_user_process = 1"
    ).fetchall()
    return [status for (status,) in rows]


def test_a_table_that_stalls_is_cancelled_at_the_server_and_delays_no_other(
    faulty_tables: SourceTables, faults: Any, tmp_path: Path
) -> None:
    """The request for all four tables stalls too: it may take a quarter of the time, and then each is probed alone."""
    with opened(faulty_tables, tmp_path) as probe:
        assert outcomes(probe()) == {"t": "400", "a": "2", "b": "2", "c": "2"}
        faults.plan(Fault(Stall(), Where(table=r"\bb$", kind="select", times=None)))
        found = probe(4)
        assert outcomes(found) == {"t": "400", "a": "2", "b": "StatementTimeout", "c": "2"}
        assert "cancelled at the server" in str(found.tables[TableName(faulty_tables.schema, "b")])
        # The pipeline is still open, and its sessions with it: none of them has a statement under way.
        assert "running" not in running(faulty_tables)
        faults.clear()
        assert outcomes(probe()) == {"t": "400", "a": "2", "b": "2", "c": "2"}


def test_a_table_that_is_probed_alone_spoils_no_request_of_others(
    faulty_tables: SourceTables, faults: Any, tmp_path: Path
) -> None:
    with opened(faulty_tables, tmp_path) as probe:
        faults.plan(Fault(Stall(), Where(table=r"\bb$", kind="select", times=None)))
        found = probe(2.5, alone=[f"{faulty_tables.schema}.b"])
        assert outcomes(found) == {"t": "400", "a": "2", "b": "StatementTimeout", "c": "2"}
        (happened,) = faults.happened()
        assert "[b]" in happened.at
        assert "[a]" not in happened.at


def test_a_server_that_hears_no_cancel_keeps_nobody_waiting(
    faulty_tables: SourceTables, faults: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dltsync_core.connect.time_limit.CANCEL_SECONDS", 0.5)
    with opened(faulty_tables, tmp_path) as probe:
        faults.plan(Fault(Stall(deaf=True), Where(table=r"\bb$", kind="select", times=None)))
        found = probe(2.5, alone=[f"{faulty_tables.schema}.b"])
        faults.clear()
        assert outcomes(found) == {"t": "400", "a": "2", "b": "StatementTimeout", "c": "2"}


def test_what_does_not_fit_is_left_for_the_next_time(
    faulty_tables: SourceTables, faults: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one connection the first table takes all the time; the others were not reached, and are no errors."""
    monkeypatch.setattr(timed_probes, "MOST_WORKERS", 1)
    with opened(faulty_tables, tmp_path) as probe:
        faults.plan(Fault(Stall(), Where(table=r"\bt$", kind="select", times=None)))
        names = [f"{faulty_tables.schema}.{name}" for name in NAMES]
        assert outcomes(probe(2, alone=names)) == {"t": "StatementTimeout"}


def test_the_units_of_a_table_need_no_probe(faulty_tables: SourceTables, faults: Any, tmp_path: Path) -> None:
    with opened(faulty_tables, tmp_path) as probe:
        faults.plan(Fault(Stall(), Where(table=r"\bb$", kind="select", times=None)))
        found = probe(4, units_only=[f"{faulty_tables.schema}.b"])
        of_b = found.tables[TableName(faulty_tables.schema, "b")]
        assert isinstance(of_b, TableProbes)
        assert (of_b.units, of_b.probes) == ((WHOLE_TABLE,), {})
        assert faults.happened() == []


def test_a_table_that_is_not_there_hides_no_other(faulty_tables: SourceTables, tmp_path: Path) -> None:
    with opened(faulty_tables, tmp_path, names=("a", "gone", "b")) as probe:
        found = probe()
        assert isinstance(found.tables[TableName(faulty_tables.schema, "gone")], CatalogError)
        assert sorted(name.table for name, one in found.tables.items() if isinstance(one, TableProbes)) == ["a", "b"]


def test_the_catalogue_itself_ends_with_the_time(faulty_tables: SourceTables, faults: Any, tmp_path: Path) -> None:
    with opened(faulty_tables, tmp_path) as probe:
        faults.plan(Fault(Stall(), Where(pattern="sys.objects", times=None)))
        started = time.monotonic()
        with pytest.raises(StatementTimeout, match="catalogue"):
            probe(2)
        faults.clear()
        assert time.monotonic() - started < 60, "the limit is the given time, not the driver's"


def test_a_server_that_is_down_costs_one_connection(faulty_tables: SourceTables, tmp_path: Path) -> None:
    """Something takes the connections and breaks them off at once. Runs would try three times, after pauses."""
    tried: list[object] = []
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def accept() -> None:
            while True:
                try:
                    connection, address = listener.accept()
                except OSError:
                    return
                tried.append(address)
                connection.close()

        threading.Thread(target=accept, daemon=True).start()
        port = listener.getsockname()[1]
        with opened(faulty_tables, tmp_path, server="127.0.0.1", port=port) as probe:
            for times in (1, 2):
                with pytest.raises(ServerUnreachable):
                    probe()
                assert len(tried) == times
        listener.shutdown(socket.SHUT_RDWR)
    circuit._breakers.clear()


def test_the_requests_of_many_small_tables_are_those_of_a_few(
    faulty_tables: SourceTables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests grow with batches of a hundred tables, not with tables."""
    sent: list[str] = []
    for session, method in (
        (DataSession, "execute"),
        (DataSession, "fetch"),
        (DataSession, "fetch_each"),
        (ControlSession, "query"),
    ):
        original = getattr(session, method)

        def counted(self: Any, statement: str, *others: Any, original: Any = original, **named: Any) -> Any:
            sent.append(statement)
            return original(self, statement, *others, **named)

        monkeypatch.setattr(session, method, counted)
    names = tuple(f"n{number}" for number in range(24))
    for name in names:
        faulty_tables.table(name, "id int NOT NULL PRIMARY KEY")
    with opened(faulty_tables, tmp_path, names=(*NAMES, *names)) as probe:
        probe(20)
        sent.clear()
        assert len(outcomes(probe(20))) == len(NAMES) + len(names)
        many = len(sent)
        sent.clear()
        probe(20, units_only=[f"{faulty_tables.schema}.{name}" for name in names])
        assert len(sent) == many
