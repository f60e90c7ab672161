"""The segment digest: an order-free sum of row digests, computed by the server. Twin of `digest/segment.py`.

Canonical row text: for each column in order `~` for NULL, else `<bytes>:<text>`, where <bytes> is DATALENGTH of the column's
lossless text (tsql/values.py). That is unambiguous whatever the data holds. The row digest is HASHBYTES over the row text
as UTF-16LE; its first two groups of eight bytes, read as signed big-endian numbers, are summed over all rows. A sum does not
depend on order and shows duplicates, which an XOR would not.
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
    high: ColumnFacts | None = None,
) -> Statement:
    """One row: n (count), s1 and s2 (the lane sums as text, NULL for no rows); with `high` also the maximum of that column as
    text, and in how many rows the column is not NULL."""
    return sql(
        "SELECT {sums}{highest}\nFROM ({digests}) AS h",
        sums=lane_sums(),
        highest=_highest(high),
        digests=_row_digests(name, columns, condition, algorithm, slot=None, high=high),
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
    """One row per slot that has rows: slot, n, s1, s2, and with `high` the maximum of that column as text, and in how many rows
    the column is not NULL."""
    return sql(
        "SELECT h.slot AS slot, {sums}{highest}\nFROM ({digests}) AS h\nGROUP BY h.slot",
        sums=lane_sums(),
        highest=_highest(high),
        digests=_row_digests(name, columns, condition, algorithm, slot=slot, high=high),
    ).render()


def _highest(column: ColumnFacts | None) -> Sql:
    if column is None:
        return Sql(())
    return sql(",\n  {text} AS high, COUNT_BIG(h.high) AS stamped", text=as_text(column, sql("MAX(h.high)")))


def lane_sums() -> Sql:
    """n, s1 and s2 of the digests h.d. The lanes as decimal(38,0): a sum of bigint would overflow after a few rows."""
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
    texts = named_texts(columns)
    columns_of_row: list[Sql] = []
    if slot is not None:
        texts.insert(0, sql("{slot} AS slot", slot=slot))
        columns_of_row.append(sql("x.slot"))
    if high is not None:
        texts.append(sql("{high} AS high", high=Identifier(high.name)))
        columns_of_row.append(sql("x.high"))
    return sql(
        "\n  SELECT {columns_of_row}\n  FROM (\n    SELECT {texts}\n    FROM {table}{where}) AS x",
        columns_of_row=join(
            ", ", [*columns_of_row, sql("{digest} AS d", digest=hashed(numbered(len(columns)), algorithm))]
        ),
        texts=join(",\n      ", texts),
        table=table(name),
        where=where([condition]),
    )


def named_texts(columns: Sequence[ColumnFacts]) -> list[Sql]:
    """The lossless texts of the columns, named c1, c2 and so on: what `numbered` refers to."""
    return [
        sql("{text} AS {alias}", text=as_binary_ordered_text(column), alias=Identifier(f"c{position}"))
        for position, column in enumerate(columns, start=1)
    ]


def numbered(columns: int) -> list[Sql]:
    """The texts x.c1, x.c2 and so on, of a derived table `x`."""
    return [sql("x.{column}", column=Identifier(f"c{position}")) for position in range(1, columns + 1)]


def hashed(texts: Sequence[Sql], algorithm: HashAlgorithm) -> Sql:
    """HASHBYTES of the canonical row text that these values make."""
    row = _row_text(texts)
    if algorithm == "hashbytes_sha256":
        return sql("HASHBYTES('SHA2_256', {row})", row=row)
    return sql("HASHBYTES('MD5', {row})", row=row)


def _row_text(texts: Sequence[Sql]) -> Sql:
    groups = [
        _concat([argument for text in texts[start : start + _COLUMNS_PER_CONCAT] for argument in _text_arguments(text)])
        for start in range(0, len(texts), _COLUMNS_PER_CONCAT)
    ]
    while len(groups) > 1:
        groups = [_concat(groups[i : i + CONCAT_ARGUMENTS - 1]) for i in range(0, len(groups), CONCAT_ARGUMENTS - 1)]
    return groups[0]


def _text_arguments(text: Sql) -> tuple[Composable, Composable]:
    """Length or `~`, then the text; CONCAT makes the text of a NULL empty."""
    length = sql(
        "CASE WHEN {text} IS NULL THEN N'~' ELSE CONCAT(DATALENGTH({text}), N':') END",
        text=text,
    )
    return length, text


def _concat(arguments: Sequence[Composable]) -> Sql:
    return sql("CONCAT(CAST(N'' AS nvarchar(max)),\n    {arguments})", arguments=join(",\n    ", arguments))
