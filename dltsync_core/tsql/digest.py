"""The segment digest: an order-free sum of row digests, computed by the server. Twin of `changes/digest.py`.

Canonical row text: for each column in order `~` for NULL, else `<bytes>:<text>`, where <bytes> is DATALENGTH of the column's
lossless text (tsql/values.py). That is unambiguous whatever the data holds. The row digest is HASHBYTES over the row text
as UTF-16LE; its first two groups of eight bytes, read as signed big-endian numbers, are summed over all rows. A sum does not
depend on order and sees duplicates, which an XOR would not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal as OneOf

from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.identity import TableName
from dltsync_core.tsql.fragments import Composable, Identifier, Sql, Statement, join, sql, table
from dltsync_core.tsql.select import where
from dltsync_core.tsql.values import as_binary_ordered_text, as_text

HashAlgorithm = OneOf["hashbytes_sha256", "hashbytes_md5"]

CONCAT_ARGUMENTS = 254
"""The most arguments CONCAT takes."""
_COLUMNS_PER_CONCAT = (CONCAT_ARGUMENTS - 1) // 2
"""Two arguments per column, and the empty nvarchar(max) that keeps the result from being cut at 4000 characters."""


def digest_rows(
    name: TableName,
    columns: Sequence[ColumnFacts],
    condition: Sql | None,
    *,
    algorithm: HashAlgorithm = "hashbytes_sha256",
) -> Statement:
    """One row: n (count), s1 and s2 (the lane sums as text, NULL for no rows)."""
    return sql(
        "SELECT {sums}\nFROM ({digests}) AS h",
        sums=_sums(),
        digests=_row_digests(name, columns, condition, algorithm, slot=None),
    ).render()


def digest_by_slot(
    name: TableName,
    columns: Sequence[ColumnFacts],
    slot: Sql,
    *,
    algorithm: HashAlgorithm = "hashbytes_sha256",
    high: ColumnFacts | None = None,
    condition: Sql | None = None,
) -> Statement:
    """One row per slot that has rows: slot, n, s1, s2, and with `high` the maximum of that column as text."""
    highest = sql(", {text} AS high", text=as_text(high, sql("MAX(h.high)"))) if high else Sql(())
    return sql(
        "SELECT h.slot AS slot, {sums}{highest}\nFROM ({digests}) AS h\nGROUP BY h.slot",
        sums=_sums(),
        highest=highest,
        digests=_row_digests(name, columns, condition, algorithm, slot=slot, high=high),
    ).render()


def _sums() -> Sql:
    """The lanes as decimal(38,0): a sum of bigint would overflow after a few rows."""
    return sql(
        "COUNT_BIG(*) AS n,\n"
        "  CONVERT(varchar(50), SUM(CAST(CAST(CAST(SUBSTRING(h.d, 1, 8) AS binary(8)) AS bigint) AS decimal(38,0)))) AS s1,\n"
        "  CONVERT(varchar(50), SUM(CAST(CAST(CAST(SUBSTRING(h.d, 9, 8) AS binary(8)) AS bigint) AS decimal(38,0)))) AS s2"
    )


def _row_digests(
    name: TableName,
    columns: Sequence[ColumnFacts],
    condition: Sql | None,
    algorithm: HashAlgorithm,
    *,
    slot: Sql | None,
    high: ColumnFacts | None = None,
) -> Sql:
    texts = [
        sql("{text} AS {alias}", text=as_binary_ordered_text(column), alias=Identifier(f"c{position}"))
        for position, column in enumerate(columns, start=1)
    ]
    kept: list[Sql] = []
    if slot is not None:
        texts.insert(0, sql("{slot} AS slot", slot=slot))
        kept.append(sql("x.slot"))
    if high is not None:
        texts.append(sql("{high} AS high", high=Identifier(high.name)))
        kept.append(sql("x.high"))
    row_text = _row_text(len(columns))
    digest = (
        sql("HASHBYTES('SHA2_256', {row})", row=row_text)
        if algorithm == "hashbytes_sha256"
        else sql("HASHBYTES('MD5', {row})", row=row_text)
    )
    return sql(
        "\n  SELECT {kept}\n  FROM (\n    SELECT {texts}\n    FROM {table}{where}) AS x",
        kept=join(", ", [*kept, sql("{digest} AS d", digest=digest)]),
        texts=join(",\n      ", texts),
        table=table(name),
        where=where([condition]),
    )


def _row_text(columns: int) -> Sql:
    groups = [
        _concat([argument for position in group for argument in _column_arguments(position)])
        for group in _groups(columns)
    ]
    while len(groups) > 1:
        groups = [_concat(groups[i : i + CONCAT_ARGUMENTS - 1]) for i in range(0, len(groups), CONCAT_ARGUMENTS - 1)]
    return groups[0]


def _groups(columns: int) -> list[range]:
    return [
        range(start, min(start + _COLUMNS_PER_CONCAT, columns + 1))
        for start in range(1, columns + 1, _COLUMNS_PER_CONCAT)
    ]


def _column_arguments(position: int) -> tuple[Composable, Composable]:
    """Length or `~`, then the text; CONCAT makes the text of a NULL empty."""
    value = sql("x.{column}", column=Identifier(f"c{position}"))
    length = sql(
        "CASE WHEN {value} IS NULL THEN N'~' ELSE CONCAT(DATALENGTH({value}), N':') END",
        value=value,
    )
    return length, value


def _concat(arguments: Sequence[Composable]) -> Sql:
    return sql("CONCAT(CAST(N'' AS nvarchar(max)),\n    {arguments})", arguments=join(",\n    ", arguments))
