"""What the sandbox says when it will not, or cannot, do what a client asks on the wire."""

from __future__ import annotations

from sqlserver_sandbox.model import SqlError

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


_PROTOCOL_TEXT = "The incoming tabular data stream (TDS) protocol stream is incorrect: {}."
