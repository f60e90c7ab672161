"""Names a caller gives are understood or refused with a suggestion."""

from __future__ import annotations

import pytest

from dltsync_core.config import PartitionTableConfig, SCDTableConfig, StaticTableConfig, TableConfig
from dltsync_core.errors import ConfigError
from dltsync_core.plan.selection import check_partition_keys, find_table, select_tables

TABLES: tuple[TableConfig, ...] = (
    PartitionTableConfig(table_name="Orders", schema_name="sales"),
    SCDTableConfig(table_name="Customers", schema_name="sales", last_modified_column="Changed"),
    StaticTableConfig(table_name="Countries"),
    StaticTableConfig(table_name="Orders", schema_name="archive"),
)


@pytest.mark.parametrize("name", ["sales.Orders", "SALES.orders", " sales.Orders "])
def test_a_full_name_is_found_whatever_its_case(name: str) -> None:
    assert find_table(TABLES, name) is TABLES[0]


def test_a_bare_name_is_enough_when_it_is_the_only_one() -> None:
    assert find_table(TABLES, "countries") is TABLES[2]


def test_an_ambiguous_name_lists_the_choices() -> None:
    with pytest.raises(ConfigError, match=r"sales\.Orders, archive\.Orders"):
        find_table(TABLES, "Orders")


HIDDEN: tuple[TableConfig, ...] = (
    StaticTableConfig(table_name="c", schema_name="a.b"),
    StaticTableConfig(table_name="b.c", schema_name="a"),
)


@pytest.mark.parametrize(
    ("name", "number"),
    [("[a.b].[c]", 0), ("[A.B].c", 0), ("c", 0), ("[a].[b.c]", 1), ("a.[B.C]", 1), ("[b.c]", 1)],
)
def test_names_with_dots_are_told_apart_by_their_brackets(name: str, number: int) -> None:
    assert find_table(HIDDEN, name) is HIDDEN[number]
    assert select_tables(HIDDEN, names=[name]) == (HIDDEN[number],)


@pytest.mark.parametrize("name", ["a.b.c", "b.c"])
def test_a_name_with_dots_and_without_brackets_is_refused_with_one_that_is_right(name: str) -> None:
    with pytest.raises(ConfigError, match=r"did you mean \[a"):
        find_table(HIDDEN, name)


def test_a_misspelt_name_gets_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"no table 'sales\.Custmers'.*\n.*did you mean sales\.Customers\?"):
        find_table(TABLES, "sales.Custmers")


def test_a_name_unlike_any_gets_the_list() -> None:
    with pytest.raises(ConfigError, match=r"configured tables: archive\.Orders, dbo\.Countries"):
        find_table(TABLES, "zzz")


def test_kinds_and_names_narrow_down_in_config_order() -> None:
    assert select_tables(TABLES) == TABLES
    assert select_tables(TABLES, kinds=["static"]) == (TABLES[2], TABLES[3])
    assert select_tables(TABLES, names=["Countries", "sales.Orders"]) == (TABLES[0], TABLES[2])
    assert select_tables(TABLES, kinds=["Static", "scd"], names=["Countries"]) == (TABLES[2],)


def test_an_unknown_kind_lists_the_kinds() -> None:
    with pytest.raises(ConfigError, match=r"no table kind 'scd2'.*\n.*partition, scd, static"):
        select_tables(TABLES, kinds=["scd2"])


def test_filters_that_leave_nothing_are_refused() -> None:
    with pytest.raises(ConfigError, match="no configured table"):
        select_tables(TABLES, kinds=["scd"], names=["Countries"])
    with pytest.raises(ConfigError, match="no configured table"):
        select_tables(TABLES, names=[])


def test_partition_keys_must_exist() -> None:
    known = ["[2024-01-01,2024-02-01)", "[2024-02-01,2024-03-01)"]
    assert check_partition_keys([known[0]], known) == {known[0]}
    with pytest.raises(ConfigError, match=r"did you mean \[2024-01-01,2024-02-01\)\?"):
        check_partition_keys(["[2024-01-01,2024-02-02)"], known)
    with pytest.raises(ConfigError, match="empty"):
        check_partition_keys([], known)
