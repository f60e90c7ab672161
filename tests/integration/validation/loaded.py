"""A loaded shop whose lake and warehouse are damaged behind the back of the pipeline, and what validation says of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from tests.support.server_shop import ServerShop


class LoadedShop:
    """`shop` was loaded once."""

    def __init__(self, shop: ServerShop) -> None:
        self.shop = shop
        self.house = shop.root / "house.duckdb"

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Whatever is done to lake and warehouse within the block is undone after it."""
        files = [self.house, *self.shop.root.glob("lake/**/*.parquet")]
        whole = {path: path.read_bytes() for path in files}
        try:
            yield
        finally:
            self.shop.overrides.clear()
            for path, content in whole.items():
                path.write_bytes(content)

    def warehouse(self, statement: str) -> None:
        with duckdb.connect(str(self.house)) as connection:
            connection.execute(statement)

    def lake_file(self, table: str, part: str = "") -> Path:
        files = sorted(self.shop.root.glob(f"lake/*/{self.shop.schema}_{table}*/data/**/*.parquet"))
        return next(file for file in files if part in str(file))

    def report(self, *arguments: Any, **more: Any) -> dict[str, Any]:
        with self.shop.pipeline() as pipeline:
            return pipeline.validate_all_tables(*arguments, **more)

    def messages(self, **more: Any) -> dict[str, list[str]]:
        """What is said of tables that are not valid, by their names without schema."""
        report = self.report(**more)
        found = {t["table"].partition(".")[2]: t["messages"] for t in report["tables"] if not t["valid"]}
        assert report["valid"] is (not found)
        return found


def flip_a_byte(path: Path) -> None:
    """Among the pages: the size stays, and so does the footer."""
    content = bytearray(path.read_bytes())
    content[len(content) // 8] ^= 0x01
    path.write_bytes(bytes(content))


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])
