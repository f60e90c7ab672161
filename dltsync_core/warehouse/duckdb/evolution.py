"""What must happen to a warehouse table before a load of another shape fits. Decided before anything is written.

Columns are only ever added, made to admit NULL, or widened to a type that holds the old values and the new ones exactly
(`duckdb.widening`). Any other change of type is refused: converting what is there, or writing the new values into the
old type, would change values behind the user's back. Nothing is ever narrowed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from dltsync_core.duckdb.column_types import duckdb_type, widest
from dltsync_core.errors import DriftError, UnsupportedColumn
from dltsync_core.identity import Target, dotted


@dataclass(frozen=True)
class WarehouseColumn:
    """A column as the warehouse has it."""

    name: str
    type: str
    nullable: bool


@dataclass(frozen=True)
class Evolution:
    """Changes to an existing table, in this order. `added` are names with their type; they admit NULL, because rows that are
    there already have no value for them. `widened` are names in the load's spelling with the type they have and the one they
    need."""

    renamed: tuple[tuple[str, str], ...] = ()
    relaxed: tuple[str, ...] = ()
    added: tuple[tuple[str, str], ...] = ()
    widened: tuple[tuple[str, str, str], ...] = ()


def plan_evolution(target: Target, existing: Sequence[WarehouseColumn], schema: pa.Schema) -> Evolution:
    """From the table's columns to the load's. Raises DriftError when no type holds what is there and what comes, with all such
    columns named."""
    held = {column.name.casefold(): column for column in existing}
    changed: list[str] = []
    renamed: list[tuple[str, str]] = []
    relaxed: list[str] = []
    added: list[tuple[str, str]] = []
    widened: list[tuple[str, str, str]] = []
    for field in schema:
        expected = duckdb_type(field.type)
        column = held.pop(field.name.casefold(), None)
        if column is None:
            added.append((field.name, expected))
            continue
        needed = widest(column.type, expected)
        if needed is None:
            changed.append(f"{field.name} is {column.type} in the warehouse and {expected} in the load")
        elif needed != column.type:
            widened.append((field.name, column.type, needed))
        if column.name != field.name:
            renamed.append((column.name, field.name))
        if field.nullable and not column.nullable:
            relaxed.append(field.name)
    if changed:
        raise changed_shape(target, changed)
    relaxed.extend(
        column.name for column in held.values() if not column.nullable
    )  # gone at the source: NULL from now on
    return Evolution(tuple(renamed), tuple(relaxed), tuple(added), tuple(widened))


def changed_shape(target: Target, changed: Sequence[str]) -> DriftError:
    """The refusal of a load whose shape the table cannot take, with one sentence part for each column."""
    return DriftError(
        f"the shape of {dotted(*target)} changed: {'; '.join(changed)}. Nothing was written to the warehouse",
        remedy="drop the warehouse table, or choose another target_table, and run with --full-refresh; "
        "or set column_representation so that the type stays as it was",
        table=dotted(*target),
    )


def check_names(target: Target, schema: pa.Schema, *, taken_for_one_by: str = "DuckDB") -> None:
    """Raises UnsupportedColumn when two columns differ in case only. `taken_for_one_by` is the subject of the sentence on it."""
    seen: dict[str, str] = {}
    for name in schema.names:
        other = seen.setdefault(name.casefold(), name)
        if other is not name:
            raise UnsupportedColumn(
                f"{dotted(*target)}: the columns {other!r} and {name!r} differ in upper and lower case only; "
                f"{taken_for_one_by} takes them for the same column",
                remedy=f"add one of them to exclude_columns, for instance {name!r}",
                column=name,
            )


def unexpected_types(existing: Sequence[WarehouseColumn], schema: pa.Schema) -> Mapping[str, tuple[str, str]]:
    """Columns of a table just loaded that do not hold what the load called for: (expected, found). Empty when all do."""
    found = {column.name: column.type for column in existing}
    wanted = {field.name: duckdb_type(field.type) for field in schema}
    return {
        name: (expected, found.get(name, "missing"))
        for name, expected in wanted.items()
        if name not in found or widest(found[name], expected) != found[name]
    }
