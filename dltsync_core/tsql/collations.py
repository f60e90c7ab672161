"""Whether two texts are equal under a collation: only the server knows, because its comparison tables are not public."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dltsync_core.tsql.fragments import CollationName, Literal, Parameter, Sql, Statement, join, sql

PAIRS_PER_STATEMENT = 200
"""Each pair takes two parameters, and SQL Server takes 2,100."""

LONGEST_TEXT = 4000
"""Characters of the longest text that is compared. Keys are shorter: an index key has 1,700 bytes."""


@dataclass(frozen=True)
class TextPair:
    """Two texts of a column. `is_unicode`: the column is nchar or nvarchar. Collations named SQL_… compare char and varchar by
    other rules."""

    collation: str
    left: str
    right: str
    is_unicode: bool = True

    @property
    def can_be_asked(self) -> bool:
        """Whether a parameter can hold the texts."""
        texts = (self.left, self.right)
        return all(len(t) <= LONGEST_TEXT and "\0" not in t for t in texts)


def compare_texts(pairs: Sequence[TextPair]) -> Statement:
    """One row per pair, in no order: pair (its position, from 0), is_same (1 or 0). At most PAIRS_PER_STATEMENT pairs."""
    return join("\nUNION ALL\n", [_compared(number, pair) for number, pair in enumerate(pairs)]).render()


def _compared(number: int, pair: TextPair) -> Sql:
    return sql(
        "SELECT {number} AS pair, CASE WHEN {left} = {right} THEN 1 ELSE 0 END AS is_same",
        number=Literal(number),
        left=_text(pair, pair.left),
        right=_text(pair, pair.right),
    )


def _text(pair: TextPair, text: str) -> Sql:
    """The text as the column holds it: of char and varchar in the code page of the collation."""
    value, collation = Parameter(text), CollationName(pair.collation)
    if pair.is_unicode:
        return sql("CAST({value} AS nvarchar(4000)) COLLATE {collation}", value=value, collation=collation)
    return sql(
        "CAST(CAST({value} AS nvarchar(4000)) COLLATE {collation} AS varchar(8000)) COLLATE {collation}",
        value=value,
        collation=collation,
    )
