"""Two pipelines, or one under two names, that fill the same tables of a warehouse: none takes the other's rows for its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from dltsync_core.config import PipelineConfig
from dltsync_core.run.pipeline import IncrementalSQLServerParquetPipeline
from tests.support.memory_shop import COUNTRIES, CUSTOMERS, EVERYTHING, ORDERS, MemoryShop, ordered, outcomes


class Named(MemoryShop):
    """Over a DuckDB file."""

    name = "first"

    def config(self) -> PipelineConfig:
        return super().config().model_copy(update={"pipeline_name": self.name})

    def pipeline(self) -> IncrementalSQLServerParquetPipeline:
        return IncrementalSQLServerParquetPipeline(self.config(), source=self.source)

    def assert_in_the_warehouse(self) -> None:
        with duckdb.connect(str(self.root / "house.duckdb"), read_only=True) as connection:
            for table in (ORDERS, CUSTOMERS, COUNTRIES):
                cursor = connection.execute(f'SELECT * FROM warehouse."{table.table}"')
                names = [column[0] for column in cursor.description or ()]
                found = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
                assert ordered(found) == ordered(self.rows(table)), table


@pytest.mark.survives(
    "rivals",
    "a pipeline is renamed, fills its tables under the new name, and gets its old name back; the source is unchanged",
    "the warehouse stands at another load than the committed one: the rows are taken from the lake",
    "source and warehouse equal, row by row",
)
def test_a_pipeline_that_comes_back_to_its_name_finds_that_the_rows_are_not_its_own(tmp_path: Path) -> None:
    shop = Named(tmp_path)
    assert outcomes(shop.run()) == EVERYTHING

    def edit(country: str, note: str) -> None:
        shop.rows(COUNTRIES)[0]["Name"] = country
        shop.rows(ORDERS)[3]["Note"] = note

    edit("Helvetia", "edited")
    shop.name = "second"
    assert outcomes(shop.run()) == EVERYTHING
    edit("Switzerland", "x")
    shop.name = "first"
    again: Any = shop.run()
    assert outcomes(again) == EVERYTHING
    assert all("the warehouse stands at load" in unit.reason for unit in again.units)
    shop.assert_in_the_warehouse()
    assert set(outcomes(shop.run()).values()) == {"skipped"}
