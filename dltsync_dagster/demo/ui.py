"""The Dagster UI over the demo's state, with the stand-in running beside it. Ctrl-C stops both."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

from rich.console import Console

from dltsync_core.errors import EnvironmentProblem
from dltsync_dagster.demo.places import Places
from dltsync_dagster.demo.sandbox import HOST
from dltsync_dagster.demo.story import sandbox_for

READY_WITHIN = 120.0
STOP_WITHIN = 20.0


def serve(console: Console, places: Places, *, database_port: int, ui_port: int) -> None:
    """Serve until Ctrl-C or SIGTERM. Raises EnvironmentProblem when something does not start."""
    places.prepare()
    signal.signal(signal.SIGTERM, _interrupt)  # so that both children are stopped then, too
    with sandbox_for(places, places.load_config(database_port)):
        dagster = _start_dagster(places, database_port, ui_port)
        try:
            with console.status("starting the Dagster UI"):
                _wait_until_ready(dagster, ui_port)
            console.print(f"\n  Dagster UI: [bold]http://{HOST}:{ui_port}[/bold]   (Ctrl-C stops it)\n")
            dagster.wait()
            raise EnvironmentProblem("Dagster ended by itself", remedy="its own messages are above")
        except KeyboardInterrupt:
            console.print("  stopping", style="dim")
        finally:
            _stop(dagster)


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _start_dagster(places: Places, database_port: int, ui_port: int) -> subprocess.Popen[bytes]:
    environment = places.environment(database_port)
    environment.setdefault("DLT_SYNC_DAGSTER_SENSORS", "running")
    environment.setdefault("DLT_SYNC_DAGSTER_SENSOR_INTERVAL_SECONDS", "30")
    return subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-m", "dagster", "dev", "-w", str(places.workspace), "-h", HOST, "-p", str(ui_port)],
        env=environment,
        # A session of its own: Ctrl-C would otherwise reach Dagster's five processes and us at once.
        start_new_session=True,
    )


def _wait_until_ready(dagster: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + READY_WITHIN
    while time.monotonic() < deadline:
        if dagster.poll() is not None:
            raise EnvironmentProblem("the Dagster UI did not start", remedy="its own messages are above")
        try:
            with urllib.request.urlopen(f"http://{HOST}:{port}/server_info", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    raise EnvironmentProblem(f"the Dagster UI did not answer within {READY_WITHIN:.0f} seconds")


def _stop(dagster: subprocess.Popen[bytes]) -> None:
    """As an operator would; what is left of its session afterwards is ended."""
    if dagster.poll() is None:
        dagster.send_signal(signal.SIGINT)
        try:
            dagster.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            dagster.kill()
            dagster.wait()
    try:
        os.killpg(dagster.pid, signal.SIGKILL)  # the session we made for it: nothing else is in there
    except ProcessLookupError:
        return
