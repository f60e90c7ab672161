"""The one batch that mssql-python's bulk copy sends before INSERT BULK, to learn the columns of its target.

It declares variables, builds SQL from the catalogue, runs it under FMTONLY and asks for collations: far more T-SQL than the
sandbox has. So it is recognised as a whole, text for text with only the table's name left open, and answered with the three
results it would give: the transaction count, the columns without rows, the collations. The text is that of mssql-python
1.16.0; another one is not recognised and is refused like any statement that the engine does not know.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pyarrow as pa

from sqlserver_sandbox.model import ArrowArray, Column, Outcome, ResultSet, RowsAffected, Session, SqlType
from sqlserver_sandbox.wire.collations import find_collation
from sqlserver_sandbox.wire.type_info import CHARACTER_TYPES

_TEXT = """SELECT @@TRANCOUNT;

DECLARE @Column_Names NVARCHAR(MAX) = NULL;
DECLARE @object_id INT = OBJECT_ID(N'{table}');
DECLARE @sql NVARCHAR(MAX);
SET @sql = N'SELECT @CN = COALESCE(@CN + N'', '', N'''') + QUOTENAME([name]) FROM sys.all_columns \
WHERE [object_id] = @ObjId';
IF EXISTS (SELECT TOP 1 * FROM sys.all_columns WHERE [object_id] = OBJECT_ID('sys.all_columns') AND [name] = 'graph_type')
    SET @sql = @sql + N' AND COALESCE([graph_type], 0) NOT IN (1, 3, 4, 6, 7)';
SET @sql = @sql + N' ORDER BY [column_id] ASC';
EXEC sp_executesql @sql, N'@CN NVARCHAR(MAX) OUTPUT, @ObjId INT', @CN = @Column_Names OUTPUT, @ObjId = @object_id;

SELECT @Column_Names = COALESCE(@Column_Names, '*');

SET FMTONLY ON;
EXEC(N'SELECT ' + @Column_Names + N' FROM {table}');
SET FMTONLY OFF;

EXEC sp_tablecollations_100 N'{table}';"""
_TABLE = r"(?:\[(?:[^\]']|\]\]|'')+\]\.){0,2}\[(?:[^\]']|\]\]|'')+\]"
_PATTERN = re.compile(
    re.escape(_TEXT)
    .replace(re.escape("{table}"), f"(?P<table>{_TABLE})", 1)
    .replace(re.escape("{table}"), "(?P=table)")
)

_COLLATIONS = (
    Column("colid", SqlType("int"), nullable=False),
    Column("name", SqlType("sysname"), nullable=False),
    Column("tds_collation", SqlType("binary", length=5)),
    Column("collation", SqlType("sysname")),
)


def probed_table(sql: str) -> str | None:
    """The table that a bulk copy is about to fill, as written in brackets; None when `sql` is any other batch."""
    match = _PATTERN.fullmatch(sql)
    return match["table"].replace("''", "'") if match else None


def answer_probe(table: str, session: Session) -> Iterator[Outcome]:
    """The three results. Raises SqlError 208 when there is no such table."""
    yield from session.execute("SELECT @@TRANCOUNT", {})
    columns = session.describe_result(f"SELECT * FROM {table}", "")
    yield ResultSet(columns, iter(()))
    yield ResultSet(_COLLATIONS, iter((_collations(columns),)))
    yield RowsAffected(None)


def _collations(columns: tuple[Column, ...]) -> pa.RecordBatch:
    named = [
        find_collation(column.type.collation) if column.type.name in CHARACTER_TYPES else None for column in columns
    ]
    arrays: list[ArrowArray] = [
        pa.array(range(1, len(columns) + 1), pa.int32()),
        pa.array([column.name for column in columns], pa.string()),
        pa.array([collation.wire if collation else None for collation in named], pa.binary()),
        pa.array([collation.name if collation else None for collation in named], pa.string()),
    ]
    return pa.RecordBatch.from_arrays(arrays, names=[column.name for column in _COLLATIONS])
