"""Buckets: rows grouped by the digest of their key, so that few buckets contain the differences. Twin of `digest/buckets.py`.

The key of a row is hashed as a whole row is (tsql/digest.py). The first bytes of that hash, read as a number, are the bucket.
Keys are not compared: neither their order nor a collation matters, and a key may be of any type that has a lossless text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.identity import TableName
from dltsync_core.tsql.digest import HashAlgorithm, hashed, lane_sums, named_texts, numbered
from dltsync_core.tsql.fragments import Literal, Parameter, Sql, Statement, TypeName, join, sql, table
from dltsync_core.tsql.select import where
from dltsync_core.tsql.values import as_binary_ordered_text

LONGEST = 7
"""Bytes of a hash that make a number below 2^63, which a bigint holds."""


@dataclass(frozen=True)
class Buckets:
    """Some buckets: the first `length` bytes of the hash as `numbers`. Not empty."""

    length: int
    numbers: tuple[int, ...]

    def __post_init__(self) -> None:
        if not 1 <= self.length <= LONGEST or not self.numbers:
            raise ValueError(f"no buckets: {len(self.numbers)} of {self.length} bytes")


def digest_by_bucket(
    name: TableName,
    columns: Sequence[ColumnFacts],
    key: Sequence[int],
    condition: Sql | None,
    length: int,
    within: Buckets | None,
    *,
    algorithm: HashAlgorithm,
) -> Statement:
    """One row per bucket that has rows: bucket, n, s1, s2. `key` are positions in `columns`, from 0. With `within` only the
    rows of these buckets are read, and only their own values are hashed."""
    texts = numbered(len(columns))
    of_key = hashed([texts[place] for place in key], algorithm)
    return sql(
        "SELECT h.bucket AS bucket, {sums}\nFROM (\n  SELECT {bucket} AS bucket, {digest} AS d\n"
        "  FROM (\n    SELECT {texts}\n    FROM {table}{where}) AS x{within}) AS h\nGROUP BY h.bucket",
        sums=lane_sums(),
        bucket=_bucket(of_key, length),
        digest=hashed(texts, algorithm),
        texts=join(",\n      ", named_texts(columns)),
        table=table(name),
        where=where([condition]),
        within=where([_among(of_key, within)]) if within is not None else Sql(()),
    ).render()


def in_buckets(key: Sequence[ColumnFacts], within: Buckets, algorithm: HashAlgorithm) -> Sql:
    """The condition for the rows of these buckets, on the columns of a table."""
    return _among(hashed([as_binary_ordered_text(column) for column in key], algorithm), within)


def _bucket(digest: Sql, length: int) -> Sql:
    # Through binary(n): a conversion from varbinary to bigint takes the bytes from the other end.
    return sql(
        "CAST(CAST(SUBSTRING({digest}, 1, {length}) AS {kind}) AS bigint)",
        digest=digest,
        length=Literal(length),
        kind=TypeName(f"binary({length})"),
    )


def _among(digest: Sql, within: Buckets) -> Sql:
    # A join with the numbers: an IN list is a chain of comparisons, and each would compute the hash again.
    numbers = [sql("(CAST({number} AS bigint))", number=Parameter(str(number))) for number in within.numbers]
    return sql(
        "{bucket} IN (SELECT w.number FROM (VALUES {numbers}) AS w(number))",
        bucket=_bucket(digest, within.length),
        numbers=join(", ", numbers),
    )
