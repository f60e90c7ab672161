"""A process that reads rows while the server stalls, is interrupted when told to, and ends.

`python -m tests.integration.source.caught_reader <json>`: host, port, database, username, password, schema, interrupts,
stop_within.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from typing import Any

import pyarrow as pa

from dltsync_core.config import DatabaseConfig, ProcessingConfig, StaticTableConfig
from dltsync_core.errors import SyncError
from dltsync_core.extract import read_view as views
from dltsync_core.extract.source import SqlServerSource
from dltsync_core.extract.unit import WHOLE

ENDED_AS_IT_SHOULD = 7
"""No status that an interpreter gives by itself."""


def _interrupt(times: int, first_rows: threading.Event) -> None:
    """Ctrl-C once the reader waits for the server, and again while the first one waits for the reader."""
    first_rows.wait()
    for _ in range(times):
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGINT)
        while not any(thread.name == "dltsync-cancel" for thread in threading.enumerate()):
            time.sleep(0.01)


def _read(about: dict[str, Any]) -> None:
    vars(views)["STOP_WITHIN_SECONDS"] = about["stop_within"]
    names = ("host", "port", "database", "username", "password")
    server, port, database, username, password = (about[name] for name in names)
    source = SqlServerSource(
        DatabaseConfig(
            server=server,
            port=port,
            database=database,
            username=username,
            password=password,
            trust_server_certificate=True,
            command_timeout=0 if about["interrupts"] else 1,
        ),
        ProcessingConfig(batch_size=50, retry_attempts=1),
    )
    config = StaticTableConfig(table_name="t", schema_name=about["schema"])
    facts = source.read_tables([config])[config.name]
    first_rows = threading.Event()
    threading.Thread(target=_interrupt, args=(about["interrupts"], first_rows), daemon=True).start()

    def write(batch: pa.RecordBatch) -> None:
        first_rows.set()

    with source.read_view() as view:
        view.extract(facts, source.map_columns(facts, config), WHOLE, write)


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    try:
        _read(asked)
    except (SyncError, KeyboardInterrupt) as ended:
        print(type(ended).__name__)
        sys.exit(ENDED_AS_IT_SHOULD)
