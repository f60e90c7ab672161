"""The memory limit bounds what is in flight, whatever the table is like."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dltsync_core.config import ProcessingConfig, StaticTableConfig
from dltsync_core.extract.batch_size import ExtractLimits, declared_bytes_per_row, limits_of
from dltsync_core.typemap import map_columns
from tests.support.table_facts import column, table

MB = 1024 * 1024


def test_defaults() -> None:
    limits = limits_of(ProcessingConfig())
    assert (limits.batch_rows, limits.batch_bytes, limits.queue_bytes) == (65536, 16 * MB, 64 * MB)


@given(st.integers(64, 8192), st.integers(1, 64), st.integers(1, 1024))
def test_all_workers_together_stay_within_the_limit(memory: int, workers: int, batch: int) -> None:
    limits = limits_of(ProcessingConfig(memory_limit_mb=memory, max_workers=workers, batch_bytes_mb=batch))
    in_flight = limits.queue_bytes + 3 * limits.batch_bytes  # raw, converted, and with the writer
    assert in_flight * workers <= memory * MB


@given(st.floats(0, 1e9))
def test_a_batch_has_at_least_one_row_and_at_most_what_is_asked(width: float) -> None:
    limits = ExtractLimits(1000, 10 * MB, MB)
    assert 1 <= limits.rows_for(width) <= 1000


def test_wide_declarations_make_small_first_batches() -> None:
    narrow = map_columns(table(column("a", "int"), column("b", "datetime2", 2)), StaticTableConfig(table_name="t"))
    wide = map_columns(table(column("a", "nvarchar", max_length=-1)), StaticTableConfig(table_name="t"))
    assert declared_bytes_per_row(narrow) == 12
    assert declared_bytes_per_row(wide) == 8192
