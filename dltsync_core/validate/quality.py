"""Quality rules of a static table, checked on the staged files: rows that break them are counted, never changed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import time
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from dltsync_core.config import QualityRule
from dltsync_core.config.error_messages import nearest
from dltsync_core.config.memory_budget import DuckDbMemory
from dltsync_core.display import number_of
from dltsync_core.duckdb.scratch import distinct_rows
from dltsync_core.errors import ColumnNotFound, ConfigError
from dltsync_core.lake.file_reader import dataset_of
from dltsync_core.typemap.mapping import SQL_TYPE_KEY
from dltsync_core.typemap.uuids import is_uuid, storage, type_name

_FIXED_LENGTH = re.compile(r"n?char\((\d+)\)")

Severity = Literal["error", "warn"]


@dataclass(frozen=True)
class RuleViolation:
    """A rule that does not hold: `rows` break it. `rule` says which one, in words."""

    column: str
    rule: str
    rows: int
    severity: Severity

    def __str__(self) -> str:
        return f"{self.column}: {self.rule}: {number_of(self.rows, 'row')}"


def resolve_rules(rules: Sequence[QualityRule], schema: pa.Schema) -> tuple[QualityRule, ...]:
    """The rules with the schema's own column names, resolved before anything is read.

    Raises ColumnNotFound (nearest name suggested), and ConfigError for a bound that is no value of its column's type.
    """
    by_folded = {name.casefold(): name for name in schema.names}
    resolved = []
    for rule in rules:
        name = by_folded.get(rule.column.casefold())
        if name is None:
            hint = nearest(rule.column, schema.names)
            remedy = f"did you mean {hint}?" if hint else f"columns: {', '.join(schema.names)}"
            raise ColumnNotFound(f"a quality rule names the column {rule.column!r}, which is not loaded", remedy=remedy)
        field = schema.field(name)
        bounds = {
            "min": _as_the_type_is_written(rule.min, field),
            "max": _as_the_type_is_written(rule.max, field),
            "allowed": None if rule.allowed is None else tuple(_as_the_type_is_written(v, field) for v in rule.allowed),
        }
        for value in (bounds["min"], bounds["max"], *(bounds["allowed"] or ())):
            if value is not None:
                _scalar(value, name, field.type)
        resolved.append(rule.model_copy(update={"column": name, **bounds}))
    return tuple(resolved)


def _as_the_type_is_written(value: Any, field: pa.Field[Any]) -> Any:
    """The value as its column holds it: a uniqueidentifier in capitals, a char(n) filled up with blanks. Raises ConfigError."""
    declared = (field.metadata or {}).get(SQL_TYPE_KEY, b"").decode()
    if is_uuid(field.type):
        return value if value is None or isinstance(value, bool) else _uuid_text(str(value), field.name)
    if not pa.types.is_string(field.type) and not pa.types.is_large_string(field.type):
        return value
    if isinstance(value, (float, Decimal)):
        raise ConfigError(
            f"a quality rule compares {field.name} ({declared or field.type}) with a number, whose text in the config is lost",
            remedy=f"put it in quotes, as the column holds it: '{value}'",
        )
    if not isinstance(value, str):
        return value
    if declared == "uniqueidentifier":
        return _uuid_text(value, field.name)
    fixed = _FIXED_LENGTH.fullmatch(declared)
    return value.ljust(int(fixed[1])) if fixed else value


def _uuid_text(written: str, column: str) -> str:
    try:
        return str(UUID(written)).upper()
    except ValueError:
        raise ConfigError(
            f"a quality rule compares {column} (uniqueidentifier) with {written!r}, which is not a uniqueidentifier",
            remedy="write 32 hexadecimal digits with hyphens: 6F9619FF-8B86-D011-B42D-00C04FC964FF",
        ) from None


def check_rules(rules: Sequence[QualityRule], files: Sequence[Path], memory: DuckDbMemory) -> tuple[RuleViolation, ...]:
    """The violations in these files. Rules are those of `resolve_rules`. Reads one column at a time, batch by batch."""
    if not rules:
        return ()
    dataset = dataset_of(files)
    return tuple(finding for rule in rules for finding in _check(rule, dataset, files, memory))


def _check(
    rule: QualityRule, dataset: ds.Dataset, files: Sequence[Path], memory: DuckDbMemory
) -> Iterator[RuleViolation]:
    column = rule.column
    kind = dataset.schema.field(column).type
    nulls = broken_low = broken_high = strangers = 0
    allowed = None if rule.allowed is None else _values(rule.allowed, column, kind)
    for batch in dataset.to_batches(columns=[column]):
        values = storage(batch.column(0))
        nulls += values.null_count
        broken_low += 0 if rule.min is None else _true(pc.less(values, _scalar(rule.min, column, kind)))
        broken_high += 0 if rule.max is None else _true(pc.greater(values, _scalar(rule.max, column, kind)))
        if allowed is not None:
            strangers += _true(pc.and_(pc.is_valid(values), pc.invert(pc.is_in(values, value_set=allowed))))
    if rule.not_null and nulls:
        yield RuleViolation(column, "must not be NULL", nulls, rule.severity)
    if broken_low:
        yield RuleViolation(column, f"must not be below {rule.min}", broken_low, rule.severity)
    if broken_high:
        yield RuleViolation(column, f"must not be above {rule.max}", broken_high, rule.severity)
    if strangers:
        yield RuleViolation(column, "holds a value that is not allowed", strangers, rule.severity)
    if rule.unique:
        surplus = surplus_rows(files, [column], memory) - max(nulls - 1, 0)
        if surplus:
            yield RuleViolation(column, "must be unique; beyond the first of each value", surplus, rule.severity)


def _true(flags: Any) -> int:
    return int(pc.sum(flags).as_py() or 0)


def _values(values: Sequence[Any], column: str, kind: pa.DataType) -> Any:
    scalars = [_scalar(value, column, kind) for value in values]
    return pa.array([scalar.as_py() for scalar in scalars], type=scalars[0].type if scalars else kind)


def _scalar(value: bool | float | str | Decimal, column: str, kind: pa.DataType) -> Any:
    """The value in the column's type, a UUID as its sixteen bytes; text is read as that type (dates and times as ISO). Raises
    ConfigError."""
    if isinstance(value, bool) != pa.types.is_boolean(kind):
        raise ConfigError(
            f"a quality rule compares {column} ({type_name(kind)}) with {value!r}",
            remedy="bit columns are compared with true and false, and no others are; for a text put it in quotes: 'true'",
        )
    try:
        return _in_type(str(value), kind) if not isinstance(value, bool) else pa.scalar(value)
    except (ValueError, pa.ArrowNotImplementedError) as error:  # ArrowInvalid is a ValueError
        raise ConfigError(
            f"a quality rule compares {column} ({type_name(kind)}) with {value!r}: {error}",
            remedy="give a value of the column's type; dates and times as in 2024-01-31T23:59:59",
        ) from error


def _in_type(text: str, kind: pa.DataType) -> Any:
    if is_uuid(kind):
        return pa.scalar(UUID(text).bytes, type=pa.binary(16))
    if pa.types.is_time(kind):
        return pa.scalar(time.fromisoformat(text), type=kind)
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return pa.scalar(bytes.fromhex(text.removeprefix("0x")), type=kind)
    return pc.cast(pa.scalar(text), kind)


def surplus_rows(files: Sequence[Path], columns: Sequence[str], memory: DuckDbMemory) -> int:
    """How many rows there are beyond the first of each key; NULLs count as equal. 0 means the key is unique.

    DuckDB counts, because it spills to disk, while a Python set would hold every key in memory.
    """
    dataset = dataset_of(files)
    rows = dataset.count_rows()
    reader = dataset.scanner(columns=list(columns)).to_reader()
    return rows - distinct_rows(reader, memory)
