"""The memory limit becomes bounds that add up to it, or is refused with the least that is needed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dltsync_core.config import ProcessingConfig
from dltsync_core.config.memory_budget import (
    FIXED_MB,
    LARGEST_ROW_GROUP_MB,
    LEAST_WAREHOUSE_MB,
    MEGABYTE,
    least_memory_mb,
    memory_budget,
)
from dltsync_core.errors import ConfigError
from dltsync_core.extract.batch_size import limits_of

workers = st.integers(1, 64)
settings = workers.flatmap(
    lambda number: st.tuples(
        st.integers(least_memory_mb(number), 100_000), st.just(number), st.integers(1, 1024), st.integers(1, 128)
    )
)


def test_the_default_is_the_split_of_the_docs() -> None:
    budget = memory_budget(2048, 4, 16, 8)
    assert (budget.warehouse.limit_mb, budget.warehouse.threads) == (554, 5)
    assert (budget.scratch.limit_mb, budget.scratch.threads) == (138, 1)
    parts = (budget.batch_bytes, budget.queue_bytes, budget.row_group_bytes)
    assert [part // MEGABYTE for part in parts] == [16, 69, 64]


@given(settings)
def test_all_parts_together_stay_within_the_limit(given_settings: tuple[int, int, int, int]) -> None:
    """While a worker reads it checks nothing: the larger of both counts."""
    limit, number, _, _ = given_settings
    budget = memory_budget(*given_settings)
    # The batch in the driver's types and converted; what waits; the rows of a row group, and the writer's copy of them.
    reading = 2 * budget.batch_bytes + budget.queue_bytes + 2 * budget.row_group_bytes
    checking = 2 * budget.scratch.limit_mb * MEGABYTE
    in_all = FIXED_MB + budget.warehouse.limit_mb
    assert in_all * MEGABYTE + number * max(reading, checking) <= limit * MEGABYTE


@given(settings)
def test_every_part_is_enough_to_work_with(given_settings: tuple[int, int, int, int]) -> None:
    _, _, batch, processors = given_settings
    budget = memory_budget(*given_settings)
    assert budget.warehouse.limit_mb >= LEAST_WAREHOUSE_MB
    assert MEGABYTE <= budget.batch_bytes <= batch * MEGABYTE
    assert budget.batch_bytes <= budget.queue_bytes
    assert 16 * MEGABYTE <= budget.row_group_bytes <= LARGEST_ROW_GROUP_MB * MEGABYTE
    for part in (budget.warehouse, budget.scratch):
        assert 1 <= part.threads <= processors


@given(settings, st.integers(1, 10_000))
def test_more_memory_never_makes_a_part_smaller(given_settings: tuple[int, int, int, int], more: int) -> None:
    limit, *rest = given_settings
    one, other = memory_budget(limit, *rest), memory_budget(limit + more, *rest)
    assert one.warehouse.limit_mb <= other.warehouse.limit_mb
    assert one.scratch.limit_mb <= other.scratch.limit_mb
    assert (one.batch_bytes, one.queue_bytes, one.row_group_bytes) <= (
        other.batch_bytes,
        other.queue_bytes,
        other.row_group_bytes,
    )


@pytest.mark.parametrize(
    ("limit", "number", "way_out"), [(700, 4, "or max_workers: 1"), (64, 1, "memory_limit_mb: 608")]
)
def test_too_little_is_refused_with_the_least(limit: int, number: int, way_out: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ProcessingConfig(memory_limit_mb=limit, max_workers=number)
    said = str(caught.value)
    assert (
        f"memory_limit_mb {limit} is too small for max_workers {number}: the least is {least_memory_mb(number)}" in said
    )
    assert way_out in said


def test_the_least_that_the_message_says_is_accepted() -> None:
    for number in (1, 4, 64):
        limits = limits_of(ProcessingConfig(memory_limit_mb=least_memory_mb(number), max_workers=number))
        assert limits.batch_bytes <= limits.queue_bytes
        with pytest.raises(ConfigError):
            ProcessingConfig(memory_limit_mb=least_memory_mb(number) - 1, max_workers=number)
