"""Who publishes under an older fence changes nothing for anybody; loads count in the order of their fences, not of arrival."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dltsync_core.committed import TableKind
from dltsync_core.errors import Fenced
from dltsync_core.identity import WHOLE_TABLE
from dltsync_core.lake.lake import Lake
from dltsync_core.lake.load import StagedFile
from dltsync_core.lake.manifest import Manifest, forgettable, live, manifest_from
from dltsync_core.lake.storage.port import LocalStorage
from tests.support.lake_loads import ORDERS, as_load, facts_of, manifest_of, stage

A, B, C = "[1,2)", "[2,3)", "[3,4)"


@dataclass(frozen=True)
class Publication:
    """One load that wants to become visible."""

    fence: int
    kind: TableKind
    unit: str
    retire: tuple[str, ...] = ()
    whole: bool = False

    def into(self, lake: Lake) -> Manifest:
        staged = stage(lake, facts_of(self.kind, self.unit), [self.fence])
        return lake.publish(staged, fence=self.fence, retire=self.retire, retire_all=self.whole)


def shaped(fence: int, shape: tuple[TableKind, str, Sequence[str], bool]) -> Publication:
    kind, unit, retire, whole = shape
    if kind != "partition":
        return Publication(fence, kind, WHOLE_TABLE, whole=whole and kind == "scd")
    return Publication(fence, kind, unit, tuple(sorted({*retire} - {unit})))


shapes = st.tuples(
    st.sampled_from(["partition", "partition", "scd", "scd", "static"]),
    st.sampled_from([A, B, C]),
    st.lists(st.sampled_from([A, B, C]), max_size=2),
    st.booleans(),
)


@st.composite
def histories(draw: Any, most: int = 8) -> list[Publication]:
    """Publications with different fences, in the order of their arrival."""
    chosen: list[Publication] = [
        shaped(fence + 1, shape) for fence, shape in enumerate(draw(st.lists(shapes, max_size=most)))
    ]
    arrived: list[Publication] = draw(st.permutations(chosen))
    return arrived


def manifests_of(arriving: Sequence[Publication]) -> list[Manifest]:
    return [
        replace(
            as_load(manifest_of(publication.unit), load_id=f"L{publication.fence}", kind=publication.kind),
            sequence=publication.fence,
            replaces_unit=publication.kind != "scd" or publication.whole,
            retires=publication.retire,
            retires_all=publication.whole,
        )
        for publication in arriving
    ]


@given(histories())
@settings(max_examples=40, deadline=None)
def test_the_order_of_arrival_decides_nothing(arriving: list[Publication]) -> None:
    with tempfile.TemporaryDirectory() as place:
        lake = Lake(Path(place), "shop", keep_generations=1)
        published: list[Manifest] = []
        for publication in arriving:
            try:
                published.append(publication.into(lake))
            except Fenced:
                assert any(later.sequence > publication.fence for later in published)
            else:
                assert published[-1].sequence == publication.fence
            assert current(lake) == list(live(published))
            assert files_in(lake) == sorted(file.path for manifest in current(lake) for file in manifest.files)
        assert lake.highest_sequence(ORDERS) == max((m.sequence for m in published), default=0)
        assert [p for manifest in current(lake) for p in lake.verify(manifest, checksums=True)] == []


class Stepping(LocalStorage):
    """A local lake that calls back before each of its steps, and remembers every manifest that was written."""

    def __init__(self, root: Path, before: Callable[[], None], written: list[bytes]) -> None:
        super().__init__(root)
        self._before, self._written = before, written

    def take_in(self, staged: StagedFile, key: str) -> None:
        self._before()
        super().take_in(staged, key)

    def put(self, key: str, content: bytes) -> None:
        self._before()
        super().put(key, content)
        self._written.append(content)

    def list(self, prefix: str) -> list[str]:
        self._before()
        return super().list(prefix)

    def move(self, source: str, target: str) -> None:
        self._before()
        super().move(source, target)

    def delete(self, key: str) -> None:
        self._before()
        super().delete(key)


@given(histories(6), st.integers(min_value=0, max_value=15))
@settings(max_examples=50, deadline=None)
def test_others_may_publish_at_any_step_of_a_publication(arriving: list[Publication], step: int) -> None:
    """The first publication stands still before one of its steps until all the others are through. Every manifest that
    was ever written counts by its fence, and what a live one names is there at every step of everybody."""
    with tempfile.TemporaryDirectory() as place:
        looking, slow, quick = (Lake(Path(place), "shop", keep_generations=1) for _ in range(3))
        written: list[bytes] = []
        waiting = list(arriving[1:])
        steps = iter(range(1000))

        def look() -> None:
            for manifest in current(looking):
                assert all(path.exists() for path in looking.paths(manifest)), manifest

        def look_and_let_pass() -> None:
            look()
            if next(steps) == step:
                while waiting:
                    try_to_publish(waiting.pop(0), quick)

        slow._storage = Stepping(slow.directory, look_and_let_pass, written)
        quick._storage = Stepping(quick.directory, look, written)
        outcomes = [try_to_publish(publication, slow) for publication in arriving[:1]]
        while waiting:
            try_to_publish(waiting.pop(0), quick)

        history = [manifest_from(content, path="m") for content in written]
        assert current(looking) == list(live(history))
        for publication, outcome in zip(arriving, outcomes, strict=False):
            assert outcome is None or any(m.sequence == publication.fence for m in history)
        Publication(len(arriving) + 1, "static", WHOLE_TABLE).into(looking)
        assert len(files_in(looking)) == 1


def try_to_publish(publication: Publication, lake: Lake) -> Manifest | None:
    try:
        return publication.into(lake)
    except Fenced:
        return None


@given(histories(12))
def test_what_is_live_and_what_may_be_forgotten_are_what_the_definitions_say(arriving: list[Publication]) -> None:
    """Both are computed in one pass; here they are by comparing every load with every other."""
    known = manifests_of(arriving)
    for number, manifest in enumerate(known):
        known[number] = replace(
            manifest, discards=tuple(m.load_id for m in known[:number:5] if m.kind == manifest.kind)
        )
    later = {one: [other for other in known if other.order > one.order] for one in known}
    dead = {one for one in known if any(other.supersedes(one) for other in later[one])}
    assert live(known) == tuple(sorted(set(known) - dead, key=lambda one: one.order))
    places = [(kind, unit) for kind in ("partition", "scd", "static") for unit in (A, B, C, WHOLE_TABLE, "another")]
    unsaid = {
        one
        for one in dead
        for place in places
        if one.takes_over(*place) and not any(other.takes_over(*place) for other in later[one])  # type: ignore[arg-type]
    }
    assert forgettable(known) == tuple(sorted(dead - unsaid, key=lambda one: one.order))


@given(histories(), st.data())
def test_a_forgotten_manifest_changes_no_answer(arriving: list[Publication], data: Any) -> None:
    """Neither what is live now, nor what becomes of a load that arrives late."""
    manifests = manifests_of(arriving)
    late = data.draw(st.sets(st.sampled_from(manifests))) if manifests else set()
    known = [manifest for manifest in manifests if manifest not in late]
    gone = forgettable(known)
    for cleared in range(len(gone) + 1):
        kept = [manifest for manifest in known if manifest not in gone[:cleared]]
        assert live(kept) == live(known)
        assert live([*kept, *late]) == tuple(m for m in live(manifests) if m not in gone)


@pytest.mark.survives(
    "rivals",
    "a run publishes after another run took its unit over",
    "the run that took this unit over; the failure is transient",
    "the lake shows the other run's load, and no file of the first",
)
def test_the_fenced_publisher_is_told_and_leaves_nothing(lake: Lake) -> None:
    slow = stage(lake, facts_of("partition", A, run_id="slow"), [1, 2])
    winner = lake.publish(stage(lake, facts_of("partition", A, run_id="quick"), [1, 2, 3]), fence=2)
    before = everything_in(lake)
    with pytest.raises(Fenced, match="of run quick took this unit over") as caught:
        lake.publish(slow, fence=1)
    assert "nothing is lost" in str(caught.value)
    assert caught.value.is_transient
    assert current(lake) == [winner]
    assert everything_in(lake) == {path for path in before if slow.facts.load_id not in path}
    assert lake.count(ORDERS) == 3


def test_threads_and_processes_may_publish_units_of_a_table_at_the_same_time(tmp_path: Path) -> None:
    """Two lakes stand for two processes: they share nothing but the directory."""
    lakes = [Lake(tmp_path, "shop", keep_generations=keep) for keep in (0, 1)]
    fences = iter(range(1, 1000))
    guard = threading.Lock()

    def work(number: int) -> list[Manifest]:
        published = []
        for _ in range(6):
            with guard:
                fence = next(fences)
            published.append(Publication(fence, "partition", f"[{number},{number + 1})").into(lakes[number % 2]))
        return published

    with ThreadPoolExecutor(max_workers=6) as pool:
        published = [manifest for part in pool.map(work, range(6)) for manifest in part]
    assert current(lakes[0]) == list(live(published))
    assert len(current(lakes[0])) == 6
    assert [p for manifest in current(lakes[0]) for p in lakes[0].verify(manifest, checksums=True)] == []
    assert files_in(lakes[0]) == sorted(file.path for manifest in current(lakes[0]) for file in manifest.files)


def test_a_late_increment_is_fenced_although_it_would_replace_nothing(lake: Lake) -> None:
    """It was read before the lease was lost; who holds the lease now has read its rows again."""
    slow = stage(lake, facts_of("scd"), [1])
    quick = lake.publish(stage(lake, facts_of("scd"), [1, 2]), fence=2)
    with pytest.raises(Fenced):
        lake.publish(slow, fence=1)
    assert current(lake) == [quick]


def test_a_load_of_a_unit_that_was_merged_away_stays_dead_however_late_it_comes(lake: Lake) -> None:
    """The load that retired the unit was itself replaced since."""
    late = stage(lake, facts_of("partition", B), [2])
    Publication(2, "partition", A, retire=(B,)).into(lake)
    newest = Publication(3, "partition", A).into(lake)
    with pytest.raises(Fenced):
        lake.publish(late, fence=1)
    assert current(lake) == [newest]


def test_files_of_a_later_fence_that_no_manifest_names_yet_are_left_alone(lake: Lake) -> None:
    """Their publisher is between its files and its manifest."""
    staged = stage(lake, facts_of("partition", A), [1, 2, 3])
    other = Lake(lake.directory.parent, "shop", keep_generations=0)
    overtaking = [Publication(1, "partition", A)]

    def overtake() -> None:
        if files_in(lake) and overtaking:
            overtaking.pop().into(other)

    lake._storage = Stepping(lake.directory, overtake, [])
    winner = lake.publish(staged, fence=2)
    assert current(lake) == [winner]
    assert overtaking == []
    assert lake.verify(winner, checksums=True) == []
    assert len(files_in(lake)) == 1


def test_the_highest_fence_is_remembered_by_names_alone(lake: Lake) -> None:
    assert lake.highest_sequence(ORDERS) == 0
    Publication(7, "static", WHOLE_TABLE).into(lake)
    assert lake.highest_sequence(ORDERS) == 7
    for manifest in lake.directory.rglob("_manifests/*.json"):
        manifest.unlink()
    assert lake.highest_sequence(ORDERS) == 7


def current(lake: Lake) -> list[Manifest]:
    return list(live(m for manifests in lake.current(ORDERS).values() for m in manifests))


def files_in(lake: Lake) -> list[str]:
    return sorted(path.relative_to(lake.directory).as_posix() for path in lake.directory.glob("*/data/**/*.parquet"))


def everything_in(lake: Lake) -> set[str]:
    return {str(path) for path in lake.directory.rglob("*")}
