"""`examples/airflow/dltsync_dag.py`, run by Airflow itself, in a virtual environment of its own.

`make airflow-environment` makes that (`.venv-airflow`, or AIRFLOW_VENV); without it the test makes one, which takes minutes and
needs a package index.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.support.example_shop import EXAMPLES, ROOT, ExampleShop, example_shop
from tests.support.sandbox_server import SandboxServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2400)]

AIRFLOW = "apache-airflow>=3.0,<3.2"
GROUPED = {"partition_tables.sales_Orders", "scd_tables.sales_Customers", "static_tables.sales_Countries"}

INSPECT = """
import json, sys
from airflow.models.dagbag import DagBag
bag = DagBag(sys.argv[1], include_examples=False)
assert not bag.import_errors, bag.import_errors
(dag,) = bag.dags.values()
print("FOUND " + json.dumps({"schedule": dag.schedule, "upstream": {t.task_id: sorted(t.upstream_task_ids) for t in dag.tasks}}))
"""

STATES = """
import json
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
with create_session() as session:
    states = {each.task_id: str(each.state) for each in session.query(TaskInstance)}
    returned = {
        each.task_id: json.loads(each.value) if isinstance(each.value, str) else each.value
        for each in session.query(XComModel).filter(XComModel.key == "return_value")
    }
print("FOUND " + json.dumps({"states": states, "returned": returned}))
"""


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command `airflow` of an environment that has it."""
    place = Path(os.environ.get("AIRFLOW_VENV", ROOT / ".venv-airflow"))
    if not (place / "bin" / "airflow").exists():
        place = tmp_path_factory.mktemp("airflow") / "venv"
        subprocess.run([sys.executable, "-m", "venv", place], check=True, timeout=300)
        uv, pip = shutil.which("uv"), place / "bin" / "pip"
        install: list[str | Path] = (
            [uv, "pip", "install", "--python", place / "bin" / "python"] if uv else [pip, "install"]
        )
        installed = subprocess.run([*install, "-q", AIRFLOW], check=False, timeout=1800)
        if installed.returncode:
            pytest.skip("Airflow cannot be installed here: make airflow-environment")
    return place / "bin" / "airflow"


class Airflow:
    """Airflow over a directory of its own, with the DAG in its folder."""

    def __init__(self, command: Path, shop: ExampleShop) -> None:
        self._command, self._shop = command, shop
        self.data, self.secret = shop.root / "data", shop.secret
        home = shop.root / "airflow"
        (home / "dags").mkdir(parents=True)
        (home / "dags" / "dltsync_dag.py").write_bytes((EXAMPLES / "airflow" / "dltsync_dag.py").read_bytes())
        self.dags = home / "dags"
        self._environment = {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
            "DLTSYNC_COMMAND": str(shop.command),
            "PYTHONPATH": "",  # dltsync is not importable for Airflow, as in life: the command is a process of its own
        }

    def ran(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return self._shop.ran(self._command, *arguments, **self._environment, **more)

    def python(self, script: str) -> str:
        done = self._shop.ran(self._command.parent / "python", "-c", script, str(self.dags), **self._environment)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout


@pytest.fixture(scope="module")
def place(airflow: Path, sandbox: SandboxServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    with example_shop(sandbox, tmp_path_factory.mktemp("shop")) as shop:
        # The command itself needs our packages; Airflow must not see them.
        shop.command.write_text(
            f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m dltsync_core.cli "$@"\n', encoding="utf-8"
        )
        made = Airflow(airflow, shop)
        migrated = made.ran("db", "migrate")
        assert migrated.returncode == 0, migrated.stderr[-3000:]
        yield made


def found(text: str) -> dict[str, Any]:
    (line,) = (one for one in text.splitlines() if one.startswith("FOUND "))
    result: dict[str, Any] = json.loads(line.removeprefix("FOUND "))
    return result


def test_the_dag_groups_the_tables_of_the_config_by_kind(place: Airflow) -> None:
    dag = found(place.python(INSPECT))
    assert dag["schedule"] == "0 2 * * *"
    assert set(dag["upstream"]) == GROUPED | {"validate", "summary", "cleanup"}
    assert set(dag["upstream"]["validate"]) == GROUPED
    assert dag["upstream"]["cleanup"] == ["summary"]


def test_a_run_loads_validates_and_sums_up(place: Airflow) -> None:
    done = place.ran("dags", "test", "dltsync", "2024-01-02")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    ended = found(place.python(STATES))
    assert set(ended["states"].values()) == {"success"}, done.stdout[-3000:] + done.stderr[-3000:]
    assert ended["returned"]["partition_tables.sales_Orders"]["rows"] == 4
    assert ended["returned"]["summary"] == {
        "tables": 3, "rows": 9, "committed": 7, "skipped": 0, "valid_tables": 3, "total_tables": 3,
    }  # fmt: skip
    assert ended["returned"]["cleanup"]["agreed"] is True
    with duckdb.connect(str(place.data / "shop.duckdb"), read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM warehouse.Orders").fetchall() == [(4,)]
    assert place.secret not in done.stdout + done.stderr


def test_a_failure_that_needs_a_person_shows_its_remedy_and_is_not_tried_again(place: Airflow) -> None:
    done = place.ran("dags", "test", "dltsync", "2024-01-03", DLT_SYNC_LOG_LEVEL="LOUD")
    text = done.stdout + done.stderr
    assert "DLT_SYNC_LOG_LEVEL" in text
    assert "set it to DEBUG, INFO, WARNING or ERROR" in text
    assert "UP_FOR_RETRY" not in text
