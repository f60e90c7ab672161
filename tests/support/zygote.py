"""A process that has everything in memory and holds nothing open: each piece of work is a fork of it, which costs milliseconds.

Work arrives as lines on stdin, each a list of pieces that run at once; for each piece its name and the exit status of its fork
go out on stdout (negative: the signal), when all of the line have ended. Arguments are modules to import besides.
Before the first one it loads a stand-in source into directories of its own, so that libraries are imported and statements
compiled once for all; the SQL Server drivers are not touched by that, and every file and database is closed again.
See `tests.support.forks` for the other side.
"""

from __future__ import annotations

import faulthandler
import importlib
import json
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import mssql_python
import pyodbc

import dltsync_core.cli.app
import dltsync_core.warehouse.duckdb.warehouse  # noqa: F401 -- loaded once for all forks, as dlt and DuckDB are
from dltsync_core.run.pipeline import IncrementalSQLServerParquetPipeline
from tests.support.memory_shop import MemoryShop

HANGS_AFTER = 180
"""Seconds after which a fork shows where its threads stand and ends."""


def main() -> None:
    pyodbc.pooling = False
    mssql_python.pooling(enabled=False)
    for module in sys.argv[1:]:
        importlib.import_module(module)
    _warm_up()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        children: dict[int, str] = {}
        for work in json.loads(line):
            child = os.fork()
            if child == 0:
                _live(work)
            children[child] = work["name"]
        for child, name in children.items():
            _, status = os.waitpid(child, 0)
            sys.stdout.write(f"{name} {os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def _warm_up() -> None:
    with tempfile.TemporaryDirectory() as directory:
        shop = MemoryShop(Path(directory))
        with IncrementalSQLServerParquetPipeline(shop.config(), source=shop.source) as pipeline:
            assert pipeline.run(parallel_execution=False).success


def _live(work: dict[str, Any]) -> None:
    """The forked process. Never returns."""
    faulthandler.dump_traceback_later(HANGS_AFTER, exit=True)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a parent that ignores it must not decide for us
    status = 70
    try:
        for descriptor, name in ((1, work["stdout"]), (2, work["stderr"])):
            file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.dup2(file, descriptor)
        os.environ.update(work["environment"])
        os.chdir(work["directory"])
        module, _, function = work["entry"].partition(":")
        getattr(importlib.import_module(module), function)(work["payload"])
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 -- whatever it is, it is told and this process ends here
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    main()
