"""DuckDB's SQL: the only file that quotes its identifiers and literals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from dltsync_core.identity import Target

Operator: TypeAlias = Literal["<", "<=", ">", ">=", "="]

NOTHING = "FALSE"
EVERYTHING = "TRUE"


def identifier(name: str) -> str:
    """The name in double quotes; a quote inside is doubled."""
    return '"' + name.replace('"', '""') + '"'


def identifiers(names: Sequence[str]) -> str:
    """The names, separated by commas."""
    return ", ".join(identifier(name) for name in names)


def qualified(*parts: str) -> str:
    """Catalog, schema, table: quoted and joined. Give the catalog: a schema of the catalog's name is ambiguous without."""
    return ".".join(identifier(part) for part in parts)


def text(value: str) -> str:
    """The value in single quotes; a quote inside is doubled. DuckDB has no escapes in plain literals."""
    return "'" + value.replace("'", "''") + "'"


def typed(value: str, type_name: str) -> str:
    """A literal of exactly one type, from text in that type's format."""
    return f"CAST({text(value)} AS {type_name})"


def blob(value: bytes) -> str:
    """A binary literal."""
    escaped = "".join(f"\\x{byte:02X}" for byte in value)
    return f"{text(escaped)}::BLOB"


def nanoseconds(since_1970: int) -> str:
    """A TIMESTAMP_NS literal. DuckDB refuses the first hours of that type's range as text."""
    return f"make_timestamp_ns({since_1970}::BIGINT)"


def compared(column: str, operator: Operator, literal: str) -> str:
    """One comparison. `literal` is one of this file's."""
    return f"{identifier(column)} {operator} {literal}"


def is_null(column: str) -> str:
    return f"{identifier(column)} IS NULL"


def is_not_null(column: str) -> str:
    return f"{identifier(column)} IS NOT NULL"


def all_of(conditions: Sequence[str]) -> str:
    """True when every condition is; conditions are not empty."""
    return " AND ".join(conditions)


def any_of(conditions: Sequence[str]) -> str:
    """True when one of the conditions is; conditions are not empty."""
    return " OR ".join(f"({condition})" for condition in conditions) if len(conditions) > 1 else conditions[0]


def count_where(catalog: str, target: Target, condition: str) -> str:
    """One row with the number of rows that meet the condition."""
    return f"SELECT count(*) FROM {qualified(catalog, *target)} WHERE {condition}"


def describe(catalog: str, target: Target) -> str:
    """Name, type and whether NULL is allowed (YES or NO), then more, for each column in order."""
    return f"DESCRIBE {qualified(catalog, *target)}"


def create_schema(catalog: str, schema: str) -> str:
    return f"CREATE SCHEMA IF NOT EXISTS {qualified(catalog, schema)}"


def drop_table(catalog: str, target: Target) -> str:
    return f"DROP TABLE IF EXISTS {qualified(catalog, *target)}"


def add_column(catalog: str, target: Target, column: str, type_name: str) -> str:
    return f"ALTER TABLE {qualified(catalog, *target)} ADD COLUMN {identifier(column)} {type_name}"


def allow_null(catalog: str, target: Target, column: str) -> str:
    return f"ALTER TABLE {qualified(catalog, *target)} ALTER COLUMN {identifier(column)} DROP NOT NULL"


def change_type(catalog: str, target: Target, column: str, type_name: str) -> str:
    return f"ALTER TABLE {qualified(catalog, *target)} ALTER COLUMN {identifier(column)} SET DATA TYPE {type_name}"


def count_inexact(catalog: str, target: Target, column: str, held: str, wider: str) -> str:
    """The number of values that differ after a conversion there and back. An error for a value that the wider type cannot
    hold."""
    name = identifier(column)
    there = f"TRY_CAST({name} AS {wider})"
    if wider in {"TIMESTAMP_MS", "TIMESTAMP_NS"}:
        # DuckDB has no cast from these to the coarser ones. What was coarser has nothing below a microsecond.
        there = f"TRY_CAST({there} AS TIMESTAMP)"
    there_and_back = f"TRY_CAST({there} AS {held})"
    return f"SELECT count(*) FROM {qualified(catalog, *target)} WHERE {there_and_back} IS DISTINCT FROM {name}"


def rename_column(catalog: str, target: Target, old: str, new: str) -> str:
    return f"ALTER TABLE {qualified(catalog, *target)} RENAME COLUMN {identifier(old)} TO {identifier(new)}"


def delete_where(catalog: str, target: Target, condition: str) -> str:
    """Delete the rows that meet the condition."""
    return f"DELETE FROM {qualified(catalog, *target)} WHERE {condition}"


def parquet(path: str) -> str:
    """A Parquet file as a relation. Folders named `key=value` in its path are not columns."""
    return f"read_parquet({text(path)}, hive_partitioning = false)"


def delete_keys_of(catalog: str, target: Target, relation: str, keys: Sequence[str]) -> str:
    """Delete the rows whose key is in the relation. Keys with NULL equal no other."""
    same = all_of([f"held.{identifier(key)} = given.{identifier(key)}" for key in keys])
    given = f"(SELECT DISTINCT {identifiers(keys)} FROM {relation}) AS given"
    return f"DELETE FROM {qualified(catalog, *target)} AS held USING {given} WHERE {same}"


def insert_from(catalog: str, target: Target, relation: str, columns: Sequence[str]) -> str:
    """Add the relation's rows, these columns of them by name."""
    named = identifiers(columns)
    return f"INSERT INTO {qualified(catalog, *target)} ({named}) SELECT {named} FROM {relation}"


def create_table(catalog: str, target: Target, columns: Mapping[str, str]) -> str:
    """A table that may exist already, from names and types."""
    described = ", ".join(f"{identifier(name)} {kind}" for name, kind in columns.items())
    return f"CREATE TABLE IF NOT EXISTS {qualified(catalog, *target)} ({described})"


def insert_rows(catalog: str, target: Target, columns: Sequence[str], count: int) -> str:
    """So many rows, each value a parameter, row by row."""
    places = ", ".join("?" for _ in columns)
    rows = ", ".join(f"({places})" for _ in range(count))
    return f"INSERT INTO {qualified(catalog, *target)} ({identifiers(columns)}) VALUES {rows}"


def select_rows(
    catalog: str, target: Target, columns: Sequence[str], equal: Sequence[str], among: str | None = None
) -> str:
    """Rows in which each column of `equal` has its parameter's value, and `among` one of those in the list that is the last
    parameter."""
    condition = _all_equal(equal) + _among(among)
    return f"SELECT {identifiers(columns)} FROM {qualified(catalog, *target)} WHERE {condition}"


def delete_rows(catalog: str, target: Target, equal: Sequence[str], among: str | None = None) -> str:
    """Delete such rows."""
    return f"DELETE FROM {qualified(catalog, *target)} WHERE {_all_equal(equal)}{_among(among)}"


def update_rows(catalog: str, target: Target, columns: Sequence[str], equal: Sequence[str]) -> str:
    """Give `columns` new values, each a parameter, in the rows in which each column of `equal` has its parameter's value."""
    values = ", ".join(f"{identifier(column)} = ?" for column in columns)
    return f"UPDATE {qualified(catalog, *target)} SET {values} WHERE {_all_equal(equal)}"


def _among(column: str | None) -> str:
    return f" AND {identifier(column)} IN (SELECT unnest(CAST(? AS VARCHAR[])))" if column is not None else ""


def _all_equal(columns: Sequence[str]) -> str:
    return " AND ".join(f"{identifier(column)} = ?" for column in columns)


def ranks(literals: Sequence[str]) -> str:
    """One row for each literal: its number from 0, and its place from 1 among their different values in ascending order."""
    rows = ", ".join(f"({number}, {literal})" for number, literal in enumerate(literals))
    return f"SELECT number, dense_rank() OVER (ORDER BY value) FROM (VALUES {rows}) AS literals(number, value)"


def first_met(conditions: Sequence[tuple[str, int]]) -> str:
    """The number that stands with the first condition that is true; NULL when none is. Conditions are not empty."""
    return f"CASE {' '.join(f'WHEN {condition} THEN {number}' for condition, number in conditions)} END"


def either(condition: str, met: str, otherwise: str) -> str:
    """One expression where the condition is true, the other one where it is false or NULL."""
    return f"CASE WHEN {condition} THEN {met} ELSE {otherwise} END"


def summarise(relation: str, condition: str, unit: str, figures: Sequence[str]) -> str:
    """One row for each value of `unit` among the rows that meet the condition: the value, the rows, the figures."""
    items = "".join(f", {figure} AS f{position}" for position, figure in enumerate(figures, start=1))
    return f"SELECT {unit} AS unit, count(*) AS n{items} FROM {relation} WHERE {condition} GROUP BY 1"


def summarise_all(relation: str, condition: str, figures: Sequence[str]) -> str:
    """The same of one unit, number 0: no row when no row meets the condition."""
    items = "".join(f", {figure} AS f{position}" for position, figure in enumerate(figures, start=1))
    return f"SELECT 0 AS unit, count(*) AS n{items} FROM {relation} WHERE {condition} HAVING count(*) > 0"


def everything(relation: str) -> str:
    """All columns and rows; DESCRIBE of it reads no row."""
    return f"SELECT * FROM {relation}"


def read(relation: str, columns: Sequence[str], condition: str) -> str:
    return f"SELECT {identifiers(columns)} FROM {relation} WHERE {condition}"


def time_of_day(column: str) -> str:
    """The text of a column as a time of day. An error for a text that is none."""
    return f"CAST({identifier(column)} AS TIME)"


def with_columns(relation: str, replaced: Mapping[str, str], added: Mapping[str, str]) -> str:
    """A relation in which some columns are expressions of it, and others come to it."""
    described = [f"{expression} AS {identifier(column)}" for column, expression in replaced.items()]
    items = [f"* REPLACE ({', '.join(described)})" if described else "*"]
    items += [f"{expression} AS {identifier(column)}" for column, expression in added.items()]
    return f"(SELECT {', '.join(items)} FROM {relation})"


def without(condition: str) -> str:
    """The opposite of a condition that is never NULL."""
    return f"NOT ({condition})"


def count_rows(relation: str, condition: str) -> str:
    """One row with the number of a relation's rows that meet the condition."""
    return f"SELECT count(*) FROM {relation} WHERE {condition}"


def answers(relation: str, column: str, conditions: Sequence[str]) -> str:
    """For every row the value of a column, and of each condition whether the row meets it."""
    return f"SELECT {identifier(column)}, {', '.join(conditions)} FROM {relation}"


def without_keys_of(relation: str, other: str, keys: Sequence[str]) -> str:
    """The rows of a relation, with repetitions, whose key is not in the other one. A key with NULL is in none."""
    same = all_of([f"one.{identifier(key)} = two.{identifier(key)}" for key in keys])
    return f"(SELECT one.* FROM {relation} AS one ANTI JOIN {other} AS two ON {same})"


def count_nulls(column: str) -> str:
    return f"count(*) - count({identifier(column)})"


def total(column: str, *, whole: bool = False) -> str:
    """The exact sum as text; `whole`: of a boolean, true counting as 1. For numbers that cannot overflow 38 digits together."""
    operand = f"CAST({identifier(column)} AS INTEGER)" if whole else identifier(column)
    return f"CAST(sum({operand}) AS VARCHAR)"


def half_of_total(column: str, digits: int, *, upper: bool) -> str:
    """The sum, as text, of the digits before (or of) the last digits of an exact number, as a whole number with its sign, in
    units of the last digit of its own type."""
    units = f"CAST(replace(CAST({identifier(column)} AS VARCHAR), '.', '') AS HUGEINT)"
    return f"CAST(sum({units} {'//' if upper else '%'} CAST({10**digits} AS HUGEINT)) AS VARCHAR)"


def least(column: str) -> str:
    return f"min({identifier(column)})"


def greatest(column: str) -> str:
    return f"max({identifier(column)})"


def newest(loads: Sequence[str], keys: Sequence[str]) -> str:
    """A relation with every key once: the row of the last of these relations that has it. NULLs count as equal."""
    numbered = " UNION ALL BY NAME ".join(
        f"SELECT *, {number} AS dltsync_load FROM {load}" for number, load in enumerate(loads)
    )
    window = f"PARTITION BY {identifiers(keys)} ORDER BY dltsync_load DESC"
    return f"(SELECT * FROM ({numbered}) QUALIFY row_number() OVER ({window}) = 1)"


def with_keys_of(relation: str, other: str, keys: Sequence[str]) -> str:
    """The rows of a relation, with repetitions, whose key is in the other one."""
    same = all_of([f"one.{identifier(key)} = two.{identifier(key)}" for key in keys])
    return f"(SELECT one.* FROM {relation} AS one SEMI JOIN {other} AS two ON {same})"


def set_to(setting: str, value: str) -> str:
    """Give one of DuckDB's own settings a text."""
    return f"SET {setting} = {text(value)}"


def count_keys(relation: str, columns: Sequence[str]) -> str:
    """One row: the rows, those with no NULL in these columns, the different values of the columns among the latter, and how many
    of these values occur in more than one row."""
    whole = _whole_keys(columns)
    return (
        f"SELECT coalesce(sum(n), 0), coalesce(sum(n) FILTER (WHERE {whole}), 0), count(*) FILTER (WHERE {whole}), "
        f"count(*) FILTER (WHERE n > 1 AND {whole}) FROM {_keys(relation, columns)}"
    )


def repeated_keys(relation: str, columns: Sequence[str], limit: int) -> str:
    """The first keys (without NULL) of more than one row, in order, and last the number of their rows."""
    return f"SELECT * FROM {_keys(relation, columns)} WHERE n > 1 AND {_whole_keys(columns)} ORDER BY ALL LIMIT {limit}"


def first_rows(relation: str, columns: Sequence[str], condition: str, limit: int) -> str:
    """These columns of the first rows that meet the condition, in order."""
    return f"SELECT {identifiers(columns)} FROM {relation} WHERE {condition} ORDER BY ALL LIMIT {limit}"


def _keys(relation: str, columns: Sequence[str]) -> str:
    """The different values of the columns as k0, k1 and so on, NULLs counting as equal, and as n how many rows have each."""
    keys = ", ".join(f"{identifier(column)} AS k{number}" for number, column in enumerate(columns))
    return f"(SELECT {keys}, count(*) AS n FROM {relation} GROUP BY ALL)"


def _whole_keys(columns: Sequence[str]) -> str:
    return all_of([f"k{number} IS NOT NULL" for number, _ in enumerate(columns)])
