"""The commands that set a pipeline up. Light: what they do stands in `cli.init` and `cli.check`, which are imported when they are
called."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dltsync_core.cli import outcome
from dltsync_core.cli.lazy import LazyModule
from dltsync_core.cli.options import ConfigOption, JsonOption, split_names

if TYPE_CHECKING:
    from dltsync_core.cli import check as checking
    from dltsync_core.cli import init as proposing
else:
    checking = LazyModule("dltsync_core.cli.check")
    proposing = LazyModule("dltsync_core.cli.init")


def init(
    server: Annotated[
        str | None, typer.Option("--server", help="Host, or host,port. Default: $DLT_SYNC_SERVER.", show_default=False)
    ] = None,
    database: Annotated[
        str | None, typer.Option("--database", help="Default: $DLT_SYNC_DATABASE.", show_default=False)
    ] = None,
    username: Annotated[
        str | None,
        typer.Option(
            "--username",
            help="SQL login. Default: $DLT_SYNC_USERNAME. The password comes from $DLT_SYNC_PASSWORD, or is asked for.",
            show_default=False,
        ),
    ] = None,
    integrated_security: Annotated[
        bool, typer.Option("--integrated-security", help="Log in as the user of this machine (Kerberos on Linux).")
    ] = False,
    trust_server_certificate: Annotated[
        bool, typer.Option("--trust-server-certificate", help="Accept a certificate that this machine cannot verify.")
    ] = False,
    schemas: Annotated[
        list[str] | None,
        typer.Option(
            "--schemas", metavar="NAMES", help="Only tables of these schemas. Repeatable.", show_default=False
        ),
    ] = None,
    include: Annotated[
        list[str] | None,
        typer.Option(
            "--include", metavar="PATTERNS", help="Only tables like 'sales.*'. Repeatable.", show_default=False
        ),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            "--exclude", metavar="PATTERNS", help="No tables like '*.*_backup'. Repeatable.", show_default=False
        ),
    ] = None,
    pipeline_name: Annotated[
        str | None, typer.Option("--pipeline-name", help="Default: the name of the database.", show_default=False)
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The file to write. It must not exist.")
    ] = Path("dltsync.yaml"),
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Write without asking.")] = False,
    json: JsonOption = False,
) -> None:
    """Propose a config from the tables of a database, and write it.

    Reads the catalogue only, no rows. Says of every table which kind it would be and why, or why it cannot be loaded.
    """
    with outcome.explained(as_json=json):
        given = {
            "server": server,
            "database": database,
            "username": username,
            "integrated_security": integrated_security or None,
            "trust_server_certificate": trust_server_certificate or None,
        }
        proposing.init(
            {name: value for name, value in given.items() if value is not None},
            schemas=split_names(schemas),
            include=split_names(include),
            exclude=split_names(exclude),
            output=output,
            pipeline_name=pipeline_name,
            yes=yes,
            as_json=json,
        )


def check(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Check drivers, logins, permissions, tables and disks.

    Connects to the source and the warehouse, and changes nothing. Names what is missing, with the statement that grants it.

    Exit code: the smallest of what is missing.
    """
    with outcome.explained(as_json=json):
        checking.check(config, as_json=json)
