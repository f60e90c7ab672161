"""Which look is taken at a table, and what makes two looks equal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from dltsync_core.config import PartitionTableConfig, SCDTableConfig, StaticTableConfig
from dltsync_core.errors import CatalogError, NotPartitioned
from dltsync_core.extract.probes import change_method, probe_partitions, probe_scd, probe_static
from dltsync_core.extract.questions import ask
from dltsync_core.tsql.fragments import Statement
from dltsync_core.typemap import map_columns
from tests.support.table_facts import column, partitioned, table

BY = column("d", "date")
RV = column("rv", "rowversion", 2, is_nullable=False)
MODIFIED = column("m", "datetime2", 3)
PARTS = partitioned(BY, ["2024-01-01", "2024-02-01"], "right")


class Server:
    """Answers statements in order and remembers them."""

    def __init__(self, *answers: Sequence[tuple[Any, ...]]) -> None:
        self.answers = list(answers)
        self.sent: list[Statement] = []

    def __call__(self, statement: Statement) -> list[tuple[Any, ...]]:
        self.sent.append(statement)
        return list(self.answers.pop(0))


@pytest.mark.parametrize(
    ("columns", "options", "method"),
    [
        ((BY, RV, MODIFIED), {"last_modified_column": "m"}, "rowversion"),
        ((BY, MODIFIED), {"last_modified_column": "M"}, "last_modified"),
        ((BY, RV), {"last_modified_column": "rv", "change_detection": "last_modified"}, "rowversion"),
        ((BY, MODIFIED), {}, "fingerprint"),
        ((BY, RV), {"change_detection": "fingerprint"}, "fingerprint"),
        ((BY, RV), {"change_detection": "row_count"}, "row_count"),
    ],
)
def test_auto_takes_the_best_there_is(columns: tuple[Any, ...], options: dict[str, str], method: str) -> None:
    config = PartitionTableConfig(table_name="t", **options)
    assert change_method(table(*columns), config)[0] == method


def test_rowversion_needs_a_rowversion() -> None:
    with pytest.raises(CatalogError, match="no column is of that type"):
        change_method(table(BY), PartitionTableConfig(table_name="t", change_detection="rowversion"))


def test_every_slot_has_a_probe_with_one_statement() -> None:
    facts = table(BY, RV, partitioning=PARTS)
    config = PartitionTableConfig(table_name="t")
    mapping = map_columns(facts, config)
    server = Server([(2, 10, "500", "0x00000000000007D1", 10)])
    probes = ask(server, probe_partitions(facts, mapping, config))
    assert len(server.sent) == 1
    assert sorted(probes) == [1, 2, 3]
    assert (probes[1].rows, probes[3].rows) == (0, 0)
    assert probes[1] == probes[3]
    assert (probes[2].method, probes[2].rows, probes[2].watermark_high) == ("rowversion", 10, "0x00000000000007D1")
    assert probes[2].signature == f"10|500|0x00000000000007D1|{mapping.schema_digest}"


def test_a_change_of_shape_changes_every_probe() -> None:
    config = PartitionTableConfig(table_name="t", change_detection="row_count")
    before = table(BY, partitioning=PARTS)
    after = table(BY, column("new", "int", 9), partitioning=PARTS)
    first = ask(Server([(1, 5)]), probe_partitions(before, map_columns(before, config), config))
    second = ask(Server([(1, 5)]), probe_partitions(after, map_columns(after, config), config))
    assert all(first[n] != second[n] for n in (1, 2, 3))
    assert first[1].watermark_high is None


def test_a_table_without_partitions_has_no_slots_to_probe() -> None:
    config = PartitionTableConfig(table_name="t")
    facts = table(BY)
    with pytest.raises(NotPartitioned):
        ask(Server(), probe_partitions(facts, map_columns(facts, config), config))


def _scd(modified: Any) -> tuple[Any, Any, SCDTableConfig]:
    facts = table(
        column("k", "int", 1, is_nullable=False),
        column("EffectiveDate", "datetime2", 2),
        column("EndDate", "datetime2", 3),
        column("IsLatest", "bit", 4),
        modified,
        primary_key=("k", "EffectiveDate"),
    )
    config = SCDTableConfig(table_name="t", last_modified_column=modified.name, lag_seconds=60)
    return facts, map_columns(facts, config), config


def test_the_lag_below_the_watermark_is_looked_at() -> None:
    facts, mapping, config = _scd(column("m", "datetime2", 5))
    high = "2024-01-02 00:00:00.0000005"
    server = Server([(7, "1", "2", high, 7)], [(2, "11", "22")])
    probe = ask(server, probe_scd(facts, mapping, config, committed=high, ceiling=None))
    assert (probe.rows, probe.watermark_high) == (7, high)
    assert server.sent[1].parameters == ("2024-01-01 23:59:00.0000005", high)
    assert "[IsLatest]" in server.sent[1].text  # the whole content: a coarse stamp may be set to the value it has
    assert probe.signature == f"7|{high}|stamps:7,1,2|recent:2,11,22|{mapping.schema_digest}"
    late = Server([(7, "1", "2", high, 7)], [(2, "11", "23")])
    assert ask(late, probe_scd(facts, mapping, config, committed=high, ceiling=None)) != probe
    below = Server([(7, "1", "3", high, 7)], [(2, "11", "22")])
    assert ask(below, probe_scd(facts, mapping, config, committed=high, ceiling=None)) != probe


def test_rows_without_a_stamp_are_looked_at_when_there_are_some() -> None:
    facts, mapping, config = _scd(column("m", "datetime2", 5))
    server = Server([(7, "1", "2", None, 0)], [(7, "11", "22")])
    probe = ask(server, probe_scd(facts, mapping, config, committed=None, ceiling=None))
    assert server.sent[1].text.rstrip().endswith("WHERE [m] IS NULL) AS x) AS h")
    assert probe.signature == f"7||stamps:7,1,2|unstamped:7,11,22|{mapping.schema_digest}"


def test_a_slot_with_rows_without_a_stamp_is_looked_at_again() -> None:
    facts = table(BY, column("m", "datetime2", 2), column("text", "nvarchar", 3), partitioning=PARTS)
    config = PartitionTableConfig(table_name="t", last_modified_column="m")
    mapping = map_columns(facts, config)
    server = Server([(1, 5, "1", "2", "2024", 5), (2, 10, "3", "4", "2024", 8)], [(2, 2, "11", "22")])
    probes = ask(server, probe_partitions(facts, mapping, config))
    assert "[text]" in server.sent[1].text
    assert probes[1].signature == f"5|1|2|2024|{mapping.schema_digest}"
    assert probes[2].signature == f"10|3|4|2024|unstamped:2,11,22|{mapping.schema_digest}"
    assert probes[2].watermark_high == "2024"


def test_a_first_look_reads_no_window() -> None:
    facts, mapping, config = _scd(column("m", "datetime2", 5))
    server = Server([(0, None, None, None, 0)])
    probe = ask(server, probe_scd(facts, mapping, config, committed=None, ceiling=None))
    assert (probe.rows, probe.watermark_high, len(server.sent)) == (0, None, 1)


def test_a_rowversion_watermark_stays_below_open_transactions() -> None:
    facts, mapping, config = _scd(column("rv", "rowversion", 5, is_nullable=False))
    server = Server([(7, "0x00000000000007D1", 7, 0, None)])
    probe = ask(server, probe_scd(facts, mapping, config, committed=None, ceiling="0x00000000000007D2"))
    assert set(server.sent[0].parameters) == {"0x00000000000007D2"}
    assert "MAX(CASE WHEN x.rv < CONVERT(binary(8), ?, 1)" in server.sent[0].text
    assert (probe.method, probe.held_back, len(server.sent)) == ("rowversion", None, 1)


def test_committed_rows_above_an_open_transaction_are_told_with_what_is_open() -> None:
    facts, mapping, config = _scd(column("rv", "rowversion", 5, is_nullable=False))
    first = [(7, "0x00000000000007D1", 7, 2, "4010")]
    server = Server(first, [(57, "app", "a\x1b[2J", None, "2026-01-15T11:00:00", 3600)])
    probe = ask(server, probe_scd(facts, mapping, config, committed=None, ceiling="0x00000000000007D2"))
    assert probe.signature == f"7|0x00000000000007D1|above:2,4010|{mapping.schema_digest}"
    assert probe.held_back is not None
    assert probe.held_back.sentence.startswith("2 committed rows lie at or above 0x00000000000007D2")
    assert "session 57 (login 'app', program 'a\\x1b[2J', host '')" in probe.held_back.sentence
    assert "since 2026-01-15T11:00:00 server time (3,600 seconds)" in probe.held_back.sentence
    assert probe == ask(
        Server(first, []), probe_scd(facts, mapping, config, committed=None, ceiling="0x00000000000007D2")
    )


def test_a_rowversion_needs_the_ceiling() -> None:
    facts, mapping, config = _scd(column("rv", "rowversion", 5, is_nullable=False))
    with pytest.raises(ValueError, match="without a ceiling"):
        ask(Server(), probe_scd(facts, mapping, config, committed=None, ceiling=None))


@pytest.mark.parametrize(
    ("algorithm", "function"),
    [("hashbytes_sha256", "SHA2_256"), ("hashbytes_md5", "'MD5'"), ("checksum", "CHECKSUM_AGG(BINARY_CHECKSUM(")],
)
def test_a_static_table_is_hashed_as_configured(algorithm: Any, function: str) -> None:
    facts = table(column("a", "int"))
    config = StaticTableConfig(table_name="t", hash_algorithm=algorithm)
    mapping = map_columns(facts, config)
    server = Server([(0, None, None)])
    probe = ask(server, probe_static(facts, mapping, config))
    assert function in server.sent[0].text
    assert (probe.method, probe.rows) == (algorithm, 0)
    assert probe.signature.startswith("0|||")
