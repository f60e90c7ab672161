"""The files below `examples/` as they stand: the config of every kind, the Python script, cron, systemd."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from dltsync_core.config import load_config
from tests.support.example_shop import EXAMPLES, ExampleShop, example_shop
from tests.support.sandbox_server import SandboxServer

UNITS = EXAMPLES / "systemd"
ENVIRONMENT = {f"DLT_SYNC_{name}": "x" for name in ("SERVER", "DATABASE", "USERNAME", "PASSWORD")}
CRON = EXAMPLES / "cron" / "dltsync.cron"


@pytest.fixture
def shop(sandbox: SandboxServer, tmp_path: Path) -> Iterator[ExampleShop]:
    with example_shop(sandbox, tmp_path) as made:
        yield made


def in_warehouse(shop: ExampleShop, query: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(shop.root / "data" / "shop.duckdb"), read_only=True) as connection:
        return connection.execute(query).fetchall()


def test_the_config_has_a_table_of_every_kind() -> None:
    config = load_config(EXAMPLES / "config" / "dltsync.yaml", ENVIRONMENT)
    assert [table.kind for table in config.tables] == ["partition", "scd", "static"]
    assert config.log_file == EXAMPLES / "config" / "data" / "log" / "dltsync.jsonl"


@pytest.mark.slow
def test_the_script_loads_compares_and_reads(shop: ExampleShop) -> None:
    done = shop.ran(sys.executable, EXAMPLES / "python" / "sync.py", shop.config)
    assert done.returncode == 0, done.stderr
    assert "sales.Orders [2024-01-01,2024-02-01): committed, 2 rows" in done.stdout
    assert "3 of 3 tables agree" in done.stdout
    assert "3 versions of customers" in done.stdout
    entries = [json.loads(line) for line in (shop.root / "data" / "log" / "dltsync.jsonl").read_text().splitlines()]
    assert "committed" in {entry["event"] for entry in entries}
    assert shop.secret not in done.stdout + done.stderr

    wrong = shop.ran(sys.executable, EXAMPLES / "python" / "sync.py", shop.config, DLT_SYNC_PASSWORD="no")
    assert wrong.returncode == 1
    assert "Traceback" not in wrong.stderr


@pytest.mark.slow
def test_the_lines_of_cron_run(shop: ExampleShop) -> None:
    text = CRON.read_text(encoding="utf-8")
    (shop.root / "environment").write_text("".join(f"{k}={shlex.quote(v)}\n" for k, v in shop.variables.items()))
    for place, here in (
        ("/opt/dltsync/bin/dltsync", shop.command),
        ("/etc/dltsync/environment", shop.root / "environment"),
        ("/var/lib/dltsync", shop.root),
    ):
        assert place in text
        text = text.replace(place, str(here))
    lines = [line for line in text.splitlines() if re.match(r"[\d*]", line)]
    assert len(lines) == 2
    for line in lines:
        *times, command = line.split(maxsplit=5)
        assert all(re.fullmatch(r"\*|\d+", each) for each in times)
        assert "%" not in command, "cron reads it as a line break"
        environment = {"PATH": "/usr/bin:/bin", "DLT_SYNC_CONFIG": str(shop.config)}
        pythonpath = shop.environment["PYTHONPATH"]
        done = subprocess.run(
            ["/bin/bash", "-c", command],
            env={**environment, "PYTHONPATH": pythonpath},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), "cron would send a mail"
    assert in_warehouse(shop, "SELECT count(*) FROM warehouse.Orders") == [(4,)]
    assert "3 of 3 tables agree" in (shop.root / "validation.txt").read_text()


def test_the_units_of_systemd_are_valid(tmp_path: Path) -> None:
    for name in ("dltsync.service", "dltsync.timer"):
        text = (UNITS / name).read_text(encoding="utf-8")
        # The command is not installed here, and systemd looks for it.
        (tmp_path / name).write_text(text.replace("/opt/dltsync/bin/dltsync", "/bin/true"), encoding="utf-8")
        parsed = configparser.ConfigParser(strict=False, interpolation=None)
        parsed.optionxform = str  # type: ignore[assignment,method-assign]
        parsed.read_string(text)
        assert "Description" in parsed["Unit"]
    if (analyze := shutil.which("systemd-analyze")) is not None:
        done = subprocess.run(
            [analyze, "verify", tmp_path / "dltsync.service", tmp_path / "dltsync.timer"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        ours = [line for line in done.stderr.splitlines() if "dltsync" in line]
        assert (done.returncode, ours) == (0, []), done.stderr
        calendar = parsed["Timer"]["OnCalendar"]
        assert subprocess.run([analyze, "calendar", calendar], capture_output=True, check=False).returncode == 0
