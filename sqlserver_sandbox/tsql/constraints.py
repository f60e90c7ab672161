"""Constraints that are declared on a table, as values: defaults, checks, foreign keys. Keys are indexes (`catalogue.Index`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Default:
    """A DEFAULT constraint: its text as written (re-bound for each INSERT)."""

    object_id: int
    name: str
    text: str
    is_system_named: bool = False


@dataclass(frozen=True)
class Check:
    """A CHECK constraint. `text` is its definition as the catalogue shows it; `column_id` 0 for one of the table.

    Trusted: all rows were looked at when it was made or last enabled WITH CHECK, and no load has skipped it since.
    """

    object_id: int
    name: str
    text: str
    column_id: int = 0
    is_trusted: bool = True
    is_disabled: bool = False
    is_system_named: bool = False


@dataclass(frozen=True)
class ForeignKey:
    """A FOREIGN KEY constraint: columns of the table, and the columns of the referenced table they match, in order."""

    object_id: int
    name: str
    columns: tuple[int, ...]
    referenced_object_id: int
    referenced_columns: tuple[int, ...]
    key_index_id: int
    is_trusted: bool = True
    is_disabled: bool = False
    is_system_named: bool = False


def check_from_json(raw: dict[str, Any]) -> Check:
    return Check(**raw)


def foreign_key_from_json(raw: dict[str, Any]) -> ForeignKey:
    lists = ("columns", "referenced_columns")
    return ForeignKey(**{**raw, **{name: tuple(raw[name]) for name in lists}})
