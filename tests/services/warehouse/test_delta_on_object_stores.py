"""Delta tables in an object store: commits are conditional puts, and what dlt's configuration says reaches delta-rs."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dltsync_core import checkpoints
from dltsync_core.errors import ConfigError, Fenced, NotWritable, WarehouseError
from dltsync_core.plan.steps import Disposition, MergeKeys
from dltsync_core.warehouse.delta.warehouse import DeltaWarehouse
from dltsync_core.warehouse.port import LoadRequest
from tests.support.any_warehouse import marker
from tests.support.delta_tables import deltalake
from tests.support.local_warehouse import TARGET, orders, slot
from tests.support.object_stores import KEY, SECRET, Bucket


@pytest.fixture(autouse=True)
def _installed() -> None:
    deltalake()


def credentials(bucket: Bucket, *, secret: str = SECRET) -> dict[str, str]:
    return {
        "aws_access_key_id": KEY,
        "aws_secret_access_key": secret,
        "endpoint_url": bucket.endpoint,
        "region_name": "us-east-1",
    }


def request(tmp_path: Path, rows: pa.Table, how: Disposition, load_id: str, fence: int = 7) -> LoadRequest:
    path = tmp_path / f"{load_id}.parquet"
    pq.write_table(rows, path)
    unit = "all" if isinstance(how, MergeKeys) else how.ranges[0].key  # type: ignore[union-attr]
    return LoadRequest(TARGET, (path,), rows.schema, how, load_id, marker(unit, load_id=load_id, fence=fence))


def rows_of(warehouse: DeltaWarehouse) -> list[tuple[object, ...]]:
    with warehouse.rows(TARGET, None, orders({}).schema) as batches:
        return sorted(tuple(row.values()) for batch in batches for row in batch.to_pylist())


def test_partitions_and_keys_are_replaced_and_a_late_writer_is_fenced(s3_bucket: Bucket, tmp_path: Path) -> None:
    one, two = (DeltaWarehouse(s3_bucket.url, credentials(s3_bucket)) for _ in range(2))
    low, high, keys = slot("(-inf,10)"), slot("[10,+inf)"), MergeKeys(("No",))
    one.load(request(tmp_path, orders({1: "a", 2: "a"}), low, "l1"))
    overtaken: list[str] = []

    def overtake(moment: str) -> None:
        if moment == checkpoints.WAREHOUSE_WRITTEN and not overtaken:
            overtaken.append(moment)
            two.load(request(tmp_path, orders({12: "b"}), high, "l2"))

    with checkpoints.watched(overtake):
        one.load(request(tmp_path, orders({1: "c", 2: "c"}), low, "l3"))
    one.load(request(tmp_path, orders({2: "d", 13: "d"}), keys, "l4"))
    assert rows_of(two) == [(1, "c"), (2, "d"), (12, "b"), (13, "d")]
    assert {unit: each.load_id for unit, each in two.markers(TARGET, "p").items()} == {
        "(-inf,10)": "l3",
        "[10,+inf)": "l2",
        "all": "l4",
    }
    with pytest.raises(Fenced):
        one.load(request(tmp_path, orders({1: "z"}), low, "l5", fence=6))
    two.load(request(tmp_path, orders({}), high, "l6"))
    assert rows_of(one) == [(1, "c"), (2, "d")]
    one.cleanup()
    names = s3_bucket.files.find(s3_bucket.name)
    assert len([name for name in names if "/_dltsync/markers/" in name]) <= 2
    assert not [name for name in names if "/_dltsync/attempts/" in name]
    one.drop_table(TARGET)
    assert s3_bucket.files.find(s3_bucket.name) == []
    assert (two.count(TARGET), two.columns(TARGET), two.markers(TARGET, "p")) == (0, {}, {})


def test_bucket_and_credentials_come_from_dlts_own_configuration(
    s3_bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESTINATION__FILESYSTEM__BUCKET_URL", s3_bucket.url)
    for name, value in credentials(s3_bucket).items():
        monkeypatch.setenv(f"DESTINATION__FILESYSTEM__CREDENTIALS__{name.upper()}", value)
    warehouse = DeltaWarehouse(None, None)
    warehouse.load(request(tmp_path, orders({1: "a"}), MergeKeys(("No",)), "l1"))
    assert rows_of(warehouse) == [(1, "a")]
    assert s3_bucket.files.find(f"{s3_bucket.url}/sales/Orders/_delta_log")


def test_what_is_missing_or_refused_is_named_and_no_secret(s3_bucket: Bucket, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"DESTINATION__FILESYSTEM__BUCKET_URL"):
        DeltaWarehouse(None, None).count(TARGET)
    with pytest.raises(ConfigError, match="region"):
        DeltaWarehouse("s3://b/x", {"aws_access_key_id": KEY, "aws_secret_access_key": SECRET}).count(TARGET)
    absent = DeltaWarehouse(f"s3://absent-{s3_bucket.name}", credentials(s3_bucket))
    with pytest.raises((WarehouseError, NotWritable)) as caught:
        absent.load(request(tmp_path, orders({1: "a"}), MergeKeys(("No",)), "l1"))
    assert "sales.Orders" in str(caught.value)
    assert SECRET not in str(caught.value)
