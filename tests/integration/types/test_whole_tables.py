"""Random tables, sent from the source through the lake to DuckDB: every value is the value that was stored, the fingerprint is
one number in three places, and whatever changes in one of them makes it another."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from dltsync_core.digest.segment import digest_batches
from dltsync_core.extract.source import SqlServerSource
from dltsync_core.extract.unit import WHOLE
from dltsync_core.validate.fingerprint import SHA256
from tests.integration.types.random_tables import Places, Table, changed, tables
from tests.support.server_shop import Server
from tests.support.type_tables import TypeTables, errors

FEW = settings(
    max_examples=2,  # the first is the smallest there is
    deadline=None,
    # Every example is a whole run of several tables: shrinking would take minutes, and the table is in the message anyway.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
MANY = settings(FEW, max_examples=25)


class Fingerprints:
    """The number of each table of a house: asked of the server, and computed over rows of the lake or the warehouse."""

    def __init__(self, house: TypeTables) -> None:
        config = house.config()
        self._source = SqlServerSource(config.database, config.processing)
        facts = self._source.read_tables(config.tables)
        self._tables = {
            t.table_name: (facts[t.name], self._source.map_columns(facts[t.name], t)) for t in config.tables
        }

    def of_source(self) -> dict[str, str]:
        with self._source.read_view() as view:
            return {
                name: view.fingerprints(facts, mapping.columns, {"all": WHOLE}, SHA256)["all"]
                for name, (facts, mapping) in self._tables.items()
            }

    def of_rows(self, place: Places, rows: pa.Table) -> str:
        return digest_batches(rows.to_batches(), self._tables[place.name][1].columns).text


def loaded(server: Server, root: Path, drawn: Sequence[Table]) -> list[Places]:
    """All tables in a house of their own, brought over in one run."""
    house = TypeTables(server, root)
    places = [Places(house, f"t{number}", table) for number, table in enumerate(drawn)]
    for place in places:
        place.create()
    assert errors(house.run()) == []
    return places


def invalid(house: TypeTables) -> dict[str, list[str]]:
    """What `dltsync validate --fingerprint` says of the tables that are not equal."""
    with house.pipeline() as pipeline:
        report = pipeline.validate_all_tables(fingerprint="sha256")
    return {t["table"].partition(".")[2]: t["messages"] for t in report["tables"] if not t["valid"]}


def round_trip(server: Server, root: Path, drawn: Sequence[Table]) -> list[Places]:
    """Nothing but a run happens: all values and all numbers are the same."""
    places = loaded(server, root, drawn)
    numbers = Fingerprints(places[0].house)
    source = numbers.of_source()
    for place in places:
        assert place.found_in_lake() == place.table.kept
        assert place.found_in_warehouse() == place.table.kept
        (file,) = place.house.lake_files(place.name)
        lake, warehouse = numbers.of_rows(place, pq.read_table(file)), numbers.of_rows(place, place.warehouse_rows())
        assert source[place.name] == lake == warehouse
    return places


def change_in_one_place(places: Sequence[Places], data: st.DataObject) -> None:
    """Tables to which `nothing` happens are written anew like the others: it is the change that is seen, not the writing."""
    numbers = Fingerprints(places[0].house)
    before, afterwards, expected = numbers.of_source(), dict[str, str](), dict[str, str]()
    for place in places:
        what, after = changed(place.table, data)
        where = data.draw(st.sampled_from(["source", "lake", "warehouse"]))
        said = f"{what} at the {where}: {place.table} -> {after}"
        if where == "lake":
            number = numbers.of_rows(place, place.lake_with(after))
            assert (number == before[place.name]) is (what == "nothing"), said
            continue
        if where == "warehouse":
            place.write_warehouse(after)
            afterwards[place.name] = numbers.of_rows(place, place.warehouse_rows())
        else:
            place.write_source(after)
        if what != "nothing":
            expected[place.name] = said
    afterwards = {**numbers.of_source(), **afterwards}
    assert {name for name, number in afterwards.items() if number != before[name]} == set(expected), expected
    found = invalid(places[0].house)
    assert set(found) == set(expected), expected
    for name, messages in found.items():
        said_what = any("another fingerprint" in m or re.search(r" rows? in source, ", m) for m in messages)
        assert said_what, (expected[name], messages)


@pytest.fixture
def roots(tmp_path: Path) -> Callable[[], Path]:
    """A new directory for each example."""
    numbers = iter(range(1_000_000))

    def new() -> Path:
        root = tmp_path / str(next(numbers))
        root.mkdir()
        return root

    return new


@FEW
@given(drawn=st.lists(tables(), min_size=3, max_size=3), data=st.data())
def test_every_value_arrives_and_a_change_in_one_place_is_seen(
    server: Server, roots: Callable[[], Path], drawn: list[Table], data: st.DataObject
) -> None:
    places = round_trip(server, roots(), drawn)
    change_in_one_place(places, data)
    places[0].house.drop()


@pytest.mark.slow
@pytest.mark.timeout(1800)
@MANY
@given(drawn=st.lists(tables(), min_size=8, max_size=8))
def test_every_value_of_many_random_tables_arrives(
    server: Server, roots: Callable[[], Path], drawn: list[Table]
) -> None:
    places = round_trip(server, roots(), drawn)
    assert invalid(places[0].house) == {}
    places[0].house.drop()


@pytest.mark.slow
@pytest.mark.timeout(1800)
@MANY
@given(drawn=st.lists(tables(), min_size=8, max_size=8), data=st.data())
def test_many_changes_in_one_place_are_seen(
    server: Server, roots: Callable[[], Path], drawn: list[Table], data: st.DataObject
) -> None:
    places = loaded(server, roots(), drawn)
    change_in_one_place(places, data)
    places[0].house.drop()
