"""docker-compose.yml without an engine: its keys, its variables, its files, and its services' commands over the sandbox."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pyodbc
import pytest
import yaml

from dltsync_core.config import DatabaseConfig, load_config
from dltsync_core.config.environment import DEBUG_VARIABLE
from dltsync_core.config.environment import PREFIX as CORE
from dltsync_core.errors import ConfigError
from dltsync_dagster.settings import PREFIX, LocationSettings
from tests.deployment.compose_files import ROOT, UnsetVariableError, bound_files, passed_environment, rendered
from tests.support.sandbox_server import SandboxServer

FILE = ROOT / "docker-compose.yml"
SHELL = {"MSSQL_SA_PASSWORD": "Sa-Pa55word", "DLT_SYNC_PASSWORD": "Reader-Pa55word", "DAGSTER_POSTGRES_PASSWORD": "pg"}
OURS = ("code", "webserver", "daemon")
READER = "dltsync_reader"
RIGHTS = re.compile(r"LOGIN|CREATE USER|GRANT")
ONLY_REAL = re.compile(r"ALTER LOGIN")
"""A batch of seed.sql that only a real SQL Server executes."""
DEFAULT_DATABASE = ", DEFAULT_DATABASE = Shop"
"""An option of CREATE LOGIN that the sandbox does not have."""
IF_MISSING = re.compile(r"IF (SUSER|USER)_ID\(.*\) IS NULL ")
"""Nor does it have these functions."""


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = rendered(FILE, SHELL)["services"]
    return found


def test_every_key_is_one_of_the_compose_specification() -> None:
    compose_spec = pytest.importorskip(
        "compose_spec", reason="compose-spec is not installed (pip install 'dltsync[dev]')"
    )
    text = yaml.safe_dump(rendered(FILE, SHELL))
    compose_spec.PyCompose.from_yaml(text).validate()
    with pytest.raises(ValueError, match="retriez"):  # it does look
        compose_spec.PyCompose.from_yaml(text.replace("retries:", "retriez:"))


@pytest.mark.parametrize("name", sorted(SHELL))
def test_a_password_that_is_not_set_stops_the_start_with_a_message(name: str) -> None:
    with pytest.raises(UnsetVariableError, match=f"{name}: copy docker/env.example to .env"):
        rendered(FILE, {**SHELL, name: ""})


def test_env_example_names_every_variable_that_must_be_set() -> None:
    named = dict(
        line.split("=", 1)
        for line in (ROOT / "docker" / "env.example").read_text().splitlines()
        if re.match(r"[A-Z]", line)
    )
    assert {name for name, value in named.items() if not value} == set(SHELL)
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert ".env" in ignored


def test_every_variable_of_dltsync_reaches_the_code_server(services: dict[str, Any]) -> None:
    """By its name; those of other sections by .env, and no other service gets a login of the source."""
    names = set(services["code"]["environment"])
    assert {DEBUG_VARIABLE, *(CORE + field.upper() for field in DatabaseConfig.model_fields)} <= names
    assert {PREFIX + field.upper() for field in LocationSettings.model_fields} <= names
    assert services["code"]["env_file"] == [{"path": ".env", "required": False}]
    set_in_shell = {**SHELL, "DLT_SYNC_PORT": "14330", "DLT_SYNC_DAGSTER_RETRIES": "7"}
    passed = passed_environment(services["code"], set_in_shell)
    assert (passed["DLT_SYNC_PORT"], passed["DLT_SYNC_DAGSTER_RETRIES"]) == ("14330", "7")
    for name in ("webserver", "daemon"):
        assert not [variable for variable in services[name]["environment"] if variable.startswith("DLT_SYNC")]
        assert "env_file" not in services[name]


def test_every_file_that_is_mounted_exists_and_every_service_restarts_and_is_watched(services: dict[str, Any]) -> None:
    volumes = set(rendered(FILE, SHELL)["volumes"])
    for name, service in services.items():
        for path in bound_files(service).values():
            assert (ROOT / path).is_file(), f"{name} mounts {path}"
        mounted = {entry.split(":")[0] for entry in service.get("volumes", ())}
        assert {one for one in mounted if not one.startswith(".")} <= volumes
        if name != "seed":
            assert service["restart"] == "unless-stopped"
            assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
        for other, how in service.get("depends_on", {}).items():
            condition = "service_completed_successfully" if other == "seed" else "service_healthy"
            assert how == {"condition": condition}
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:"), "the UI and the server have no business on the network"


def test_what_is_written_is_in_volumes_that_the_image_has_directories_for(services: dict[str, Any]) -> None:
    config = load_config(ROOT / "docker" / "dltsync.yaml", passed_environment(services["code"], SHELL))
    volumes = [entry.split(":")[1] for entry in services["code"]["volumes"] if not entry.startswith(".")]
    written = [config.state.state_directory, config.state.parquet_directory, config.destination.path, config.log_file]
    image = (ROOT / "Dockerfile").read_text()
    written.append(re.findall(r"DAGSTER_COMPUTE_LOGS=(\S+)", image)[0])
    for path in written:
        assert any(str(path).startswith(f"{volume}") for volume in volumes), path
    for volume in volumes:
        assert volume.removeprefix("/var/lib/dltsync") in re.findall(r"for name in (.*?);", image)[0].split()


def test_an_unknown_variable_of_dltsync_is_an_error_and_not_ignored(services: dict[str, Any]) -> None:
    environment = {**passed_environment(services["code"], SHELL), "DLT_SYNC_SERVR": "x"}
    with pytest.raises(ConfigError, match="did you mean DLT_SYNC_SERVER"):
        load_config(ROOT / "docker" / "dltsync.yaml", environment)


# -- the seed and the code server, over the sandbox -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxServer]:
    """A sandbox with what the service `seed` makes, made twice."""
    server = SandboxServer(tmp_path_factory.mktemp("seeded"))
    try:
        server.start()
        for again in (False, True):
            with closing(pyodbc.connect(server.odbc(), autocommit=True)) as connection:
                for batch in seed_batches():
                    if not ONLY_REAL.search(batch) and not (again and IF_MISSING.search(batch)):
                        connection.execute(IF_MISSING.sub("", batch.replace(DEFAULT_DATABASE, "")))
        yield server
    finally:
        server.stop()


def seed_batches() -> list[str]:
    """The batches of seed.sql as sqlcmd sends them."""
    text = (ROOT / "docker" / "seed.sql").read_text(encoding="utf-8")
    return [
        batch.replace("$(DLT_SYNC_PASSWORD)", SHELL["DLT_SYNC_PASSWORD"])
        for batch in re.split(r"^GO\n", text, flags=re.M)
        if batch
    ]


def test_the_seed_makes_a_login_of_its_own_that_may_only_read(services: dict[str, Any]) -> None:
    batches = [batch for batch in seed_batches() if RIGHTS.search(batch)]
    user = passed_environment(services["code"], SHELL)["DLT_SYNC_USERNAME"]
    assert user == READER
    assert len(batches) == 5
    assert all(user in batch for batch in batches)
    granted = re.findall(rf"^GRANT (.*) TO {user}$", "\n".join(batches), re.M)
    assert granted == ["SELECT ON SCHEMA::sales", "VIEW DEFINITION"]
    assert SHELL["DLT_SYNC_PASSWORD"] in batches[0]
    text = (ROOT / "docker" / "seed.sql").read_text(encoding="utf-8")
    assert set(re.findall(r"\$\(.*?\)", text)) == {"$(DLT_SYNC_PASSWORD)"}, "sqlcmd replaces variables in comments too"
    assert text.isascii(), "sqlcmd reads other characters by the container's code page"
    seed = services["seed"]
    assert seed["environment"]["DLT_SYNC_PASSWORD"] == SHELL["DLT_SYNC_PASSWORD"]
    assert seed["command"][-1] in bound_files(seed)


@pytest.fixture
def environment(seeded: SandboxServer, services: dict[str, Any], tmp_path: Path) -> dict[str, str]:
    """What the service `code` has, with the sandbox in place of the container and a directory in place of volumes."""
    passed = passed_environment(services["code"], SHELL)
    return {
        **os.environ,
        **passed,
        "DLT_SYNC_CONFIG": str(ROOT / "docker" / "dltsync.yaml"),
        "DLT_SYNC_SERVER": seeded.host,
        "DLT_SYNC_PORT": str(seeded.port),
        "DLT_SYNC_USERNAME": READER,
        "DLT_SYNC_PASSWORD": SHELL["DLT_SYNC_PASSWORD"],
        "DLT_SYNC_STATE__STATE_DIRECTORY": str(tmp_path / "state"),
        "DLT_SYNC_STATE__PARQUET_DIRECTORY": str(tmp_path / "lake"),
        "DLT_SYNC_DESTINATION__PATH": str(tmp_path / "house.duckdb"),
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "DAGSTER_HOME": "",
        "DAGSTER_DISABLE_TELEMETRY": "yes",
    }


@pytest.mark.slow  # processes that import everything
def test_the_tables_of_the_seed_are_loaded(environment: dict[str, str], tmp_path: Path) -> None:
    """As `docker compose exec code dltsync run` does it."""
    config = tmp_path / "dltsync.yaml"
    text = (ROOT / "docker" / "dltsync.yaml").read_text()
    config.write_text(text.replace("/var/lib/dltsync/logs", str(tmp_path)))  # a log file has no variable
    environment["DLT_SYNC_CONFIG"] = str(config)
    for command in (["check"], ["run"], ["validate"]):
        done = ran(environment, "dltsync", *command)
        assert done.returncode == 0, done.stdout + done.stderr
    status = ran(environment, "dltsync", "status", "--json")
    found = {table["table"]: table for table in json.loads(status.stdout)["tables"]}
    assert set(found) == {"sales.Orders", "sales.Customers", "sales.Countries"}


@pytest.mark.slow  # a code server
@pytest.mark.timeout(600)
def test_the_code_server_starts_with_the_services_command_and_is_healthy(
    environment: dict[str, str], services: dict[str, Any], tmp_path: Path
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    command = [port if part == "4000" else part for part in services["code"]["command"]]
    check = [port if part == "4000" else part for part in services["code"]["healthcheck"]["test"][1:]]
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(program(command), env=environment, cwd=tmp_path, stdout=log, stderr=log)
    try:
        assert ran(environment, *check).returncode != 0, "it is not healthy before it listens"
        deadline = time.monotonic() + 300
        while ran(environment, *check).returncode != 0:
            assert server.poll() is None, (tmp_path / "log").read_text()
            assert time.monotonic() < deadline, (tmp_path / "log").read_text()
    finally:
        server.terminate()
        server.wait(60)


def program(command: list[str]) -> list[str]:
    """The command by the programs of this environment."""
    return [sys.executable, str(Path(sys.executable).parent / command[0]), *command[1:]]


def ran(environment: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        program(list(command)), env=environment, capture_output=True, text=True, check=False, timeout=300
    )
