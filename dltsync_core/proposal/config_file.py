"""The text of a proposed `dltsync.yaml`: entries with their reasons as comments. Pure."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dltsync_core.proposal.tables import TableProposal

SCHEMA_FILE = "dltsync.schema.json"
PASSWORD_VARIABLE = "DLT_SYNC_PASSWORD"  # noqa: S105 - the name of a variable

_SECTIONS = (
    (
        "partition",
        "partition_tables",
        "on a partition function; loaded, validated and shown in Dagster partition by partition",
    ),
    ("scd", "scd_tables", "versions (SCD type 2); read by increments of last_modified_column"),
    ("static", "static_tables", "reference data; read only when a hash computed by the server changes"),
)
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z0-9_-]+)*")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
_DEFAULTS = {
    "schema_name": "dbo",
    "is_latest_column": "IsLatest",
    "effective_date_column": "EffectiveDate",
    "end_date_column": "EndDate",
}
"""Values that need not be written."""
_WIDTH = 118


def config_text(database: Mapping[str, Any], pipeline_name: str, proposals: Sequence[TableProposal]) -> str:
    """The file. `database` holds the fields of that section, without a password. Tables that no kind fits are comments."""
    lines = [
        f"# yaml-language-server: $schema={SCHEMA_FILE}",
        "# Proposed by `dltsync init` from the catalogue of the database. Read it, correct it, then run `dltsync plan`.",
        f"pipeline_name: {scalar(pipeline_name)}",
        "database:",
        *(f"  {name}: {scalar(value)}" for name, value in database.items()),
    ]
    for kind, section, comment in _SECTIONS:
        chosen = [proposal for proposal in proposals if proposal.kind == kind]
        if chosen:
            lines += ["", f"{section}:  # {comment}"]
            for proposal, entry in zip(chosen, entries_of(proposals)[section], strict=True):
                lines += _entry(proposal, entry)
    refused = [proposal for proposal in proposals if proposal.kind is None]
    if refused:
        lines += ["", "# Not loaded:"]
        for proposal in refused:
            lines += _comment(f"{proposal.table}: {proposal.reason}", "#   ")
    return "\n".join(lines) + "\n"


def entries_of(proposals: Sequence[TableProposal]) -> dict[str, list[dict[str, Any]]]:
    """The entries of each section, without fields that have their default. Tables of one name get a `target_schema` each."""
    names = Counter(proposal.table.table.casefold() for proposal in proposals if proposal.kind is not None)
    return {
        section: [
            _fields(proposal, is_ambiguous=names[proposal.table.table.casefold()] > 1)
            for proposal in proposals
            if proposal.kind == kind
        ]
        for kind, section, _ in _SECTIONS
    }


def _fields(proposal: TableProposal, *, is_ambiguous: bool) -> dict[str, Any]:
    entry = {"schema_name": proposal.table.schema, "table_name": proposal.table.table, **proposal.entry}
    if is_ambiguous:
        entry["target_schema"] = proposal.table.schema
    return {name: value for name, value in entry.items() if _DEFAULTS.get(name) != value}


def scalar(value: Any) -> str:
    """A value as YAML: plain where it can be mistaken for nothing else, else in double quotes.

    `${` in a name is escaped: it refers to no variable.
    """
    if isinstance(value, Variable):
        return f"${{{value.name}}}"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(scalar(each) for each in value)}]"
    text = str(value)
    if _PLAIN.fullmatch(text) and text.casefold() not in _WORDS:
        return text
    return f'"{"".join(map(_escaped, text.replace("${", "$${")))}"'


class Variable:
    """A value that the file takes from the environment."""

    def __init__(self, name: str) -> None:
        self.name = name


def _escaped(character: str) -> str:
    """As it stands in double quotes: YAML takes line breaks and unprintable characters only as escapes."""
    if character in '"\\':
        return f"\\{character}"
    return character if character.isprintable() else f"\\U{ord(character):08x}"


def _entry(proposal: TableProposal, entry: Mapping[str, Any]) -> Iterator[str]:
    rows = "row" if proposal.approx_rows == 1 else "rows"
    yield from _comment(f"about {proposal.approx_rows:,} {rows}; {proposal.reason}", "  # ")
    for remark in proposal.remarks:
        yield from _comment(remark, "  # ")
    first, *others = (f"{name}: {scalar(value)}" for name, value in entry.items())
    yield f"  - {first}"
    yield from (f"    {line}" for line in others)


def _comment(text: str, prefix: str) -> list[str]:
    """The text as comment lines. Control characters in names of the server cannot end a comment."""
    plain = "".join(character if character.isprintable() else " " for character in text)
    return textwrap.wrap(plain, _WIDTH, initial_indent=prefix, subsequent_indent=prefix, break_long_words=False)
