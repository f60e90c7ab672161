"""A table of the warehouse made anew under its name, with other types: what one transaction does to put it in place.

The rows are in a copy with the new types on the same partition scheme by then. The old table is dropped, an empty one with its
name and the names of its keys, indexes and constraints is made, and every partition of the copy is switched into it: changes of
the catalogue, all of them or none, so no reader meets a table that is missing, empty or half filled.
"""

from __future__ import annotations

from collections.abc import Sequence

from dltsync_core.identity import TableName
from dltsync_core.tsql.fragments import Identifier, Literal, Sql, Statement, inlined, join, sql, table
from dltsync_core.tsql.select import where


def copy_partition(old: TableName, copy: TableName, columns: Sequence[str], condition: Sql | None) -> Statement:
    """The rows of a condition (None: all) from the table into its copy, where the server converts them."""
    names = join(", ", [Identifier(name) for name in columns])
    return sql(
        "SET NOCOUNT ON;\nINSERT INTO {copy} WITH (TABLOCK) ({names})\nSELECT {names}\nFROM {old}{where};",
        copy=table(copy),
        names=names,
        old=table(old),
        where=inlined(where([condition])),
    ).render()


def replace_table(old: TableName, copy: TableName, made: Sequence[Statement], partitions: int) -> Sql:
    """Inside the transaction: the table dropped, made by the statements `made`, and filled by switching. It fails when the copy
    has rows left: a boundary was added meanwhile. Each statement is a batch of its own: it names what is made before it."""
    dropped = sql("DROP TABLE {old};", old=table(old)).render()
    switched = [
        sql(
            "ALTER TABLE {copy} SWITCH PARTITION {n} TO {old} PARTITION {n};",
            copy=table(copy),
            old=table(old),
            n=Literal(number),
        ).render()
        for number in range(1, partitions + 1)
    ]
    steps = [sql("EXEC ({text});\n", text=Literal(one.text)) for one in (dropped, *made, *switched)]
    return sql(
        "{steps}IF EXISTS (SELECT 1 FROM {copy}) "
        "THROW 51004, N'dltsync: the partition function was changed meanwhile', 1;\n",
        steps=join("", steps),
        copy=table(copy),
    )
