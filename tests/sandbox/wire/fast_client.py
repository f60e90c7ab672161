"""pyodbc's fast_executemany, in a process of its own: it asks the server about parameters while it holds the interpreter's
lock, so a server in the same process could never answer."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime
from typing import Any

import pyodbc


def insert(connection_string: str, sql: str, values: list[Any], *, moments: bool = False) -> str:
    """Insert one row per value; '' when all went well, else what pyodbc raised. Moments are given as ISO text."""
    asked = json.dumps([connection_string, sql, values, moments])
    command = [sys.executable, "-m", "tests.sandbox.wire.fast_client"]
    return subprocess.run(command, input=asked, text=True, capture_output=True, check=True, timeout=60).stdout


def _main() -> None:
    connection_string, sql, values, moments = json.load(sys.stdin)
    rows = [(datetime.fromisoformat(value) if moments else value,) for value in values]
    connection = pyodbc.connect(connection_string, timeout=10)
    cursor = connection.cursor()
    cursor.fast_executemany = True
    try:
        cursor.executemany(sql, rows)
        connection.commit()
    except pyodbc.Error as error:
        print(error, end="")
    finally:
        connection.close()


if __name__ == "__main__":
    _main()
