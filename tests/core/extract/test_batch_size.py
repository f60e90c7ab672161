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
    processing = ProcessingConfig()
    limits = limits_of(processing)
    assert (limits.batch_rows, limits.batch_bytes) == (65536, 16 * MB)
    assert limits.queue_bytes == processing.memory.queue_bytes


@given(st.floats(0, 1e9))
def test_a_batch_has_at_least_one_row_and_at_most_what_is_asked(width: float) -> None:
    limits = ExtractLimits(1000, 10 * MB, MB)
    assert 1 <= limits.rows_for(width) <= 1000


def test_wide_declarations_make_small_first_batches() -> None:
    narrow = map_columns(table(column("a", "int"), column("b", "datetime2", 2)), StaticTableConfig(table_name="t"))
    wide = map_columns(table(column("a", "nvarchar", max_length=-1)), StaticTableConfig(table_name="t"))
    assert declared_bytes_per_row(narrow) == 12
    assert declared_bytes_per_row(wide) == 8192
