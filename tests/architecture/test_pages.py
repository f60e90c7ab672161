"""The pages as a site, and what their code blocks and names promise: commands, options, fields and programs exist."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from dltsync_core.cli import app
from dltsync_core.config import PipelineConfig, load_config
from dltsync_core.config.environment import SECTIONS, section_model
from dltsync_core.config.files import references
from tests.architecture.imports import ROOT

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
BLOCK = re.compile(r"(?ms)^```(\w+)\n(.*?)^```$")
COMMANDS = {command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands}


def blocks(*languages: str) -> list[tuple[str, str]]:
    """Page and text of the code blocks in these languages."""
    return [
        (page.name, match[2])
        for page in PAGES
        for match in BLOCK.finditer(page.read_text(encoding="utf-8"))
        if match[1] in languages
    ]


def script(name: str) -> Any:
    """A module of `scripts/`."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_page_is_in_the_navigation_once() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    listed = re.findall(r"[\w/]+\.md", text)
    assert sorted(listed) == sorted(page.name for page in DOCS.glob("*.md"))


def test_the_site_has_no_link_out_of_it_and_nothing_that_only_tests_read() -> None:
    module = script("site_pages")
    left = [
        (page.name, found)
        for page in PAGES[1:]
        for found in re.findall(
            r"\]\(\.\./[^)]*\)|<!--.*|^ *```\w+ .+$",
            module.for_the_site(page.read_text(encoding="utf-8")),
            re.MULTILINE,
        )
    ]
    assert left == []
    text = "[a](../b.md), ![c](../d.png), [e](f.md)\n<!-- not run: g -->\n```sql duckdb\nh\n```\n"
    assert module.for_the_site(text) == "a, ![c](../d.png), [e](f.md)\n```sql\nh\n```\n"
    assert "[a](https://x.example/b.md)" in module.for_the_site(text, "https://x.example")


@pytest.mark.slow
def test_the_site_builds_strictly(tmp_path: Path) -> None:
    """A link that leads nowhere, an anchor that is missing, a page outside of the navigation: each is an error."""
    if importlib.util.find_spec("material") is None:
        pytest.skip("mkdocs-material is not installed: make docs")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", tmp_path / "site"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site" / "start" / "index.html").is_file()


def test_the_page_of_the_command_line_is_current(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", dict(os.environ))
    module = script("cli_docs")
    written = (DOCS / "cli.md").read_text(encoding="utf-8")
    assert written == module.page(), "run: .venv/bin/python scripts/cli_docs.py"


def test_commands_in_code_blocks_have_these_options() -> None:
    lines = {
        line.removeprefix("$ ").split("  #")[0].strip()
        for _, text in blocks("console")
        for line in text.splitlines()
        if re.match(r"\$ dltsync (?!demo|dagster|--)", line)
    }
    assert len(lines) > 8
    for line in sorted(lines):
        _, command, *arguments = shlex.split(line)
        assert command in COMMANDS, line
        help_text = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"}).stdout
        for option in (each for each in arguments if each.startswith("-")):
            assert re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", help_text), f"{line}: {option}"


def test_options_in_the_text_exist() -> None:
    known = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", (DOCS / "cli.md").read_text(encoding="utf-8")))
    calls = [
        (page.name, call)
        for page in PAGES
        for call in re.findall(r"`dltsync ((?!demo|dagster)[^`]+)`", page.read_text(encoding="utf-8"))
    ]
    assert len(calls) > 30
    wrong = [
        (page, call)
        for page, call in calls
        for option in re.findall(r"(?<![\w-])--[a-z][a-z-]+", call)
        if option not in known
    ]
    assert wrong == []


def test_fields_in_the_text_exist() -> None:
    wrong = [
        f"{page.name}: {section}.{field}"
        for page in PAGES
        for section, field in re.findall(rf"`({'|'.join(SECTIONS)})\.(\w+)", page.read_text(encoding="utf-8"))
        if field not in section_model(section).model_fields
    ]
    assert wrong == []


@pytest.mark.parametrize(("page", "text"), blocks("python"), ids=lambda value: value[:24])
def test_python_in_code_blocks_imports_what_exists(page: str, text: str) -> None:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0].startswith("dltsync"):
            module = importlib.import_module(str(node.module))
            assert [alias.name for alias in node.names if not hasattr(module, alias.name)] == []


def test_configs_in_code_blocks_have_known_fields(tmp_path: Path) -> None:
    """A block that begins with fields of the config is read as a part of one."""
    database = {"server": "s", "database": "d", "username": "u", "password": "p"}
    least = {"database": database, "static_tables": [{"table_name": "T"}]}
    read = 0
    for _, text in blocks("yaml"):
        values: Any = yaml.safe_load(text.replace("…", "x"))
        if not isinstance(values, dict) or not set(values) <= set(PipelineConfig.model_fields):
            continue
        file = tmp_path / "dltsync.yaml"
        file.write_text(yaml.safe_dump({**least, **values}, allow_unicode=True), encoding="utf-8")
        load_config(file, dict.fromkeys(references(values), "p"))
        read += 1
    assert read >= 2
