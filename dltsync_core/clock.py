"""The current time: only this module reads the clock. Always UTC, always aware."""

from __future__ import annotations

from datetime import datetime, timezone


def utc_now() -> datetime:
    """This moment in UTC, microseconds."""
    return datetime.now(timezone.utc)


def iso(moment: datetime) -> str:
    """ISO 8601 text with a Z, for footers, logs and the ledger."""
    return moment.astimezone(timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")


def parse_iso(text: str) -> datetime:
    """The moment `iso` wrote."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def utc_from_epoch(seconds: float) -> str:
    """ISO 8601 text of a moment given in seconds since 1970. Raises ValueError or OverflowError outside the calendar."""
    return iso(datetime.fromtimestamp(seconds, timezone.utc))
