"""Values of 2 MB (of 8 in slow tests), several per batch, of the types that have no bound: whole and in bounded memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from dltsync_core.config import ProcessingConfig
from dltsync_core.config.memory_budget import MEGABYTE
from dltsync_core.extract.source import SqlServerSource
from dltsync_core.extract.unit import WHOLE
from tests.support.server_shop import Server
from tests.support.type_tables import TypeTables, errors
from tests.support.variants import variants

ROWS = 2
COLUMNS = {
    "a_varchar": "varchar(max)",
    "an_nvarchar": "nvarchar(max)",
    "a_varbinary": "varbinary(max)",
    "an_ntext": "ntext",
}


class LargeValues(TypeTables):
    """A table with `stored` in its columns, each of about `size` bytes."""

    def __init__(self, server: Server, root: Path, size: int) -> None:
        super().__init__(server, root)
        self.size = size
        wide = ("0123456789abcde日" * (size // 16))[: size - 2] + "😀"
        self.stored: dict[str, str | bytes] = {
            "a_varchar": ("0123456789abcdef" * (size // 16))[: size - 1] + "é",
            "an_nvarchar": wide,
            "a_varbinary": bytes(range(256)) * (size // 256),
            "an_ntext": wide,
        }


@pytest.fixture(scope="module", params=variants({"2 MB": 2 * MEGABYTE, "8 MB": 8 * MEGABYTE}, often={"2 MB"}))
def house(
    request: pytest.FixtureRequest, server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LargeValues]:
    """Each of two rows has a large value in two columns, so that every column has one; small rows lie around them."""
    made = LargeValues(server, tmp_path_factory.mktemp("large"), request.param)
    declared = ", ".join(f"{name} {kind} NULL" for name, kind in COLUMNS.items())
    made.create_partitioned("large", f"id int NOT NULL PRIMARY KEY, {declared}")
    names = list(COLUMNS)
    for row in range(ROWS):
        pair = names[2 * row : 2 * row + 2]
        values = [made.stored[name] for name in pair]
        made.execute(f"INSERT INTO {{s}}.large (id, {', '.join(pair)}) VALUES ({10 * row + 5}, ?, ?)", *values)
        for near in range(4):
            made.execute(f"INSERT INTO {{s}}.large (id, a_varchar) VALUES ({10 * row + near}, 'small')")
    yield made
    made.drop()


def test_every_large_value_arrives_whole(house: LargeValues) -> None:
    assert errors(house.run()) == []
    items = ", ".join(f"sha256({name})" for name in COLUMNS)
    found = house.warehouse("large", items)
    assert house.lake("large", items) == found
    assert len(found) == 5 * ROWS
    for place, name in enumerate(COLUMNS):
        stored = house.stored[name]
        data = stored if isinstance(stored, bytes) else stored.encode()
        digests = {row[place] for row in found} - {None, hashlib.sha256(b"small").hexdigest()}
        assert digests == {hashlib.sha256(data).hexdigest()}, name


def test_no_batch_is_much_larger_than_it_may_be(house: LargeValues) -> None:
    """batch_bytes_mb is less than one value here: a large row travels with no more than the small rows before it."""
    sizes: list[int] = []
    batch_mb = house.size // MEGABYTE // 2
    config = house.config()
    source = SqlServerSource(config.database, ProcessingConfig(batch_bytes_mb=batch_mb))
    (table,) = config.tables
    facts = source.read_tables([table])[table.name]
    mapping = source.map_columns(facts, table)

    def write(batch: pa.RecordBatch) -> None:
        sizes.append(batch.nbytes)

    with source.read_view() as view:
        report = view.extract(facts, mapping, WHOLE, write)
    assert report.rows == 5 * ROWS
    two_values_in_utf8 = house.size + 2 * house.size
    assert max(sizes) <= batch_mb * MEGABYTE + two_values_in_utf8
    assert len(sizes) >= ROWS
