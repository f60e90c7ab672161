"""A table may have thousands of live loads: 15,000 partitions, or years of increments. Nothing takes their square."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dltsync_core.committed import TableKind, lake_digest, prefix_digests
from dltsync_core.identity import WHOLE_TABLE
from dltsync_core.lake.lake import Lake
from dltsync_core.lake.manifest import Manifest, ManifestFile, forgettable, live, manifest_from
from dltsync_core.lake.storage.port import LocalStorage
from dltsync_core.run.planning.reconcile import committed_unit_of
from tests.support.lake_loads import ORDERS, as_load, publish

FEW, MANY = 500, 4_000
GROWTH = 4 * MANY / FEW
"""Time in proportion would be a quarter of this, the square twice as much and more."""


def _loads(example: Manifest, kind: TableKind, count: int) -> list[Manifest]:
    return [
        replace(
            as_load(
                example,
                load_id=f"L{number:06d}",
                kind=kind,
                unit=f"[{number},{number + 1})" if kind == "partition" else WHOLE_TABLE,
            ),
            sequence=number + 1,
            files=(ManifestFile(f"sales.orders/data/f{number:012d}-L{number:06d}-0.parquet", 1, 1, "0" * 64),),
            replaces_unit=kind == "partition" or number == 0,
        )
        for number in range(count)
    ]


def _fastest(work: Callable[[], object]) -> float:
    def once() -> float:
        started = time.process_time()
        work()
        return time.process_time() - started

    return min(once() for _ in range(3))


@pytest.fixture
def example(tmp_path: Path) -> Manifest:
    return publish(Lake(tmp_path, "shop", keep_generations=0), "static", WHOLE_TABLE, [1])


@pytest.mark.parametrize("kind", ["partition", "scd"])
@pytest.mark.parametrize("asked", [live, forgettable])
def test_what_is_live_is_found_in_one_pass(
    example: Manifest, kind: TableKind, asked: Callable[[list[Manifest]], tuple[Manifest, ...]]
) -> None:
    few, many = _loads(example, kind, FEW), _loads(example, kind, MANY)
    assert len(live(many)) == MANY
    assert forgettable(many) == ()
    assert _fastest(lambda: asked(many)) < GROWTH * max(_fastest(lambda: asked(few)), 0.001)


def _chained(loads: list[Manifest]) -> list[Manifest]:
    before = ["", *prefix_digests([load.load_id for load in loads])]
    return [replace(load, builds_on=digest) for load, digest in zip(loads, before, strict=False)]


def test_the_chain_of_increments_is_followed_in_one_pass(example: Manifest) -> None:
    few, many = _chained(_loads(example, "scd", FEW)), _chained(_loads(example, "scd", MANY))
    assert committed_unit_of(many, "scd") is not None
    assert committed_unit_of([*many[:7], *many[8:]], "scd") is None
    assert _fastest(lambda: committed_unit_of(many, "scd")) < GROWTH * max(
        _fastest(lambda: committed_unit_of(few, "scd")), 0.001
    )


@given(st.lists(st.text("ab", min_size=1), unique=True))
def test_growing_digests_are_those_of_the_first_loads(loads: list[str]) -> None:
    assert list(prefix_digests(loads)) == [lake_digest(loads[: count + 1]) for count in range(len(loads))]


def test_a_survey_takes_time_in_proportion(tmp_path: Path, example: Manifest) -> None:
    """A plan surveys every table."""

    def lake_of(count: int) -> Lake:
        lake = Lake(tmp_path / str(count), "shop", keep_generations=0)
        publish(lake, "partition", "[-1,0)", [1])
        (first,) = lake.directory.glob("*/_manifests/*.json")
        for load in _loads(example, "partition", count):
            (first.parent / f"{load.load_id}.json").write_text(load.to_json())
        return lake

    few, many = lake_of(FEW // 2), lake_of(MANY // 2)
    assert len(many.inspect(ORDERS).units) == MANY // 2 + 1
    assert _fastest(lambda: many.inspect(ORDERS)) < GROWTH * _fastest(lambda: few.inspect(ORDERS))


def test_loads_of_the_same_columns_keep_them_once(example: Manifest) -> None:
    one, other = (as_load(example, load_id=load_id).to_json().encode() for load_id in ("a", "b"))
    assert manifest_from(one, path="one").columns is manifest_from(other, path="other").columns


def test_units_asked_for_one_by_one_read_no_manifest_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lost warehouse is filled again unit by unit, and each asks for its own loads."""
    other, units = Lake(tmp_path, "shop", keep_generations=0), [f"[{number},{number + 1})" for number in range(6)]
    for number, unit in enumerate(units):
        publish(other, "partition", unit, [number])
    lake, read = Lake(tmp_path, "shop", keep_generations=0), list[str]()
    original = LocalStorage.read_all

    def noting(storage: LocalStorage, keys: Sequence[str]) -> dict[str, bytes]:
        read.extend(keys)
        return original(storage, keys)

    monkeypatch.setattr(LocalStorage, "read_all", noting)
    for unit in units:
        assert [manifest.unit for manifest in lake.current_of(ORDERS, unit)] == [unit]
        assert lake.count(ORDERS, unit) == 1
    assert len(read) == len(units)
    publish(other, "partition", units[2], [7, 8])
    assert lake.count(ORDERS, units[2]) == 2
