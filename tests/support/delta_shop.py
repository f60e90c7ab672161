"""Two shops at the source, loaded into Delta tables: two tables of each kind, read by delta-rs and DuckDB alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dltsync_core.identity import identifier_part
from tests.support.delta_tables import delta_query, delta_root, deltalake, table_at
from tests.support.postgres_shop import PostgresShops
from tests.support.server_shop import COLUMNS, Server, made_shop, plain_rows


class DeltaShops(PostgresShops):
    """One pipeline over both shops. Delta counts microseconds, as PostgreSQL does: seven digits go as text."""

    def values(self, **sections: Any) -> dict[str, Any]:
        destination = {
            "type": "dlt",
            "destination": "filesystem",
            "table_format": "delta",
            "bucket_url": str(delta_root(self.root)),
        }
        return super().values(**{"destination": destination, **sections})

    def table(self, name: str) -> Any:
        """The first shop's table, as delta-rs has it."""
        return table_at(self.root, (self.shops[0].schema, name))

    def assert_same(self) -> None:
        """The warehouse holds the source's rows, each once. `Changed` is text there, which validation compares."""
        for shop in self.shops:
            for table, names in COLUMNS.items():
                columns = [name.strip() for name in names.split(",") if name.strip() != "Changed"]
                at = [number for number, name in enumerate(names.split(",")) if name.strip() != "Changed"]
                chosen = ", ".join(f'"{name}"' for name in columns)
                query = f'SELECT {chosen} FROM "{identifier_part(shop.schema)}"."{table}"'
                found = plain_rows(delta_query(self.root, query))
                expected = sorted((tuple(row[number] for number in at) for row in shop.source_rows(table)), key=repr)
                assert found == expected, f"{shop.schema}.{table}"


@contextmanager
def made_delta_shops(server: Server, root: Path) -> Iterator[DeltaShops]:
    """Both shops with rows in them while the block lasts."""
    deltalake()
    with made_shop(server, root / "one") as one, made_shop(server, root / "two") as two:
        yield DeltaShops((one, two), root, "")
