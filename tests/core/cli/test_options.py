"""What is written on the command line: several names in one argument, names in brackets, keys of partitions."""

from __future__ import annotations

import pytest

from dltsync_core.cli.options import split_names, split_partition_keys
from dltsync_core.errors import ConfigError


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (None, None),
        (["sales.Orders, dbo.Customers", "x"], ["sales.Orders", "dbo.Customers", "x"]),
        (["[a.b].[c],[a].[b.c]"], ["[a.b].[c]", "[a].[b.c]"]),
        (["[a,b].[c]]d,e]"], ["[a,b].[c]]d,e]"]),
        (["[a,b"], ["[a", "b"]),
    ],
)
def test_a_comma_separates_names_but_not_within_brackets(values: list[str] | None, names: list[str] | None) -> None:
    assert split_names(values) == names


def test_keys_with_infinite_ends_are_taken_apart() -> None:
    assert split_partition_keys(["(-inf,10),[10,20)", "[20,+inf)"]) == ["(-inf,10)", "[10,20)", "[20,+inf)"]


def test_a_closed_infinite_end_is_refused_with_the_key_that_is_meant() -> None:
    with pytest.raises(ConfigError, match=r"--partitions: .*an infinite end is open; write '\(-inf,10\)'"):
        split_partition_keys(["[-inf,10)"])
