"""Probes: the statements for each kind of table, and the probe from their results.

A probe is a generator (`extract.questions`): the probes of many tables are asked for together, or one alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from dltsync_core.catalog.facts import ColumnFacts, PartitioningFacts, TableFacts
from dltsync_core.committed import Probe
from dltsync_core.config import PartitionTableConfig, SCDTableConfig, StaticTableConfig, TableConfig
from dltsync_core.errors import CatalogError, NotPartitioned, QueryError
from dltsync_core.extract.questions import MayBeRefused, Questions
from dltsync_core.held_back import HeldBack, OpenTransaction
from dltsync_core.plan.evidence import ABOVE, RECENT, STAMPS, UNSTAMPED, PartName, signature
from dltsync_core.plan.keys import row_key, stamped_columns
from dltsync_core.plan.window import window_after
from dltsync_core.tsql.conditions import is_null, retention_condition, stamped_window
from dltsync_core.tsql.digest import digest_by_slot, digest_rows
from dltsync_core.tsql.fragments import join
from dltsync_core.tsql.probes import (
    checksum_table,
    count_by_slot,
    rowversion_by_slot,
    rowversions,
    slot_number,
)
from dltsync_core.tsql.session import open_transactions
from dltsync_core.typemap.columns import find_column
from dltsync_core.typemap.mapping import TableMapping

Probed: TypeAlias = "Probe | dict[int, Probe]"
"""The probe of a table, or of each slot of a partition table by its number."""


@dataclass(frozen=True)
class ProbedTable:
    """A table to probe. `committed` is the watermark that an scd table's probe is compared from."""

    facts: TableFacts
    mapping: TableMapping
    config: TableConfig
    committed: str | None = None


def questions_of(table: ProbedTable, *, ceiling: str | None) -> Questions[Probed]:
    """The probe of a table of any kind. Raises as `probe_partitions`, `probe_scd` and `probe_static`."""
    if isinstance(table.config, PartitionTableConfig):
        return (yield from probe_partitions(table.facts, table.mapping, table.config))
    if isinstance(table.config, SCDTableConfig):
        return (
            yield from probe_scd(table.facts, table.mapping, table.config, committed=table.committed, ceiling=ceiling)
        )
    return (yield from probe_static(table.facts, table.mapping, table.config))


def change_method(facts: TableFacts, table: PartitionTableConfig) -> tuple[str, ColumnFacts | None]:
    """How changes of a partition are detected, and by which column. `auto`: rowversion, else last_modified, else fingerprint.

    Raises ColumnNotFound, CatalogError when rowversion is configured and the table has none.
    """
    rowversion = next((c for c in facts.columns if c.type_name == "rowversion"), None)
    modified = table.last_modified_column
    method = table.change_detection
    if method == "auto":
        method = "rowversion" if rowversion else "last_modified" if modified else "fingerprint"
    if method == "rowversion":
        if rowversion is None:
            raise CatalogError(
                f"{facts.name}: change_detection is rowversion, but no column is of that type",
                remedy="use auto, last_modified or fingerprint",
            )
        return method, rowversion
    if method == "last_modified" and modified is not None:
        column = find_column(facts, modified, "last_modified_column")
        return ("rowversion" if column.type_name == "rowversion" else method), column
    return method, None


def probe_partitions(
    facts: TableFacts, mapping: TableMapping, table: PartitionTableConfig
) -> Questions[dict[int, Probe]]:
    """The probe of every slot, by slot number, with one statement, and another one when rows are not stamped; a slot without
    rows has a probe of 0 rows.

    No maximum, sum or digest of the change column covers rows where it is NULL: their whole content is digested.
    """
    partitioning = facts.partitioning
    if partitioning is None:
        raise NotPartitioned(f"{facts.name} is not partitioned", remedy="configure it as static or scd")
    method, column = change_method(facts, table)
    slot, condition = slot_number(partitioning.function, partitioning.column), retention_condition(partitioning)
    if method == "rowversion" and column is not None:
        statement = rowversion_by_slot(facts.name, slot, column, condition)
    elif method == "last_modified" and column is not None:
        # The key beside the stamp: a row that replaces another one may have the same stamp.
        keys = [find_column(facts, key, "key") for key in row_key(facts) if key != column.name]
        statement = digest_by_slot(facts.name, [*keys, column], slot, high=column, condition=condition)
    elif method == "row_count":
        statement = count_by_slot(facts.name, slot, condition)
    else:
        statement = digest_by_slot(facts.name, [m.column for m in mapping.columns], slot, condition=condition)
    answers = {number: tuple(rest) for number, *rest in (yield statement)}
    unstamped: dict[int, str] = {}
    if column is not None:
        unstamped = yield from _unstamped_by_slot(facts, mapping, partitioning, column, answers)
    found: dict[int, Probe] = {}
    for number, (rows, *rest) in answers.items():
        figures, high = (rest[:-1], rest[-2]) if column is not None else (rest, None)
        named: dict[PartName, str] = {UNSTAMPED: unstamped[number]} if number in unstamped else {}
        text = signature(rows, *figures, named=named, schema_digest=mapping.schema_digest)
        found[number] = Probe(method, rows, text, high)
    empty = Probe(method, 0, signature(0, schema_digest=mapping.schema_digest))
    return {slot.number: found.get(slot.number, empty) for slot in partitioning.slots}


def _unstamped_by_slot(
    facts: TableFacts,
    mapping: TableMapping,
    partitioning: PartitioningFacts,
    column: ColumnFacts,
    answers: Mapping[int, tuple[Any, ...]],
) -> Questions[dict[int, str]]:
    """The digest of the whole content of the rows without a stamp, of the slots that have such rows. `answers` begin
    with all rows and end with the stamped ones."""
    if all(rows == stamped for rows, *_, stamped in answers.values()):
        return {}
    content, slot = [m.column for m in mapping.columns], slot_number(partitioning.function, partitioning.column)
    conditions = [is_null(column), retention_condition(partitioning)]
    condition = join(" AND ", [part for part in conditions if part is not None])
    found = yield digest_by_slot(facts.name, content, slot, condition=condition)
    return {number: _figures(figures) for number, *figures in found}


def probe_scd(
    facts: TableFacts,
    mapping: TableMapping,
    table: SCDTableConfig,
    *,
    committed: str | None,
    ceiling: str | None,
) -> Questions[Probe]:
    """Count, highest change position, and evidence of every row: by a date or time the digest of keys and stamps of all rows and
    of the whole content of those that an increment after `committed` reads again; by a rowversion, which no row has twice, the
    count and the sum of those at or above `ceiling`, below which the highest position stays: no transaction is open there. Rows
    without a stamp or rowversion are compared by their whole content.

    Raises ValueError for a rowversion without a ceiling, and the errors of the query.
    """
    modified = find_column(facts, table.last_modified_column, "last_modified_column")
    content = [m.column for m in mapping.columns]
    named: dict[PartName, str] = {}
    held_back = None
    if modified.type_name == "rowversion":
        if ceiling is None:
            raise ValueError(f"{facts.name}: the read view was opened without a ceiling")
        ((rows, high, stamped, above, total),) = yield rowversions(facts.name, modified, ceiling)
        if above:
            named[ABOVE] = _figures((above, total))
            held_back = yield from find_held_back(above, ceiling)
    else:
        stamps = [find_column(facts, name, "business_key_columns") for name in stamped_columns(facts, table)]
        ((rows, *lanes, high, stamped),) = yield digest_rows(facts.name, stamps, None, high=modified)
        named[STAMPS] = _figures((rows, *lanes))
        if committed is not None:
            window = window_after(committed, high, type_name=modified.type_name, lag_seconds=table.lag_seconds)
            recent = stamped_window(modified, window.low, committed)
            (figures,) = yield digest_rows(facts.name, content, recent)
            named[RECENT] = _figures(figures)
    if stamped < rows:
        (figures,) = yield digest_rows(facts.name, content, is_null(modified))
        named[UNSTAMPED] = _figures(figures)
    method = "rowversion" if modified.type_name == "rowversion" else "last_modified"
    text = signature(rows, high, named=named, schema_digest=mapping.schema_digest)
    return Probe(method, rows, text, high, held_back)


def find_held_back(rows: int, ceiling: str) -> Questions[HeldBack]:
    """The transactions that hold the watermark back. For a login without the right to see other sessions the reason says so."""
    try:
        found = yield MayBeRefused(open_transactions())
    except (QueryError, CatalogError) as error:
        return HeldBack(rows, ceiling, refused=error.problem)
    return HeldBack(rows, ceiling, tuple(_transaction(*row) for row in found))


def _transaction(
    session: int | None, login: str | None, program: str | None, host: str | None, since: str, seconds: int
) -> OpenTransaction:
    return OpenTransaction(session, login or "", program or "", host or "", since, seconds)


def probe_static(facts: TableFacts, mapping: TableMapping, table: StaticTableConfig) -> Questions[Probe]:
    """The digest of the whole content, by the configured hash."""
    columns = [m.column for m in mapping.columns]
    if table.hash_algorithm == "checksum":
        statement = checksum_table(facts.name, columns)
    else:
        statement = digest_rows(facts.name, columns, None, algorithm=table.hash_algorithm)
    ((rows, *sums),) = yield statement
    return Probe(table.hash_algorithm, rows, signature(rows, *sums, schema_digest=mapping.schema_digest))


def _figures(figures: Iterable[object]) -> str:
    return ",".join("" if part is None else str(part) for part in figures)
