"""A Dagster deployment on loopback: code server, webserver and daemon as processes of their own, and the webserver's GraphQL.

They stand in process groups of their own, runs and their steps included, and are ended by these.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

LOCATION = "live"
WITHIN = 3000.0
"""Seconds until something that must happen has happened, also on a machine that is busy with something else."""

BELOW_EPHEMERAL = range(20_000, 32_000)
"""Ports below those that Linux gives to connections."""

T = TypeVar("T")


class DagsterProcesses:
    """The deployment. `home` is its DAGSTER_HOME, with a dagster.yaml in it."""

    def __init__(self, home: Path, module: str, environment: Mapping[str, str]) -> None:
        self.home = home
        self._module = module
        self._environment = {
            **os.environ,
            **environment,
            "DAGSTER_HOME": str(home),
            "DAGSTER_DISABLE_TELEMETRY": "yes",
            "RUNTIME__DLTHUB_TELEMETRY": "false",
            "DAGSTER_GRPC_TIMEOUT_SECONDS": "300",  # for requests to the code server: the machine may be busy
        }
        self._port = _free_port()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Returns when the webserver shows the location. Raises RuntimeError with the logs when it does not."""
        code = _free_port()
        server = ["grpc_server:", "host: 127.0.0.1", f"port: {code}", f"location_name: {LOCATION}"]
        workspace = self.home / "workspace.yaml"
        workspace.write_text("load_from:\n  - " + "\n      ".join(server) + "\n")
        address = ["-h", "127.0.0.1", "-p"]
        self._launch("code", ["dagster", "api", "grpc", "-m", self._module, "-a", "defs", *address, str(code)])
        self._wait_for_port("code", code)
        self._launch("webserver", ["dagster-webserver", *address, str(self._port), "-w", str(workspace)])
        self._launch("daemon", ["dagster-daemon", "run", "-w", str(workspace)])
        self._wait_for_port("webserver", self._port)
        self.wait_for("the location to be loaded", self._loaded)

    def stop(self) -> None:
        """End all processes. What does not end in order is killed."""
        for process in reversed(self._processes.values()):
            _signal(process, signal.SIGTERM)
        for process in self._processes.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(30)
            _signal(process, signal.SIGKILL)  # runs that it left
            process.wait(30)
        self._processes.clear()

    def logs(self, characters: int = 3000) -> str:
        """The end of each process's log."""
        names = [self.home / f"{name}.log" for name in self._processes]
        return "\n".join(f"--- {file.name}\n{file.read_text(errors='replace')[-characters:]}" for file in names)

    def query(self, text: str, **variables: Any) -> Any:
        """The answer to the one field of a query or mutation. Raises RuntimeError for an error of GraphQL or of Dagster."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._port}/graphql",
            data=json.dumps({"query": text, "variables": variables}).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=120) as response:  # noqa: S310 - loopback
                answer = json.load(response)
        except urllib.error.HTTPError as error:
            raise RuntimeError(error.read().decode(errors="replace")) from error
        if answer.get("errors"):
            raise RuntimeError(json.dumps(answer["errors"], indent=1))
        (value,) = answer["data"].values()
        if isinstance(value, dict) and str(value.get("__typename", "")).endswith("Error"):
            raise RuntimeError(json.dumps(value, indent=1))
        return value

    def wait_for(self, what: str, found: Callable[[], T | None]) -> T:
        """The first value that is not empty."""
        deadline = time.monotonic() + WITHIN
        while True:
            value = found()
            if value:
                return value
            ended = [name for name, process in self._processes.items() if process.poll() is not None]
            if ended or time.monotonic() > deadline:
                raise RuntimeError(f"waited in vain for {what} (ended: {ended})\n{self.logs()}")
            time.sleep(1)

    def _loaded(self) -> bool:
        entry = self.query(_LOCATION, name=LOCATION)
        if entry["locationOrLoadError"] is None:
            return False
        if entry["locationOrLoadError"]["__typename"] == "PythonError":
            raise RuntimeError(entry["locationOrLoadError"]["message"])
        return bool(entry["loadStatus"] == "LOADED")

    def _launch(self, name: str, command: list[str]) -> None:
        program = Path(sys.executable).parent / command[0]
        with (self.home / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [sys.executable, str(program), *command[1:]],
                stdout=log,
                stderr=log,
                cwd=self.home,
                env=self._environment,
                start_new_session=True,
            )

    def _wait_for_port(self, name: str, port: int) -> None:
        def open_port() -> bool:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=2).close()
            except OSError:
                return False
            return True

        self.wait_for(f"the port of {name}", open_port)


_LOCATION = """query($name: String!) { workspaceLocationEntryOrError(name: $name) { __typename
    ... on WorkspaceLocationEntry { loadStatus locationOrLoadError { __typename ... on PythonError { message } } } } }"""


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return


def _free_port() -> int:
    """A port that no connection of another program gets by chance, while the server that listens there still starts."""
    for port in random.sample(BELOW_EPHEMERAL, 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no free port")
