"""Partitions that leave a table of the warehouse, without rows that take their place: parts of the publishing batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dltsync_core.identity import TableName
from dltsync_core.tsql.fragments import Identifier, Literal, Sql, join, sql, table
from dltsync_core.tsql.warehouse.markers import KEY
from dltsync_core.tsql.warehouse.publish import PartitionSpan, find_span, span_is_still_there
from dltsync_core.tsql.warehouse.replaced import OWNER

_IDS_PER_STATEMENT = 500
"""The server's optimizer gives up on much longer lists (8623)."""


def switch_partitions_out(target: TableName, staging: TableName, span: PartitionSpan) -> Sql:
    """The partitions' rows go into an empty staging table on the target's scheme. The first SWITCH's lock holds the
    boundaries until the end; they are looked up again after it, because they may have moved before it."""
    one = sql(
        "ALTER TABLE {target} SWITCH PARTITION @n TO {staging} PARTITION @n;\n",
        target=table(target),
        staging=table(staging),
    )
    return sql(
        "{find}SET @n = @lower + 1;\n{steps}{again}",
        find=find_span(span),
        steps=join("SET @n = @n + 1;\n", [one] * span.count),
        again=span_is_still_there(span),
    )


def forget_units(markers: TableName, records: TableName, saved_markers: TableName, ids: Sequence[str]) -> Sql:
    """No marker of these units is left, and no record of rows that a load of them replaced: by their ids."""
    statements = [
        sql(
            "DELETE FROM {markers} WHERE {key} IN ({ids});\nDELETE FROM {saved} WHERE {owner} IN ({ids});\n"
            "DELETE FROM {records} WHERE {key} IN ({ids});\n",
            markers=table(markers),
            saved=table(saved_markers),
            records=table(records),
            key=Identifier(KEY),
            owner=Identifier(OWNER),
            ids=join(", ", [Literal(one) for one in some]),
        )
        for some in _portions(ids)
    ]
    return join("", statements)


def _portions(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), _IDS_PER_STATEMENT):
        yield ids[start : start + _IDS_PER_STATEMENT]
