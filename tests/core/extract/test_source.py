"""A table that is not what the config takes it for is told before anything is read."""

from __future__ import annotations

from typing import Any

import pytest

from dltsync_core.config import PartitionTableConfig, SCDTableConfig, StaticTableConfig
from dltsync_core.errors import CatalogError, ColumnNotFound, NotPartitioned, SyncError
from dltsync_core.extract.source import check_against_catalogue
from tests.support.table_facts import column, partitioned, table

BY = column("departs", "date")
PARTS = partitioned(BY, ["2024-01-01"], "right")


@pytest.mark.parametrize(
    ("facts", "options", "kind", "said"),
    [
        ({}, {}, NotPartitioned, "is not on a partition scheme"),
        ({"partitioning": PARTS}, {"partition_column": "departz"}, ColumnNotFound, "did you mean departs?"),
        ({"partitioning": PARTS}, {"partition_column": "other"}, CatalogError, "partitioned by departs, not by other"),
        ({"partitioning": PARTS}, {"last_modified_column": "other"}, CatalogError, "is of type int"),
        ({"partitioning": PARTS, "has_row_filter": True}, {}, CatalogError, "row-level security filter"),
    ],
)
def test_partition_tables(facts: dict[str, Any], options: dict[str, str], kind: type[SyncError], said: str) -> None:
    with pytest.raises(kind) as caught:
        check_against_catalogue(
            table(BY, column("other", "int", 2), **facts), PartitionTableConfig(table_name="t", **options)
        )
    assert said in str(caught.value)


def test_a_right_one_passes() -> None:
    facts = table(BY, partitioning=PARTS, has_row_filter=True)
    check_against_catalogue(
        facts, PartitionTableConfig(table_name="t", partition_column="DEPARTS", accept_row_filter=True)
    )


def test_versions_need_their_columns() -> None:
    facts = table(column("k", "int"), column("EffectiveDate", "date", 2), column("EndDate", "date", 3))
    with pytest.raises(ColumnNotFound, match=r"no column m \(named in last_modified_column\)"):
        check_against_catalogue(facts, SCDTableConfig(table_name="t", last_modified_column="m"))


def test_upserts_and_rules_need_their_columns() -> None:
    facts = table(column("a", "int"))
    with pytest.raises(ColumnNotFound, match="named in key_columns"):
        check_against_catalogue(
            facts, StaticTableConfig(table_name="t", load_strategy="upsert", key_columns=["id_of_row"])
        )
    with pytest.raises(ColumnNotFound, match="named in quality"):
        check_against_catalogue(facts, StaticTableConfig(table_name="t", quality=[{"column": "bee", "not_null": True}]))
