"""The result of mapping: one Arrow field per column, how it is selected, and its fidelity contract."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any

import pyarrow as pa

from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.typemap.declared_type import shown_type
from dltsync_core.typemap.uuids import type_name

SQL_TYPE_KEY = b"dltsync.sql_type"
"""Key of the Arrow field metadata that holds the declared SQL Server type."""

COLLATION_KEY = b"dltsync.collation"
"""Key of the Arrow field metadata that holds a text column's collation."""


class SourceForm(str, Enum):
    """How a column is selected, so that the driver returns it without loss."""

    PLAIN = "plain"
    """The column itself."""
    SERVER_TEXT = "server_text"
    """The server's own lossless text (CONVERT with a style)."""
    OFFSET_TEXT = "offset_text"
    """The local time with all its digits and the offset as one text of ISO 8601, made by the server."""
    WITH_NANOSECONDS = "with_nanoseconds"
    """The column (microseconds) and beside it its nanoseconds below the microsecond; joined into timestamp[ns]."""
    CHECKED_MICROSECONDS = "checked_microseconds"
    """As WITH_NANOSECONDS, but the part below the microsecond must be 0."""
    OPEN_END = "open_end"
    """As CHECKED_MICROSECONDS, but the greatest value of the type is stored as the last microsecond of its calendar."""
    AS_MAX = "as_max"
    """CAST to the (max) type of its kind: xml, json, text, ntext, image, vector."""
    AS_UNICODE = "as_unicode"
    """CAST to nvarchar: the server decodes the bytes of a code page, not the driver."""
    AS_BYTES = "as_bytes"
    """CAST to varbinary: the bytes as stored."""
    AS_WKB = "as_wkb"
    """Well-known binary with Z and M, by the type's own method."""
    AS_WKT = "as_wkt"
    """Well-known text with Z and M, by the type's own method."""

    @property
    def is_text(self) -> bool:
        """Whether the server returns its own lossless text."""
        return self in {SourceForm.SERVER_TEXT, SourceForm.OFFSET_TEXT}


@dataclass(frozen=True)
class ColumnMapping:
    """The mapping of one column. `field` is the Arrow field in the lake; `lost` names exactly what cannot be restored, empty when
    nothing is lost; `note` describes differences, and which values stop the load.
    """

    column: ColumnFacts
    field: pa.Field[Any]
    source: SourceForm = SourceForm.PLAIN
    lost: str = ""
    note: str = ""

    @property
    def name(self) -> str:
        return self.column.name

    @property
    def lossless(self) -> bool:
        """Whether every value that is loaded can be restored exactly."""
        return not self.lost

    @property
    def contract(self) -> dict[str, Any]:
        """The fidelity contract, JSON-ready, for footer, plan and Dagster. It follows from catalogue and config alone, never from
        data."""
        return {
            "sql_type": shown_type(self.column),
            "arrow_type": type_name(self.field.type),
            "nullable": self.column.is_nullable,
            "collation": self.column.collation,
            "lossless": self.lossless,
            "lost": self.lost,
            "representation": self.source.value,
            "origin": origin_of(self.column),
            "note": self.note,
        }


@dataclass(frozen=True)
class LeftOut:
    """A column of the table that is not loaded, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class TableMapping:
    """All columns of one table that are loaded, in column order, and those that are not."""

    columns: tuple[ColumnMapping, ...]
    left_out: tuple[LeftOut, ...] = ()
    row_key: tuple[str, ...] = ()
    """The key columns of the config; messages name rows by them."""

    @cached_property
    def schema(self) -> pa.Schema:
        """The exact Arrow schema of every batch; nullability as declared, declared SQL type in the field metadata."""
        return pa.schema([mapping.field for mapping in self.columns])

    @cached_property
    def schema_digest(self) -> str:
        """SHA-256 (hexadecimal) over names, declared types, collations, nullability and Arrow types, in order."""
        columns = [
            [
                m.column.name,
                shown_type(m.column),
                m.column.collation,
                m.column.is_nullable,
                type_name(m.field.type),
                m.source.value,
            ]
            for m in self.columns
        ]
        return hashlib.sha256(json.dumps(columns, ensure_ascii=True).encode()).hexdigest()

    def contracts(self) -> dict[str, dict[str, Any]]:
        """The fidelity contract of each column, JSON-ready."""
        return {mapping.name: mapping.contract for mapping in self.columns}

    def column(self, name: str) -> ColumnMapping | None:
        """The mapping of that column, ignoring case."""
        folded = name.casefold()
        return next((m for m in self.columns if m.name.casefold() == folded), None)


def mapped(
    column: ColumnFacts,
    arrow_type: pa.DataType,
    *,
    source: SourceForm = SourceForm.PLAIN,
    lost: str = "",
    note: str = "",
) -> ColumnMapping:
    """A ColumnMapping whose field carries the column's name, nullability, declared type and collation."""
    metadata = {SQL_TYPE_KEY: shown_type(column).encode()}
    if column.collation is not None:
        metadata[COLLATION_KEY] = column.collation.encode()
    arrow_field = pa.field(column.name, arrow_type, nullable=column.is_nullable, metadata=metadata)
    return ColumnMapping(column, arrow_field, source, lost, note)


_GRAPH_PSEUDO = re.compile(r"\$(node|edge|from|to)_id_[0-9A-F]{32}", re.IGNORECASE)
_GENERATED = {
    "row_start": "start of the row's period, set by the server",
    "row_end": "end of the row's period, set by the server: 9999-12-31 23:59:59.9999999 while the row is current",
    "transaction": "set by the server: transaction of a ledger table",
}


def origin_of(column: ColumnFacts) -> str:
    """A sentence part for the contract; empty for an ordinary column."""
    parts: list[str] = []
    if _GRAPH_PSEUDO.fullmatch(column.name):
        parts.append("graph pseudo-column, JSON text made by the server")
    elif column.is_computed:
        how = "persisted" if column.is_persisted else "not persisted: the server computes it at each read"
        parts.append(f"computed ({how})")
    if column.generated:
        parts.append(_GENERATED[column.generated])
    if column.is_hidden:
        parts.append("hidden")
    if column.is_sparse:
        parts.append("sparse")
    if column.is_filestream:
        parts.append("FILESTREAM, read as varbinary(max)")
    if column.alias_name is not None and not column.is_clr:
        parts.append(f"declared as {column.alias_name}")
    return "; ".join(parts)
