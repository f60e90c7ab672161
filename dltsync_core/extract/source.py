"""The source database for the other rooms: check, facts, mapping, read views."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

from dltsync_core.catalog.facts import DatabaseFacts, ListedTable, TableFacts
from dltsync_core.catalog.reader import list_tables, read_database, read_tables
from dltsync_core.config import (
    DatabaseConfig,
    PartitionTableConfig,
    ProcessingConfig,
    RepresentationConfig,
    SCDTableConfig,
    TableConfig,
)
from dltsync_core.connect.control import ControlSession, open_control_session
from dltsync_core.connect.data import open_data_session
from dltsync_core.connect.pool import SessionPool
from dltsync_core.connect.retry import Budget, run_with_retries
from dltsync_core.errors import CatalogError, NotPartitioned, QueryError
from dltsync_core.extract.open_read_view import open_view
from dltsync_core.extract.read_view import ReadView
from dltsync_core.identity import TableName
from dltsync_core.tsql.collations import PAIRS_PER_STATEMENT, TextPair, compare_texts
from dltsync_core.typemap import TableMapping, map_columns
from dltsync_core.typemap.columns import find_column, needed_columns

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["ReadView", "SqlServerSource"]

T = TypeVar("T")

_CHANGE_TYPES = frozenset({"date", "smalldatetime", "datetime", "datetime2", "datetimeoffset", "rowversion"})


class SqlServerSource:
    """Access to one SQL Server database, for any number of threads. Inside `kept_open` connections are used again, one user at a
    time; elsewhere they are opened for each use and closed after it.

    Catalogue queries are retried after transient errors. A read view is one attempt: its rows are valid only
    within it, so its caller retries with a new one (`run.retry.with_retries`).
    """

    def __init__(
        self,
        database: DatabaseConfig,
        processing: ProcessingConfig,
        representation: RepresentationConfig | None = None,
    ) -> None:
        self.database = database
        self.processing = processing
        self._representation = representation or RepresentationConfig()
        self._budget = Budget(processing.retry_attempts, processing.retry_budget_seconds)
        self._control = SessionPool(lambda: open_control_session(self.database))
        self._data = SessionPool(lambda: open_data_session(self.database))

    @contextmanager
    def kept_open(self) -> Iterator[None]:
        """For the block connections stay open between uses. Blocks may overlap: with the last one all idle ones are closed."""
        with self._control.kept_open(), self._data.kept_open():
            yield

    def check(self) -> DatabaseFacts:
        """Log in and read the facts of the database. Raises LoginFailed, ServerUnreachable, CertificateNotTrusted,
        DriverMissing."""

        return self._ask(read_database)

    def read_tables(self, tables: Sequence[TableConfig]) -> dict[TableName, TableFacts]:
        """Facts of every table, keyed by the name in its config; `facts.name` is the catalogue's name.

        Raises TableNotFound and ColumnNotFound (with the nearest name), NotPartitioned, CatalogError, ConnectError.
        """

        def read(session: ControlSession) -> dict[TableName, TableFacts]:
            return read_tables(session, [table.name for table in tables], self.database.database)

        found = self._ask(read)
        for table in tables:
            check_against_catalogue(found[table.name], table)
        return found

    def list_tables(self, *, with_columns: bool = False) -> list[ListedTable]:
        """Every table of the database that this login may see. Raises ConnectError."""
        return self._ask(lambda session: list_tables(session, with_columns=with_columns))

    def read_facts(self, names: Sequence[TableName]) -> dict[TableName, TableFacts]:
        """Facts of tables that no config names yet, by the catalogue's names. Raises CatalogError, ConnectError."""
        return self._ask(lambda session: read_tables(session, names, self.database.database))

    def map_columns(self, facts: TableFacts, table: TableConfig) -> TableMapping:
        """The mapping of the table's columns (pure). Raises UnsupportedColumn, ColumnNotFound, ConfigError."""
        return map_columns(facts, table, self._representation)

    @contextmanager
    def read_view(self, *, ceiling: bool = False) -> Iterator[ReadView]:
        """A consistent view of the database on a connection of its own. One attempt. With `ceiling` it reads the lowest
        rowversion of open transactions first, which the probe of a table with a rowversion watermark needs."""
        with open_view(self._data, self.database, self.processing, ceiling=ceiling) as view:
            yield view

    def compare_texts(self, pairs: Sequence[TextPair]) -> dict[TextPair, bool]:
        """Whether the server takes the two texts of each pair for equal. Pairs that it refuses to compare are left out. Raises
        ConnectError, TransientQueryError."""

        def look(session: ControlSession) -> dict[TextPair, bool]:
            starts = range(0, len(pairs), PAIRS_PER_STATEMENT)
            found = [_compared(session, pairs[start : start + PAIRS_PER_STATEMENT]) for start in starts]
            return {pair: same for part in found for pair, same in part.items()}

        return self._ask(look)

    def close(self) -> None:
        """Close idle connections. The source can be used again."""
        self._control.close_idle()
        self._data.close_idle()

    def _ask(self, work: Callable[[ControlSession], T]) -> T:
        """What `work` returns on a control session, tried again while its failure may pass."""

        def attempt() -> T:
            session, found = self._control.take(work)
            self._control.give_back(session)
            return found

        return run_with_retries(attempt, self._budget)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _compared(session: ControlSession, pairs: Sequence[TextPair]) -> dict[TextPair, bool]:
    """The answers for one statement's pairs; when the server refuses it, for each half by itself."""
    statement = compare_texts(pairs)
    try:
        rows = session.query(statement.text, statement.parameters)
    except QueryError as error:
        if error.is_transient:
            raise
        if len(pairs) == 1:
            return {}
        half = len(pairs) // 2
        return _compared(session, pairs[:half]) | _compared(session, pairs[half:])
    return {pairs[row["pair"]]: bool(row["is_same"]) for row in rows}


def check_against_catalogue(facts: TableFacts, table: TableConfig) -> None:
    """Raises CatalogError and its subclasses when the table does not match its config."""
    if facts.has_row_filter and not table.accept_row_filter:
        raise CatalogError(
            f"{facts.name} has a row-level security filter: rows this login may not see are missing without an error",
            remedy="exempt the login in the security policy, or set accept_row_filter: true to load the rows that it sees",
            table=str(facts.name),
        )
    if facts.hides_row_filters and not table.accept_row_filter:
        raise CatalogError(
            f"{facts.name}: this login does not see security policies, and one that filters the table's rows would hide them "
            "without an error",
            remedy="an administrator runs GRANT VIEW DEFINITION TO the login's user, in the source's database; or set "
            "accept_row_filter: true to load the rows that the login sees",
            table=str(facts.name),
            missing_permission="VIEW DEFINITION",
        )
    for name, setting in needed_columns(facts, table):
        find_column(facts, name, setting)
    if isinstance(table, PartitionTableConfig):
        _check_partitioning(facts, table)
    elif isinstance(table, SCDTableConfig):
        _check_change_column(facts, table.last_modified_column)


def _check_partitioning(facts: TableFacts, table: PartitionTableConfig) -> None:
    if facts.partitioning is None:
        raise NotPartitioned(
            f"{facts.name} is configured under partition_tables, but it is not on a partition scheme",
            remedy="move it to static_tables or scd_tables, or partition it",
            table=str(facts.name),
        )
    if table.partition_column is not None:
        column = find_column(facts, table.partition_column, "partition_column")
        actual = facts.partitioning.column.name
        if column.name != actual:
            raise CatalogError(
                f"{facts.name} is partitioned by {actual}, not by {column.name}",
                remedy=f"set partition_column to {actual}, or leave it out",
                table=str(facts.name),
            )
    if table.last_modified_column is not None:
        _check_change_column(facts, table.last_modified_column)


def _check_change_column(facts: TableFacts, name: str) -> None:
    column = find_column(facts, name, "last_modified_column")
    if column.type_name not in _CHANGE_TYPES:
        raise CatalogError(
            f"{facts.name}: last_modified_column {column.name} is of type {column.type_name}",
            remedy="name a column of a date-and-time type or rowversion",
            table=str(facts.name),
        )
