"""What a killed run published and never committed is taken out of the lake, also when the table's units are others by then."""

from __future__ import annotations

from pathlib import Path

import pytest

from dltsync_core import checkpoints
from dltsync_core.config import PipelineConfig, StaticTableConfig
from dltsync_core.plan import partitions
from tests.support.killed import Killed, kill_at
from tests.support.memory_shop import ORDERS, MemoryShop


class Half(MemoryShop):
    """Of orders the first partition is committed, the second in the lake only."""

    kind = "partition"

    def config(self) -> PipelineConfig:
        config = super().config()
        if self.kind == "partition":
            return config
        orders = StaticTableConfig(table_name="Orders", schema_name="sales")
        return config.model_copy(update={"partition_tables": [], "static_tables": [*config.static_tables, orders]})


@pytest.fixture
def half(tmp_path: Path) -> Half:
    shop = Half(tmp_path, lease_wait_seconds=0)
    with checkpoints.watched(kill_at(checkpoints.PUBLISHED, time=2)), pytest.raises(Killed):
        shop.run(table_names=["sales.Orders"], parallel_execution=False)
    return shop


def assert_settled(shop: Half) -> None:
    result = shop.run(table_names=["sales.Orders"])
    assert result.success, result["errors"]
    shop.assert_same([ORDERS])
    with shop.pipeline() as pipeline:
        report = pipeline.validate_all_tables(["sales.Orders"])
    assert report["valid"], report["tables"]
    assert {unit.status for unit in shop.run(table_names=["sales.Orders"]).units} == {"skipped"}


@pytest.mark.survives(
    "crash",
    "kill -9 between publishing a partition and committing it; boundaries are merged or moved before the next run",
    "the next run takes the partition's files over, whether it was committed or not",
    "source, lake and warehouse equal, row by row; a reader of the lake sees no row twice",
)
@pytest.mark.parametrize("boundaries", [[20], [10], [], [15], [5, 15, 25]], ids=str)
def test_a_load_that_was_never_committed_is_retired_when_its_partition_is_gone(
    half: Half, boundaries: list[int]
) -> None:
    half.source.tables[ORDERS].boundaries[:] = boundaries
    assert_settled(half)


def test_a_load_of_partitions_that_was_never_committed_is_retired_when_the_table_is_static_now(half: Half) -> None:
    half.kind = "static"
    assert_settled(half)


def test_a_load_that_was_left_behind_is_retired_later_as_well(half: Half, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lake in which it already happened: the units of now are committed, and one of then is still shown."""
    half.source.tables[ORDERS].boundaries[:] = [20]
    with monkeypatch.context() as before:
        before.setattr(partitions, "units_only_in_lake", lambda judgements, known: ())
        assert half.run(table_names=["sales.Orders"]).success
    with pytest.raises(AssertionError, match="lake of"):
        half.assert_same([ORDERS])
    assert_settled(half)
