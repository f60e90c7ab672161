"""Options that several commands share, and the functions that split their values."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from dltsync_core.errors import ConfigError
from dltsync_core.ranges import parse_key

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="Config file (YAML or TOML). Default: $DLT_SYNC_CONFIG, else ./dltsync.yaml.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object to stdout. Logs go to stderr.")]
TablesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--tables",
        "-t",
        metavar="TABLES",
        help="Only these tables: sales.Orders,dbo.Customers. Repeatable. Put a name with a dot, comma or bracket into brackets: "
        "'[a.b].[c]'.",
        show_default=False,
    ),
]
KindsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--kinds",
        "-k",
        metavar="KINDS",
        help="Only tables of these kinds: partition, scd, static. Repeatable.",
        show_default=False,
    ),
]
PartitionsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--partitions",
        "-p",
        metavar="KEYS",
        help="Only these partitions, by key: '[2024-01-01,2024-02-01)'. Repeatable; one argument may hold several keys.",
        show_default=False,
    ),
]
AcceptDriftOption = Annotated[
    list[str] | None,
    typer.Option(
        "--accept-drift",
        metavar="TABLES",
        help="Accept the changed columns of these tables, whose schema_drift is `ask`: sales.Orders. Repeatable.",
        show_default=False,
    ),
]


class Answers(str, Enum):
    """The answers to a question of `recover` (`plan.judgement.Answer`)."""

    QUARANTINE = "quarantine"
    ACCEPT_LOSS = "accept-loss"


_NAMES = re.compile(r"(?:\[(?:[^\]]|\]\])+\]|[^,])+")
_AS_PRINTED = "Give keys as `dltsync plan` prints them: '[2024-01-01,2024-02-01)' or '(2024-01-01,2024-02-01]'."
_KEY = re.compile(r"[\[(][^\[\]()]*[\])]")


def split_names(values: Sequence[str] | None) -> list[str] | None:
    """Names given as `a,b` or by repeating the option; None when the option was not used.

    A comma in brackets belongs to a name.
    """
    if not values:
        return None
    return [name.strip() for value in values for name in _NAMES.findall(value) if name.strip()]


def split_partition_keys(values: Sequence[str] | None) -> list[str] | None:
    """Partition keys, which contain commas themselves. Raises ConfigError for text that is no key."""
    if not values:
        return None
    keys: list[str] = []
    for value in values:
        found = _KEY.findall(value)
        rest = _KEY.sub("", value).strip(" ,")
        if rest or not found:
            raise ConfigError(
                f"--partitions {value!r} is not a partition key.",
                remedy=_AS_PRINTED,
            )
        for key in found:
            try:
                parse_key(key)
            except ValueError as problem:
                raise ConfigError(f"--partitions: {problem}.", remedy=_AS_PRINTED) from problem
        keys += found
    return keys
