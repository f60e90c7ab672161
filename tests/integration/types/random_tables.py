"""Random tables: drawn whole, written to each of the three places, and read back from each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

from dltsync_core.duckdb.column_stats import arrow_reader
from tests.integration.types.random_columns import KINDS, Kind
from tests.support.type_tables import TypeTables

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Table:
    """Columns c0, c1 … and rows of drawn values."""

    kinds: tuple[Kind, ...]
    nullable: tuple[bool, ...]
    rows: tuple[Row, ...]

    @property
    def columns(self) -> str:
        return ", ".join(
            f"c{i} {kind.declared} {'NULL' if nullable else 'NOT NULL'}"
            for i, (kind, nullable) in enumerate(zip(self.kinds, self.nullable, strict=True))
        )

    @property
    def representations(self) -> dict[str, str]:
        return {f"c{i}": kind.representation for i, kind in enumerate(self.kinds) if kind.representation is not None}

    @property
    def kept(self) -> Counter[Row]:
        """The rows as DuckDB hands them over, with how often each is there."""
        return Counter(
            tuple(None if v is None else _told_apart(kind.kept(v)) for kind, v in zip(self.kinds, row, strict=True))
            for row in self.rows
        )

    @property
    def names(self) -> list[str]:
        return [f"c{i}" for i in range(len(self.kinds))]


def _told_apart(value: Any) -> Any:
    """Floats by their bits: 0.0 and -0.0 are equal to Python."""
    return value.hex() if isinstance(value, float) else value


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """One to eight columns; up to six rows, some of them several times."""
    kinds = tuple(draw(st.lists(KINDS, min_size=1, max_size=8)))
    nullable = tuple(draw(st.booleans()) for _ in kinds)
    cells = [st.none() | kind.values if null else kind.values for kind, null in zip(kinds, nullable, strict=True)]
    different = draw(st.lists(st.tuples(*cells), max_size=6))
    again = draw(st.lists(st.sampled_from(different), max_size=3)) if different else []
    return Table(kinds, nullable, _zeros_alike([*different, *again]))


def _zeros_alike(rows: Sequence[Row]) -> tuple[Row, ...]:
    """The zeros of a column of floats have one sign, that of the first: DuckDB keeps no two apart in its files (docs/types.md),
    where the warehouse has its tables, and the sandbox those of the source."""

    def alike(values: Sequence[Any]) -> list[Any]:
        zeros = [value for value in values if isinstance(value, float) and not value]
        return [zeros[0] if zeros and isinstance(value, float) and not value else value for value in values]

    return tuple(zip(*(alike(values) for values in zip(*rows, strict=True)), strict=True))


# -- what may happen to a table behind everybody's back ---------------------------------------------------------------

Change = Callable[[Table, st.DataObject], Sequence[Row] | None]


def _with_cell(rows: Sequence[Row], at: int, column: int, value: Any) -> list[Row]:
    row = rows[at]
    return [*rows[:at], (*row[:column], value, *row[column + 1 :]), *rows[at + 1 :]]


def _one_cell(wanted: Callable[[Kind, bool, Any], bool], other: Callable[[Kind, Any], Any]) -> Change:
    """A change of one cell that `wanted` picks out."""

    def change(table: Table, data: st.DataObject) -> Sequence[Row] | None:
        cells = [
            (at, column)
            for at, row in enumerate(table.rows)
            for column, (kind, null, value) in enumerate(zip(table.kinds, table.nullable, row, strict=True))
            if wanted(kind, null, value)
        ]
        if not cells:
            return None
        at, column = data.draw(st.sampled_from(cells))
        return _with_cell(table.rows, at, column, other(table.kinds[column], table.rows[at][column]))

    return change


def _swapped(table: Table, data: st.DataObject) -> Sequence[Row] | None:
    """Two rows exchange the values of one column."""
    if len(table.rows) < 2 or len(table.kinds) < 2:
        return None
    one, two = data.draw(st.permutations(range(len(table.rows))).map(lambda order: order[:2]))
    column = data.draw(st.sampled_from(range(len(table.kinds))))
    left, right = table.rows[one][column], table.rows[two][column]
    return _with_cell(_with_cell(table.rows, one, column, right), two, column, left)


def _empty(kind: Kind) -> Any:
    return "" if kind.is_text else b"" if kind.declared.startswith("varbinary") else None


CHANGES: dict[str, Change] = {
    "one bit or unit": _one_cell(lambda kind, null, value: value is not None, lambda kind, value: kind.near(value)),
    "two values swapped": _swapped,
    "a pair of rows doubled": lambda table, data: (*table.rows, table.rows[0], table.rows[0]) if table.rows else None,
    "one row gone, another twice": lambda table, data: (*table.rows[:-1], table.rows[0]) if table.rows else None,
    "a blank at the end": _one_cell(
        lambda kind, null, value: kind.is_text and value is not None and len(value) <= 14,
        lambda kind, value: f"{value} ",
    ),
    "NULL made empty": _one_cell(
        lambda kind, null, value: value is None and _empty(kind) is not None, lambda kind, value: _empty(kind)
    ),
    "a value made NULL": _one_cell(lambda kind, null, value: null and value is not None, lambda kind, value: None),
}


def changed(table: Table, data: st.DataObject) -> tuple[str, Table]:
    """The table after one change, and what was done to it: `nothing` when what was drawn would leave the same rows."""
    name = data.draw(st.sampled_from(list(CHANGES)))
    rows = CHANGES[name](table, data)
    after = table if rows is None else replace(table, rows=tuple(rows))
    return (name, after) if after.kept != table.kept else ("nothing", table)


# -- the three places -------------------------------------------------------------------------------------------------


class Places:
    """One table of a house in its three places. DuckDB and pyodbc only; none of the project's code."""

    def __init__(self, house: TypeTables, name: str, table: Table) -> None:
        self.house = house
        self.name = name
        self.table = table

    def create(self) -> None:
        self.house.create(self.name, self.table.columns, column_representation=self.table.representations)
        self.write_source(self.table)

    def write_source(self, table: Table) -> None:
        self.house.execute(f"DELETE FROM {{s}}.{self.name}")
        values = ", ".join(kind.placeholder for kind in table.kinds)
        for row in table.rows:
            sent = [None if v is None else kind.sent(v) for kind, v in zip(table.kinds, row, strict=True)]
            self.house.execute(f"INSERT INTO {{s}}.{self.name} VALUES ({values})", *sent)

    def write_warehouse(self, table: Table) -> None:
        with self._warehouse() as connection:
            where = f'warehouse."{self.name}"'
            connection.execute(f"DELETE FROM {where}")
            self._insert(connection, where, table)

    def lake_with(self, table: Table) -> pa.Table:
        """The lake's file, had it these rows: the same columns of the same types."""
        (file,) = self.house.lake_files(self.name)
        schema = pq.read_schema(file)
        with duckdb.connect(":memory:") as connection:
            connection.execute("SET TimeZone = 'UTC'")
            empty = pq.read_table(file).slice(0, 0)
            connection.register("like_file", empty)
            connection.execute("CREATE TABLE rows AS SELECT * FROM like_file")
            self._insert(connection, "rows", table)
            return arrow_reader(connection.sql("FROM rows"), 1_000).read_all().cast(schema)

    def found_in_lake(self) -> Counter[Row]:
        files = [str(file) for file in self.house.lake_files(self.name)]
        with duckdb.connect(":memory:") as connection:
            return self._found(connection, "read_parquet(?, hive_partitioning = false)", [files])

    def found_in_warehouse(self) -> Counter[Row]:
        with self._warehouse() as connection:
            return self._found(connection, f'warehouse."{self.name}"', [])

    def warehouse_rows(self) -> pa.Table:
        with self._warehouse() as connection:
            return arrow_reader(connection.sql(f'FROM warehouse."{self.name}"'), 1_000).read_all()

    def _found(self, connection: duckdb.DuckDBPyConnection, where: str, values: list[Any]) -> Counter[Row]:
        items = ", ".join(kind.shown.replace("{c}", f"c{i}") for i, kind in enumerate(self.table.kinds))
        rows = connection.execute(f"SELECT {items} FROM {where}", values).fetchall()
        return Counter(tuple(_told_apart(value) for value in row) for row in rows)

    def _insert(self, connection: duckdb.DuckDBPyConnection, where: str, table: Table) -> None:
        described = connection.execute(f"DESCRIBE {where}").fetchall()
        types = {row[0]: row[1] for row in described}
        values = ", ".join(f"CAST(? AS {types[name]})" for name in table.names)
        for row in table.rows:
            kept = [None if v is None else k.kept(v) for k, v in zip(table.kinds, row, strict=True)]
            connection.execute(f"INSERT INTO {where} ({', '.join(table.names)}) VALUES ({values})", kept)

    @contextmanager
    def _warehouse(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with closing(duckdb.connect(str(self.house.root / "house.duckdb"))) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            yield connection
