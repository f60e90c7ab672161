"""Which tables the patterns of a config stand for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dltsync_core.catalog.facts import ListedTable
from dltsync_core.config import PipelineConfig
from dltsync_core.errors import ConfigError
from dltsync_core.identity import TableName
from dltsync_core.plan.table_patterns import matched_tables, needs_columns

VERSIONS = ("Id", "ISLATEST", "EffectiveDate", "EndDate", "Changed")
LISTED = [
    ListedTable(TableName("sales", "Orders"), is_partitioned=True),
    ListedTable(TableName("sales", "Lines"), is_partitioned=True),
    ListedTable(TableName("Sales", "Kinds"), is_partitioned=False),
    ListedTable(TableName("sales", "Customers"), is_partitioned=False, columns=VERSIONS),
    ListedTable(TableName("sales", "Orders_backup"), is_partitioned=False),
    ListedTable(TableName("hr", "a.b"), is_partitioned=False),
]


def config(**sections: list[dict[str, Any]]) -> PipelineConfig:
    database = {"server": "s", "database": "d", "username": "u", "password": "p"}
    return PipelineConfig(database=database, **sections)


def found(settings: PipelineConfig, listed: list[ListedTable] = LISTED) -> tuple[dict[str, str], tuple[str, ...]]:
    """The kind of each table, and the notes."""
    matched = matched_tables(settings, listed)
    assert matched.config.patterns == ()
    return {str(table.name): table.kind for table in matched.config.tables}, matched.notes


def test_every_table_goes_to_the_first_section_that_it_fits() -> None:
    kinds, notes = found(
        config(
            partition_tables=[{"match": "sales.*"}],
            scd_tables=[{"match": "sales.*", "last_modified_column": "Changed"}],
            static_tables=[{"match": "sales.*", "exclude": ["*_BACKUP"]}, {"match": "hr.*"}],
        )
    )
    assert kinds == {
        "sales.Orders": "partition",
        "sales.Lines": "partition",
        "sales.Customers": "scd",
        "Sales.Kinds": "static",
        "[hr].[a.b]": "static",
    }
    (note,) = notes
    assert note.startswith(
        "not loaded, because no pattern of their kind fits: sales.Orders_backup is not on a partition"
    )
    assert "(match 'sales.*' of partition_tables)" in note


def test_a_table_that_is_named_is_as_its_entry_says_and_no_pattern_counts() -> None:
    matched = matched_tables(
        config(
            partition_tables=[{"match": "sales.*", "schema_drift": "freeze"}],
            static_tables=[{"schema_name": "SALES", "table_name": "orders", "load_strategy": "upsert"}],
        ),
        LISTED,
    ).config
    assert {str(t.name): (t.kind, t.schema_drift) for t in matched.tables} == {
        "sales.Lines": ("partition", "freeze"),
        "SALES.orders": ("static", "evolve"),
    }


def test_fields_of_a_pattern_hold_for_each_of_its_tables() -> None:
    matched = matched_tables(
        config(
            static_tables=[
                {
                    "match": "sales.?????",
                    "target_schema": "house",
                    "tags": {"a": "b"},
                    "quality": [{"column": "Id", "not_null": True}],
                    "force_reload_after": "7d",
                }
            ]
        ),
        LISTED,
    ).config
    assert [str(table.name) for table in matched.tables] == ["Sales.Kinds", "sales.Lines"]
    for table in matched.static_tables:
        assert matched.target_of(table) == ("house", table.table_name)  # type: ignore[union-attr, arg-type]
        assert (table.tags, table.quality[0].column) == ({"a": "b"}, "Id")
        assert table.force_reload_after is not None


def test_a_pattern_that_fits_nothing_is_said() -> None:
    kinds, notes = found(config(static_tables=[{"match": "nix.*"}, {"table_name": "t"}]))
    assert kinds == {"dbo.t": "static"}
    assert notes == ("match 'nix.*' of static_tables fits no table that this login sees",)


def test_when_nothing_is_left_that_is_an_error_with_the_reasons() -> None:
    with pytest.raises(ConfigError, match="no table is left to load: match 'nix") as caught:
        matched_tables(config(static_tables=[{"match": "nix.*"}]), LISTED)
    assert "correct the patterns" in caught.value.remedy


def test_tables_without_the_columns_of_versions_are_named_with_the_column() -> None:
    settings = config(scd_tables=[{"match": "sales.*", "last_modified_column": "Changed"}])
    assert needs_columns(settings)
    kinds, notes = found(settings)
    assert kinds == {"sales.Customers": "scd"}
    assert "sales.Lines has no column Changed (match 'sales.*' of scd_tables)" in notes[0]
    assert not needs_columns(config(static_tables=[{"match": "*.*"}]))


def test_two_matched_tables_of_one_target_are_refused_with_both_names() -> None:
    listed = [ListedTable(TableName(schema, "T"), is_partitioned=False) for schema in ("a", "b")]
    with pytest.raises(ConfigError, match=r"tables a\.T and b\.T would both become warehouse\.T"):
        matched_tables(config(static_tables=[{"match": "*.T"}]), listed)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"match": "a.b.c"}, r"static_tables\[0\]\.match: 'a.b.c' is not a pattern"),
        ({"match": "a.*", "exclude": ["a.b.c"]}, r"static_tables\[0\]\.exclude\[0\]"),
        ({"match": "a.*", "table_name": "x"}, r"static_tables\[0\]\.table_name: unknown field"),
        ({"match": "a.*", "shema_drift": "ask"}, "did you mean `schema_drift`"),
        ({"table_nam": "x"}, "did you mean `table_name`"),
    ],
)
def test_a_wrong_entry_is_named_by_its_path(entry: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config(static_tables=[entry])


NAMES = st.sampled_from(["a", "b", "ab", "c"])


@given(
    st.sets(st.tuples(NAMES, NAMES), min_size=1),
    st.lists(
        st.tuples(st.sampled_from(["*", "a*", "?", "b"]), st.sampled_from(["*", "a*", "?"])), min_size=1, max_size=3
    ),
)
def test_every_listed_table_that_a_static_pattern_fits_is_taken_once(
    names: set[tuple[str, str]], patterns: list[tuple[str, str]]
) -> None:
    listed = [ListedTable(TableName(*name), is_partitioned=False) for name in names]
    entries = [{"match": f"{schema}.{table}", "target_schema": "x"} for schema, table in patterns]
    settings = config(static_tables=[*entries, {"table_name": "other"}])
    wanted = {one.name for one in listed if any(pattern.fits(one.name) for pattern in settings.patterns)}
    if len({name.table for name in wanted}) < len(wanted):
        with pytest.raises(ConfigError, match="would both become"):
            matched_tables(settings, listed)
        return
    taken = [table.name for table in matched_tables(settings, listed).config.tables]
    assert sorted(taken) == sorted([*wanted, TableName("dbo", "other")])
