"""`python -m sqlserver_sandbox`: serve a data directory on loopback until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import sqlserver_sandbox.without_pandas  # noqa: F401 - first: it is for the imports below

# isort: split
from sqlserver_sandbox.certificate import tls_context
from sqlserver_sandbox.engine import DuckDbEngine
from sqlserver_sandbox.faults import Injector, Plan, PlanError, parse_plan
from sqlserver_sandbox.server import HOST, Server

PASSWORD_VARIABLE = "SQLSERVER_SANDBOX_PASSWORD"  # noqa: S105 - the name of a variable, not a password
DEFAULT_PORT = 14330


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 after a clean stop, 1 when it could not start, 2 for wrong arguments."""
    asked = _parser().parse_args(arguments)
    if asked.host not in (HOST, "localhost"):
        _complain(f"--host {asked.host}: the sandbox serves {HOST} only; it is not hardened for a network")
        return 2
    # Blocked before any thread exists, so that sigwait below receives them and no thread dies of them.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    if asked.stop_at_end_of_input:
        threading.Thread(target=_stop_at_end_of_input, name="input-watcher", daemon=True).start()
    data: Path = asked.data
    if asked.threads is not None and asked.threads < 1:
        _complain(f"--threads {asked.threads}: write 1 or more")
        return 2
    try:
        data.mkdir(parents=True, exist_ok=True)
        tls = tls_context(data / "tls") if asked.tls else None
        faults = _injector(asked)
        users = {asked.user: _password(asked.user)}
        engine = DuckDbEngine(data, users, allows_canned=asked.allow_canned, threads=asked.threads)
    except PlanError as error:
        _complain(f"--faults {asked.faults}: {error}")
        return 2
    except OSError as error:
        _complain(f"--data {data}: {error}")
        return 1
    try:
        return _serve(Server(engine, port=asked.port, tls=tls, faults=faults), asked.ready_file)
    except OSError as error:
        _complain(f"--port {asked.port}: {error.strerror or error}")
        return 1
    finally:
        engine.close()


def _serve(server: Server, ready_file: Path | None) -> int:
    try:
        _say(f"listening on {HOST}:{server.port}")
        if ready_file is not None:
            # Renamed into place: whoever waits for the file never reads half a number.
            partial = ready_file.with_name(ready_file.name + ".partial")
            partial.write_text(f"{server.port}\n", encoding="ascii")
            partial.replace(ready_file)
        signal.sigwait({signal.SIGTERM, signal.SIGINT})
    finally:
        server.stop()
    return 0


def _stop_at_end_of_input() -> None:
    """The other end of a pipe closes with the last process that has it, however that process ends."""
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _injector(asked: argparse.Namespace) -> Injector | None:
    """None unless it was asked for. Raises PlanError, and OSError when the file cannot be read."""
    if asked.faults is None and not asked.allow_faults:
        return None
    plan = Plan() if asked.faults is None else parse_plan(asked.faults.read_text(encoding="utf-8"))
    return Injector(plan, settable=asked.allow_faults)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sqlserver_sandbox", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="directory of the databases; made if missing")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help=f"0 takes a free one (default {DEFAULT_PORT})")
    parser.add_argument("--host", default=HOST, help=f"only {HOST}")
    parser.add_argument("--threads", type=int, help="cores that statements may use (default: all of them)")
    parser.add_argument("--tls", action="store_true", help="offer encryption with a self-signed certificate")
    parser.add_argument("--user", default="sa", help=f"the one login (default sa); password from {PASSWORD_VARIABLE}")
    parser.add_argument("--faults", type=Path, help="misbehave as this JSON file says (docs/sandbox.md, Faults)")
    parser.add_argument("--allow-faults", action="store_true", help="let clients change that: EXEC sandbox_faults")
    parser.add_argument("--allow-canned", action="store_true", help="let clients put answers up: EXEC sandbox_canned")
    parser.add_argument(
        "--stop-at-end-of-input",
        action="store_true",
        help="stop when standard input ends: as a pipe it ends with the process that started the sandbox",
    )
    parser.add_argument("--ready-file", type=Path, help="written with the port once clients can connect")
    return parser


def _password(user: str) -> str:
    given = os.environ.get(PASSWORD_VARIABLE)
    if given:
        return given
    made = secrets.token_urlsafe(12)
    _say(f"password of {user}: {made}  (set {PASSWORD_VARIABLE} to choose one)")
    return made


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


def _complain(text: str) -> None:
    print(f"sqlserver_sandbox: {text}", file=sys.stderr, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
