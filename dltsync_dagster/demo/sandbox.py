"""The loopback stand-in for SQL Server as a process of its own: started, waited for, stopped."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

from typing_extensions import Self

from dltsync_core.errors import EnvironmentProblem

HOST = "127.0.0.1"
USUAL_PORT = 14330
START_WITHIN = 60.0
STOP_WITHIN = 20.0


def free_port(usual: int) -> int:
    """The usual port when nobody listens there, else another one."""
    for port in (usual, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise EnvironmentProblem(f"no free port on {HOST}")


class Sandbox:
    """A running stand-in over a directory. A context manager; leaving it stops the process."""

    def __init__(self, directory: Path, *, port: int, user: str, password: str) -> None:
        self.port = port
        self._directory, self._user, self._password = directory, user, password
        self._log = directory / "sandbox.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Returns when clients can connect. Raises EnvironmentProblem with the end of its log when it does not start."""
        if importlib.util.find_spec("cryptography") is None:
            raise EnvironmentProblem(
                "the package cryptography, which signs the stand-in's certificate, is not installed",
                remedy="pip install 'dltsync[demo]'",
            )
        self._directory.mkdir(parents=True, exist_ok=True)
        ready = self._directory / "ready"
        ready.unlink(missing_ok=True)
        command = [sys.executable, "-m", "sqlserver_sandbox", "--data", str(self._directory / "data"), "--tls"]
        command += ["--port", str(self.port), "--user", self._user, "--ready-file", str(ready)]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own module
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "SQLSERVER_SANDBOX_PASSWORD": self._password},
                # A session of its own: Ctrl-C reaches us first, and we stop it when nobody needs it any more.
                start_new_session=True,
            )
        deadline = time.monotonic() + START_WITHIN
        while not ready.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise EnvironmentProblem(
                    f"the stand-in for SQL Server did not start: {self._last_words()}", remedy=f"see {self._log}"
                )
            time.sleep(0.05)

    def stop(self) -> None:
        """Ends the process; waits until it is gone."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"
