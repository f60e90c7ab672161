"""Whoever finds one file of the lake can tell what it is, without a ledger and without us."""

from __future__ import annotations

import json
from decimal import Context, Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dltsync_core.errors import LakeError
from dltsync_core.lake.file_statistics import DecimalSums
from dltsync_core.lake.footer import footer_from
from dltsync_core.lake.lake import Lake
from tests.support.lake_loads import batch_of, facts_of, final_facts

_WIDE = Context(prec=80)


def test_a_file_says_what_it_holds(lake: Lake) -> None:
    contracts = {"Amount": {"sql_type": "decimal(38,10)", "lossless": True}}
    facts = facts_of("partition", "[2024-01-01,2024-02-01)", load_id="L1", contracts=contracts)
    with lake.stage(facts) as load:
        load.write(batch_of([1, 2], amount="0.1"))
        path = load.finish(final_facts(2, watermark_low="2026-11-22 00:00:00.0000000")).files[0].path
    metadata = pq.read_metadata(path).metadata or {}
    said = {k.decode(): v.decode() for k, v in metadata.items() if k.startswith(b"dltsync.")}
    assert said.pop("dltsync.tool_version")
    assert json.loads(said.pop("dltsync.contracts")) == contracts
    assert json.loads(said.pop("dltsync.decimal_sums")) == {"Amount": "0.2000000000"}
    assert said == {
        "dltsync.footer_version": "3",
        "dltsync.pipeline": "shop",
        "dltsync.schema_name": "sales",
        "dltsync.table_name": "Orders",
        "dltsync.kind": "partition",
        "dltsync.unit": "[2024-01-01,2024-02-01)",
        "dltsync.holds_null": "false",
        "dltsync.load_id": "L1",
        "dltsync.run_id": "run-1",
        "dltsync.file_number": "0",
        "dltsync.files_in_load": "1",
        "dltsync.rows": "2",
        "dltsync.load_rows": "2",
        "dltsync.schema_digest": "5c3e",
        "dltsync.source": "db1/shop",
        "dltsync.definition_digest": "d1",
        "dltsync.probe_method": "rowversion",
        "dltsync.probe_rows": "2",
        "dltsync.probe_signature": "2:0x00000000000007D1",
        "dltsync.probe_watermark": "2026-11-23 08:59:59.1234567",
        "dltsync.watermark_low": "2026-11-22 00:00:00.0000000",
        "dltsync.consistency": "snapshot",
        "dltsync.extracted_at": "2026-11-23T09:00:00.000000Z",
        "dltsync.source_server": "db1",
        "dltsync.source_database": "shop",
    }


def test_what_was_written_is_read_back_as_the_same_footer(lake: Lake) -> None:
    facts = facts_of("scd", window_low="a'\u0000\"", window_high="😀", source_server="s\nt")
    with lake.stage(facts) as load:
        path = load.finish(final_facts(0)).files[0].path
    footer = footer_from(pq.read_metadata(path).metadata, path=str(path))
    assert (footer.window_low, footer.window_high, footer.source_server) == ("a'\u0000\"", "😀", "s\nt")
    assert footer.holds_null is None


def test_a_foreign_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "foreign.parquet"
    pq.write_table(pa.table({"a": [1]}), path)
    with pytest.raises(LakeError, match=r"foreign\.parquet has no dltsync footer"):
        footer_from(pq.read_metadata(path).metadata, path=str(path))


@pytest.mark.parametrize("version", ["2", "4"])
def test_a_footer_of_another_version_is_refused(version: str) -> None:
    with pytest.raises(LakeError, match=f"footer of version {version}, this program reads version 3"):
        footer_from({b"dltsync.footer_version": version.encode()}, path="f")


def test_a_damaged_footer_is_named() -> None:
    with pytest.raises(LakeError, match="damaged"):
        footer_from({b"dltsync.footer_version": b"3", b"dltsync.kind": b"static"}, path="f")


@given(
    st.integers(min_value=0, max_value=38).flatmap(
        lambda scale: st.tuples(
            st.just(scale),
            st.lists(st.none() | st.integers(min_value=-(10**38 - 1), max_value=10**38 - 1), max_size=40),
        )
    )
)
def test_decimal_sums_are_exact(case: tuple[int, list[int | None]]) -> None:
    scale, units = case
    column = pa.array(
        [None if u is None else Decimal(u).scaleb(-scale, context=_WIDE) for u in units], pa.decimal128(38, scale)
    )
    sums = DecimalSums(pa.schema([("d", pa.decimal128(38, scale))]))
    sums.add(pa.table({"d": column}))
    sums.add(pa.table({"d": column}))
    text = sums.texts()["d"]
    total = 2 * sum(u for u in units if u is not None)
    assert int(text.replace(".", "")) == total
    assert len(text.partition(".")[2]) == scale
