"""The answer to a value that its own type cannot hold."""

from __future__ import annotations

from sqlserver_sandbox.model import SqlError, SqlType


def invalid_value(sql_type: SqlType) -> SqlError:
    """SQL Server's 8023: a client sent, say, a time of 25 hours, or five digits in a decimal(4)."""
    return SqlError(
        8023,
        "The incoming tabular data stream (TDS) remote procedure call (RPC) protocol stream is incorrect. "
        f"The supplied value is not a valid instance of data type {sql_type.name}. "
        "Check the source data for invalid values.",
    )
