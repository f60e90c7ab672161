"""The warehouses under test. Another kind joins the matrix by being in `WAREHOUSES`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import duckdb

Row = tuple[Any, ...]
Rows = list[Row]


class WarehouseUnderTest(Protocol):
    """What the matrix needs of a warehouse. A place is a directory of a test's own, which is copied with what is in it."""

    name: str

    def destination(self, place: Path) -> dict[str, Any]:
        """The section `destination` of the config."""

    def copied(self, source: Path, place: Path) -> None:
        """The place was copied as a directory: bring along what does not lie in it."""

    def rows(self, place: Path, table: str, columns: Sequence[str]) -> Rows:
        """All rows of a target table, read without the project; none when it does not exist."""

    def leftovers(self, place: Path) -> list[str]:
        """What a load left behind that is no table of the user's nor a record of loads: empty when all is tidy."""

    def lose(self, place: Path) -> None:
        """Somebody removes the warehouse."""

    def forget(self, place: Path) -> None:
        """The place goes away: remove what does not lie in it."""


class DuckDb:
    """A file in the place."""

    name = "duckdb"

    def destination(self, place: Path) -> dict[str, Any]:
        return {"path": str(place / "house.duckdb")}

    def copied(self, source: Path, place: Path) -> None:
        """The file was copied with its directory."""

    def rows(self, place: Path, table: str, columns: Sequence[str]) -> Rows:
        path = place / "house.duckdb"
        if not path.exists():
            return []
        with duckdb.connect(str(path), read_only=True) as connection:
            found = connection.execute(
                "SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'warehouse' AND table_name = ?", [table]
            ).fetchone()
            if found == (0,):
                return []
            return named(connection.execute(f'SELECT * FROM warehouse."{table}"'), columns)

    def leftovers(self, place: Path) -> list[str]:
        with duckdb.connect(str(place / "house.duckdb"), read_only=True) as connection:
            schemas = connection.execute("SELECT schema_name FROM duckdb_schemas() WHERE NOT internal").fetchall()
        known = {"main", "warehouse", "_dltsync"}
        work = place / "state" / "work"
        return [f"schema {name}" for (name,) in schemas if name not in known] + [
            f"work {path.name}" for path in (sorted(work.iterdir()) if work.exists() else [])
        ]

    def lose(self, place: Path) -> None:
        for path in place.glob("house.duckdb*"):
            path.unlink()

    def forget(self, place: Path) -> None:
        """Nothing lies elsewhere."""


WAREHOUSES: tuple[WarehouseUnderTest, ...] = (DuckDb(),)


def named(result: duckdb.DuckDBPyConnection, columns: Sequence[str]) -> Rows:
    """Rows with these columns in this order, sorted; a column that is not there (yet) reads as NULL. Moments become text."""
    at = {str(column[0]): number for number, column in enumerate(result.description or ())}
    return plain([tuple(row[at[c]] if c in at else None for c in columns) for row in result.fetchall()])


def plain(rows: Sequence[Row]) -> Rows:
    def value(v: Any) -> Any:
        return v.isoformat(timespec="microseconds") if isinstance(v, datetime) else v

    return sorted((tuple(value(v) for v in row) for row in rows), key=repr)
