"""Parses every statement that dltsync sends to SQL Server with Microsoft's own parser (ScriptDom), and compares their classes.

It needs the .NET SDK (`dotnet`), which fetches the package Microsoft.SqlServer.TransactSql.ScriptDom, and the Python package
`pythonnet`. Where one of them is missing it prints which, and succeeds, unless `--required` is given. SCRIPTDOM_DLL names a
copy of the library that is there already. `--write` writes the classes anew, to be read before they are committed.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
CLASSES = ROOT / "tests" / "golden" / "statement_classes.json"
FOLDERS = ("tsql", "tsql_warehouse")
PERMISSIONS = ROOT / "docs" / "permissions.md"
PACKAGE = "Microsoft.SqlServer.TransactSql.ScriptDom"
VERSION = "170.64.0"
PROJECT = f"""<Project Sdk="Microsoft.NET.Sdk"><PropertyGroup><TargetFramework>netstandard2.0</TargetFramework></PropertyGroup>
<ItemGroup><PackageReference Include="{PACKAGE}" Version="{VERSION}" /></ItemGroup></Project>"""
PARSERS = tuple(f"TSql{level}Parser" for level in range(200, 120, -10))
_MARKERS = re.compile(r"('(?:[^']|'')*'|\[(?:[^\]]|\]\])*\]|--[^\n]*|/\*.*?\*/)|\?", re.DOTALL)
"""ODBC's parameter markers outside of strings, quoted names and comments: the parser takes variables only."""


class Missing(Exception):
    """Something that parsing needs is not here."""


def statements() -> Iterator[tuple[str, str]]:
    """Every statement by name: the golden files, the catalogue's queries, the scripts in docs/permissions.md."""
    for folder in FOLDERS:
        for path in sorted((ROOT / "tests" / "golden" / folder).glob("*.sql")):
            yield f"{folder}/{path.name}", path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "dltsync_core" / "catalog" / "queries").glob("*.sql")):
        yield f"catalog/{path.name}", path.read_text(encoding="utf-8")
    blocks = re.findall(r"```sql\n(.*?)```", PERMISSIONS.read_text(encoding="utf-8"), re.DOTALL)
    for number, block in enumerate(blocks, start=1):
        yield f"permissions/{number}", block


def parsed(parser: Any, text: str) -> tuple[list[str], list[str]]:
    """The classes of the statements, and the errors."""
    reader = importlib.import_module("System.IO").StringReader(_MARKERS.sub(lambda m: m.group(1) or "@p", text))
    tree, errors = parser.Parse(reader, None)
    found = [f"line {e.Line}, column {e.Column}: {e.Message}" for e in errors]
    classes = [s.GetType().Name for batch in tree.Batches for s in batch.Statements] if tree is not None else []
    return classes, found


def open_parser() -> Any:
    """Microsoft's newest parser in the library. Raises Missing."""
    if importlib.util.find_spec("pythonnet") is None:
        raise Missing("the Python package pythonnet is not installed (pip install pythonnet)")
    library = Path(os.environ["SCRIPTDOM_DLL"]) if "SCRIPTDOM_DLL" in os.environ else _fetched()
    try:
        importlib.import_module("pythonnet").load("coreclr", **_runtime())
        clr = importlib.import_module("clr")
        importlib.import_module("System.Reflection").Assembly.LoadFrom(str(library.resolve()))
        clr.AddReference(PACKAGE)
        module = importlib.import_module(PACKAGE)
    except Exception as error:  # whatever .NET raises: the parser does not run here
        raise Missing(f".NET cannot load {library.name}: {error}") from error
    name = next(name for name in PARSERS if hasattr(module, name))  # `dir` lists only what was used
    return getattr(module, name)(True)


def _fetched() -> Path:
    dotnet = shutil.which("dotnet")
    if dotnet is None:
        raise Missing("there is no `dotnet` on this machine (the .NET SDK), and SCRIPTDOM_DLL names no library")
    folder = Path(tempfile.mkdtemp(prefix="scriptdom-"))
    (folder / "fetch.csproj").write_text(PROJECT, encoding="utf-8")
    command = [dotnet, "restore", "--packages", str(folder / "packages")]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603 -- a constant
    if done.returncode:
        raise Missing(f"the package {PACKAGE} cannot be fetched: {done.stdout.strip()[-300:]}")
    return next((folder / "packages").glob(f"**/lib/netstandard2.0/{PACKAGE}.dll"))


def _runtime() -> dict[str, str]:
    """Without an application .NET has no configuration: any version that is installed will do."""
    folder = Path(tempfile.mkdtemp(prefix="runtime-"))
    config = {
        "runtimeOptions": {
            "rollForward": "LatestMajor",
            "framework": {"name": "Microsoft.NETCore.App", "version": "3.1.0"},
            "configProperties": {"System.Globalization.Invariant": True},
        }
    }
    (folder / "runtimeconfig.json").write_text(json.dumps(config), encoding="utf-8")
    given = {"runtime_config": str(folder / "runtimeconfig.json")}
    return given | ({"dotnet_root": os.environ["DOTNET_ROOT"]} if "DOTNET_ROOT" in os.environ else {})


def main() -> int:
    """0: everything parses into the classes that are expected, or the parser is missing and not required."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--required", action="store_true", help="fail where the parser is missing")
    arguments.add_argument("--write", action="store_true", help="write the classes anew")
    options = arguments.parse_args()
    try:
        parser = open_parser()
    except Missing as missing:
        print(f"not parsed: {missing}")  # noqa: T201 -- a command
        return int(options.required)
    found: dict[str, list[str]] = {}
    problems: list[str] = []
    for name, text in statements():
        found[name], errors = parsed(parser, text)
        problems += [f"{name}: {error}" for error in errors]
    if options.write and not problems:
        CLASSES.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    expected = json.loads(CLASSES.read_text(encoding="utf-8"))
    problems += [
        f"{name}: {found.get(name)} instead of {expected.get(name)}"
        for name in sorted({*found, *expected})
        if found.get(name) != expected.get(name)
    ]
    print("\n".join(problems) or f"{len(found)} texts parsed")  # noqa: T201 -- a command
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
