"""Names for things: tables, units of work, loads and runs, and the safe path parts made of them."""

from __future__ import annotations

import hashlib
import re
import uuid
from dataclasses import dataclass
from datetime import datetime

from dltsync_core.clock import utc_now

WHOLE_TABLE = "all"
"""The unit key of tables that are loaded as one piece (scd and static)."""

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")
_READABLE_LENGTH = 60
_DIGEST_LENGTH = 8


@dataclass(frozen=True, order=True)
class TableName:
    """A table in one database, in the catalogue's own spelling once it has been looked up."""

    schema: str
    table: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.table}"


def path_part(text: str) -> str:
    """A file name for any text: readable, safe in globs, shells and URLs, and different for different texts.

    Texts that need no change and cannot be mistaken for a shortened one come back as they are; every other text gets
    eight hexadecimal digits of its SHA-256. Case-insensitive file systems are covered: upper case counts as a change
    to the digest only, so `Orders` and `orders` differ.
    """
    readable = _UNSAFE.sub("_", text).strip("_")[:_READABLE_LENGTH]
    if readable == text and text == text.lower() and not re.search(r"-[0-9a-f]{8}$", text):
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_LENGTH]
    return f"{readable}-{digest}" if readable else f"x-{digest}"


def new_load_id(now: datetime | None = None) -> str:
    """A name for one load: sorts by time (UTC, microseconds), unique across machines by its random tail."""
    moment = now or utc_now()
    return f"{moment:%Y%m%dT%H%M%S}{moment.microsecond:06d}Z-{uuid.uuid4().hex[:8]}"


def new_run_id(now: datetime | None = None) -> str:
    """A name for one run of the pipeline, made like a load id."""
    return new_load_id(now)
