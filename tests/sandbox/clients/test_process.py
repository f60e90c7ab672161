"""The command itself: starting, refusing to start, stopping, and what it prints."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path

import pyodbc
import pytest

from tests.support.sandbox_server import PASSWORD, SandboxServer, braced, odbc_driver

COMMAND = [sys.executable, "-m", "sqlserver_sandbox"]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False, timeout=60)


def test_it_serves_no_address_but_loopback(tmp_path: Path) -> None:
    done = run("--data", str(tmp_path), "--host", "0.0.0.0")  # noqa: S104 - that it is refused is the point
    assert done.returncode == 2
    assert "serves 127.0.0.1 only" in done.stderr


def test_it_refuses_to_run_on_no_core(tmp_path: Path) -> None:
    done = run("--data", str(tmp_path), "--threads", "0")
    assert done.returncode == 2
    assert done.stderr == "sqlserver_sandbox: --threads 0: write 1 or more\n"


def test_a_taken_port_is_told_without_a_traceback(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run("--data", str(tmp_path), "--port", str(taken.getsockname()[1]))
    assert done.returncode == 1
    assert "Address already in use" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_data_directory_that_cannot_be_made_is_told_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    done = run("--data", str(tmp_path / "file" / "data"), "--port", "0")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_listens_makes_a_password_and_stops_when_told(number: signal.Signals, tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "SQLSERVER_SANDBOX_PASSWORD"}
    command = [*COMMAND, "--data", str(tmp_path), "--port", "0", "--user", "ann"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        password = process.stdout.readline().split()[3]
        told = process.stdout.readline()
        assert told.startswith("listening on 127.0.0.1:")
        string = f"DRIVER={braced(str(odbc_driver()))};SERVER=127.0.0.1,{told.rpartition(':')[2].strip()};UID=ann;"
        with closing(pyodbc.connect(f"{string}PWD={braced(password)};Encrypt=no", timeout=10)) as connection:
            process.send_signal(number)
            assert process.wait(15) == 0
            with pytest.raises(pyodbc.Error, match="08S01"):
                connection.execute("SELECT 1")
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_it_stops_when_the_process_that_started_it_is_killed(tmp_path: Path) -> None:
    start = (
        "import sys, time\nfrom pathlib import Path\nfrom tests.support.sandbox_server import SandboxServer\n"
        "server = SandboxServer(Path(sys.argv[1]))\nserver.start()\nprint(server.port, flush=True)\ntime.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", start, str(tmp_path)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        port = int(parent.stdout.readline())
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            parent.kill()
            with suppress(ConnectionResetError):  # the sandbox ends its connections when it stops, one way or the other
                assert client.recv(1) == b""


def test_pandas_is_not_loaded() -> None:
    loaded = "import sys, sqlserver_sandbox.__main__; print('pyarrow' in sys.modules, 'pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "True False\n"


def test_what_was_committed_is_there_after_a_restart(own_sandbox: SandboxServer) -> None:
    with closing(pyodbc.connect(own_sandbox.odbc(), autocommit=True)) as connection:
        connection.execute("CREATE TABLE dbo.kept (id int NOT NULL PRIMARY KEY, name nvarchar(20))")
        connection.execute("INSERT INTO dbo.kept VALUES (1, N'Ł😀')")
    own_sandbox.restart()
    with closing(pyodbc.connect(own_sandbox.odbc())) as connection:
        assert [tuple(row) for row in connection.execute("SELECT id, name FROM dbo.kept")] == [(1, "Ł😀")]


def test_a_given_password_is_printed_nowhere(own_sandbox: SandboxServer) -> None:
    with pytest.raises(pyodbc.Error):
        pyodbc.connect(own_sandbox.odbc(UID="somebody"))
    own_sandbox.stop()
    assert PASSWORD not in own_sandbox.log.read_text()
