"""`dltsync init`: read a database's catalogue, propose a config, write it.

Nothing is written before the answer, and no file is ever overwritten.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from dltsync_core.catalog.facts import DatabaseFacts, TableFacts
from dltsync_core.cli import console, outcome
from dltsync_core.cli.listing import Column, Listing
from dltsync_core.cli.log_options import chosen
from dltsync_core.cli.tables import number, shown
from dltsync_core.config import DatabaseConfig, PipelineConfig, ProcessingConfig
from dltsync_core.config.editor_schema import editor_schema
from dltsync_core.config.environment import PREFIX, log_level_of
from dltsync_core.config.table_patterns import matches, parsed_pattern
from dltsync_core.display import number_of
from dltsync_core.errors import CatalogError, ConfigError
from dltsync_core.extract.source import SqlServerSource
from dltsync_core.identity import TableName, dotted
from dltsync_core.logging import configure_logging
from dltsync_core.proposal.config_file import PASSWORD_VARIABLE, SCHEMA_FILE, Variable, config_text, entries_of
from dltsync_core.proposal.tables import TableProposal, left_out, propose
from dltsync_core.redaction import secrets_of
from dltsync_core.tsql.fragments import Identifier, sql

_NOT_WRITTEN = frozenset({"password", "application_name"})


@dataclass(frozen=True)
class _Scope:
    """Which tables of the database are proposed: those of `schemas` (empty: of all) that fit a pattern of `include` (empty: all)
    and none of `exclude`."""

    schemas: Sequence[str] = ()
    include: Sequence[str] = ()
    exclude: Sequence[str] = ()

    def chosen(self, tables: Sequence[TableName]) -> list[TableName]:
        """Raises ConfigError for a pattern that is no name, and when nothing is left."""
        schemas = {name.casefold() for name in self.schemas}
        include = [_pattern(text, "--include") for text in self.include]
        exclude = [_pattern(text, "--exclude") for text in self.exclude]
        found = [
            table
            for table in tables
            if (not schemas or table.schema.casefold() in schemas)
            and (not include or any(matches(table, pattern) for pattern in include))
            and not any(matches(table, pattern) for pattern in exclude)
        ]
        if not found:
            there = ", ".join(sorted({table.schema for table in tables})) or "none"
            raise ConfigError(
                "no table is left to propose" if tables else "this login sees no table in the database",
                remedy=f"correct --schemas, --include and --exclude; schemas with tables that this login sees: {there}"
                if tables
                else "grant the login SELECT on the schemas to load: GRANT SELECT, VIEW DEFINITION ON SCHEMA::dbo TO its user",
            )
        return found


def init(
    given: dict[str, Any],
    *,
    schemas: Sequence[str] | None,
    include: Sequence[str] | None,
    exclude: Sequence[str] | None,
    output: Path,
    pipeline_name: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """`dltsync init`. Raises ConfigError for a file that is there already."""
    interactive = sys.stdin.isatty() and not as_json and not yes
    if not yes and not interactive:
        raise ConfigError("dltsync init asks before it writes, and this is no terminal", remedy="add --yes")
    _refuse_existing(output)
    database = _database(given, ask=interactive)
    outcome.hide_secrets(secrets_of(database))
    options = chosen.get()
    configure_logging(
        level=options.level or log_level_of() or "INFO",
        structured=options.format == "json" or (as_json and options.format is None),
        quiet_stderr=not options.asks_for_entries,
        secrets=secrets_of(database),
    )
    source = SqlServerSource(database, ProcessingConfig())
    facts = source.check()
    tables = [listed.name for listed in source.list_tables()]
    proposals = _proposals(source, _Scope(schemas or (), include or (), exclude or ()).chosen(tables))
    if not any(proposal.kind for proposal in proposals):
        raise ConfigError(
            f"none of {number_of(len(proposals), 'table')} can be loaded; {proposals[0].table}: {proposals[0].reason}",
            remedy="choose other tables with --schemas and --include",
        )
    name = pipeline_name or re.sub(r"[^A-Za-z0-9_-]+", "_", facts.database).strip("_-")[:64] or "dltsync"
    text = config_text(_section(database), name, proposals)
    entries = entries_of(proposals)
    PipelineConfig(database=database, pipeline_name=name, **entries)  # what is written can be read: targets, names
    notes = _notes(facts)
    if not as_json:
        _print(facts, proposals, notes)
    if interactive and not typer.confirm(f"Write {output}?", default=True, err=True):
        raise typer.Exit(1)
    _write(output, text)
    if as_json:
        outcome.emit_json(
            {"written": str(output), "pipeline_name": name, "notes": notes, "tables": [_row(p) for p in proposals]}
        )
    else:
        console.stdout.print(
            f"Wrote {output}. Next: dltsync check, dltsync plan, dltsync run.", highlight=False, soft_wrap=True
        )
        if database.password is not None:
            console.stdout.print(
                f"The password is not in the file: it is read from ${PASSWORD_VARIABLE}.", soft_wrap=True
            )


def _pattern(text: str, option: str) -> TableName:
    try:
        return parsed_pattern(text)
    except ValueError as problem:
        raise ConfigError(f"{option} {problem}", remedy=f"write {option} 'sales.*', or 'sales.Orders'") from None


def _refuse_existing(output: Path) -> None:
    if output.suffix.lower() not in {".yaml", ".yml"}:
        raise ConfigError(f"--output {output}: the file is written as YAML", remedy="name it .yaml")
    if output.exists() or output.is_symlink():
        raise ConfigError(
            f"{output} is there already, and init overwrites nothing",
            remedy="name another file with --output, or move that one away",
        )
    if not output.parent.is_dir():
        raise ConfigError(f"--output {output}: there is no directory {output.parent}", remedy="create it first")


def _database(given: dict[str, Any], *, ask: bool) -> DatabaseConfig:
    """The database from options and environment; what is missing is asked for at a terminal. Raises ConfigError."""
    try:
        return DatabaseConfig(**given)
    except ConfigError:
        if not ask:
            raise
    answers = dict(given)
    for field, question, hidden in (
        ("server", "Server (host, or host,port)", False),
        ("database", "Database", False),
        ("username", "Login (empty: the user of this machine)", False),
        ("password", "Password", True),
    ):
        known = answers.get(field) is not None or os.environ.get(f"{PREFIX}{field.upper()}")
        if not known and not (field == "password" and answers.get("integrated_security")):
            answer = typer.prompt(question, default="", show_default=False, hide_input=hidden, err=True)
            if field == "username" and not answer:
                answers["integrated_security"] = True
            elif answer:
                answers[field] = answer
    return DatabaseConfig(**answers)


def _section(database: DatabaseConfig) -> dict[str, Any]:
    """The fields of the file's `database` section: what differs from the defaults. The password stays in the environment."""
    section = {
        name: value
        for name, value in database.model_dump(exclude_defaults=True).items()
        if name not in _NOT_WRITTEN and value is not None
    }
    if database.password is not None:
        section["password"] = Variable(PASSWORD_VARIABLE)
    return section


def _proposals(source: SqlServerSource, names: Sequence[TableName]) -> list[TableProposal]:
    """A proposal for each table. One that cannot be read does not stop the others."""
    facts, errors = _read(source.read_facts, names)
    proposals = [propose(facts[name]) if name in facts else left_out(name, errors[name]) for name in names]
    taken: dict[TableName, TableName] = {}
    for position, proposal in enumerate(proposals):
        if (
            proposal.kind is not None
            and (other := taken.setdefault(proposal.table.folded, proposal.table)) != proposal.table
        ):
            proposals[position] = left_out(
                proposal.table,
                ConfigError(
                    f"differs from {dotted(other.schema, other.table)} in upper and lower case only",
                    remedy="load it by a config of its own, with another pipeline_name and target_table",
                ),
            )
    return proposals


def _read(
    read: Callable[[Sequence[TableName]], dict[TableName, TableFacts]], names: Sequence[TableName]
) -> tuple[dict[TableName, TableFacts], dict[TableName, CatalogError]]:
    """The facts of the tables together, and where that fails of each half by itself, down to the table that cannot be read."""
    try:
        return read(names), {}
    except CatalogError as error:
        if len(names) == 1:
            return {}, {names[0]: error}
    middle = len(names) // 2
    facts, errors = _read(read, names[:middle])
    more_facts, more_errors = _read(read, names[middle:])
    return {**facts, **more_facts}, {**errors, **more_errors}


def _notes(facts: DatabaseFacts) -> list[str]:
    if facts.snapshot_allowed:
        return []
    statement = sql("ALTER DATABASE {name} SET ALLOW_SNAPSHOT_ISOLATION ON", name=Identifier(facts.database))
    weaker = "the database does not allow SNAPSHOT isolation: counts and rows of a table come from two moments"
    return [f"{weaker}. An administrator runs {statement.render().text}"]


def _print(facts: DatabaseFacts, proposals: Sequence[TableProposal], notes: Sequence[str]) -> None:
    grid = Listing(
        f"{facts.database} on {facts.server} (SQL Server {facts.product_version})",
        [Column("table"), Column("kind"), Column("rows", numeric=True), Column("why")],
    )
    for proposal in proposals:
        grid.add(
            shown(str(proposal.table)),
            shown(proposal.kind or "not loaded", "" if proposal.kind else "yellow"),
            number(proposal.approx_rows),
            shown(proposal.reason),
        )
    grid.print(console.stdout)
    for note in notes:
        console.stdout.print(shown(note, "yellow"), soft_wrap=True)


def _row(proposal: TableProposal) -> dict[str, Any]:
    return {
        "table": str(proposal.table),
        "kind": proposal.kind,
        "reason": proposal.reason,
        "approx_rows": proposal.approx_rows,
        "entry": dict(proposal.entry),
        "remarks": list(proposal.remarks),
    }


def _write(output: Path, text: str) -> None:
    """Both files; the schema only where none is. Raises ConfigError."""
    try:
        with output.open("x", encoding="utf-8") as file:
            file.write(text)
        schema = output.with_name(SCHEMA_FILE)
        if not schema.exists():
            schema.write_text(json.dumps(editor_schema(), indent=2) + "\n", encoding="utf-8")
    except FileExistsError:
        _refuse_existing(output)
        raise
    except OSError as error:
        raise ConfigError(
            f"cannot write {output}: {error.strerror}", remedy="name another file with --output"
        ) from error
