"""Errors of the wire: what the sandbox does not do, bytes that are not TDS, values that their types cannot hold."""

from __future__ import annotations

from sqlserver_sandbox.model import SqlError, SqlType

UNSUPPORTED = 40517
"""SQL Server's number for 'Keyword or statement option is not supported in this version': what a real, smaller edition says."""

PROTOCOL_ERROR = 4002
"""'The incoming tabular data stream (TDS) protocol stream is incorrect. The stream ended unexpectedly.'"""


class StreamEnded(SqlError):
    """A field lies past the end of what has arrived. In the middle of bulk data that means: wait for more."""


def refusal(what: str) -> SqlError:
    """The error for something real SQL Server can do and the sandbox does not."""
    return SqlError(UNSUPPORTED, f"sqlserver_sandbox does not support {what}.")


def protocol_error(what: str) -> SqlError:
    """The error for bytes that are not TDS as the sandbox knows it. Its class ends the connection."""
    return SqlError(PROTOCOL_ERROR, _PROTOCOL_TEXT.format(what), class_=20)


def stream_ended(what: str) -> StreamEnded:
    return StreamEnded(PROTOCOL_ERROR, _PROTOCOL_TEXT.format(what), class_=20)


def invalid_value(sql_type: SqlType) -> SqlError:
    """SQL Server's 8023: a client sent, say, a time of 25 hours, or five digits in a decimal(4)."""
    return SqlError(
        8023,
        "The incoming tabular data stream (TDS) remote procedure call (RPC) protocol stream is incorrect. "
        f"The supplied value is not a valid instance of data type {sql_type.name}. "
        "Check the source data for invalid values.",
    )


_PROTOCOL_TEXT = "The incoming tabular data stream (TDS) protocol stream is incorrect: {}."
