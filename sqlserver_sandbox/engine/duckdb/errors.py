"""DuckDB's exceptions as SQL Server's errors."""

from __future__ import annotations

import re

import duckdb

from sqlserver_sandbox.model import Cancelled, SqlError
from sqlserver_sandbox.tsql.bind.bound import MARK
from sqlserver_sandbox.tsql.refusal import refused

_MARKED = re.compile(f"{MARK}(\\d+),(\\d+),(\\d+){MARK}(.*?){MARK}", re.DOTALL)
_TYPES = {
    "INT8": "tinyint",
    "UINT8": "tinyint",
    "INT16": "smallint",
    "INT32": "int",
    "INT64": "bigint",
    "FLOAT": "real",
    "DOUBLE": "float",
}
_DESTINATION = re.compile(
    r"with value (\S+) can't be cast because the value is out of range for the destination type (\w+)"
)
_OPERATION = re.compile(r"Overflow in \w+ of (\w+)")


def translate(error: Exception) -> Exception:
    """A SqlError or Cancelled for whatever DuckDB raised. What has no translation is a defect, and says so in its text."""
    text = str(error)
    marked = _MARKED.search(text)
    if marked is not None:
        return SqlError(int(marked[1]), marked[4], class_=int(marked[2]), state=int(marked[3]))
    if isinstance(error, duckdb.InterruptException) or "INTERRUPT" in text:
        return Cancelled()
    if isinstance(error, duckdb.OutOfRangeException | duckdb.ConversionException):
        return _arithmetic(text)
    if isinstance(error, duckdb.TransactionException) and "onflict" in text:
        return snapshot_conflict()
    if isinstance(error, duckdb.OutOfMemoryException):
        return SqlError(
            701, "There is insufficient system memory in resource pool 'default' to run this query.", class_=17
        )
    return refused(f"what DuckDB says of its translation: {text.splitlines()[0]}")


def _arithmetic(text: str) -> SqlError:
    found = _DESTINATION.search(text)
    if found is not None:
        name = _TYPES.get(found[2], "numeric")
        if name in ("tinyint", "smallint"):
            return SqlError(220, f"Arithmetic overflow error for data type {name}, value = {found[1]}.")
        return SqlError(8115, f"Arithmetic overflow error converting expression to data type {name}.")
    operation = _OPERATION.search(text)
    if operation is not None:
        return SqlError(
            8115, f"Arithmetic overflow error converting expression to data type {_TYPES.get(operation[1], 'numeric')}."
        )
    if "DECIMAL" in text or "HUGEINT" in text or "INT128" in text:
        return SqlError(8115, "Arithmetic overflow error converting numeric to data type numeric.")
    if "ate" in text or "out of range" in text:
        return SqlError(517, "Adding a value to a 'date' column caused an overflow.")
    return refused(f"what DuckDB says of its translation: {text.splitlines()[0]}")


def snapshot_conflict(table: str = "", database: str = "") -> SqlError:
    """3960: the transaction is rolled back."""
    where = f" '{table}'" if table else ""
    return SqlError(
        3960,
        f"Snapshot isolation transaction aborted due to update conflict. You cannot use snapshot isolation to access table{where}"
        f" directly or indirectly in database '{database}' to update, delete, or insert"
        " the row that has been modified or deleted by another"
        " transaction. Retry the transaction or change the isolation level for the update/delete statement.",
        state=2,
    )


def metadata_changed(database: str) -> SqlError:
    """3961: the transaction is rolled back."""
    return SqlError(
        3961,
        f"Snapshot isolation transaction failed in database '{database}' because the object accessed by the statement has been"
        " modified by a DDL statement in another concurrent transaction since the start of this transaction.  It is disallowed"
        " because the metadata is not versioned. A concurrent update to metadata can lead to inconsistency if mixed with snapshot"
        " isolation.",
    )
