"""A DAG that runs dltsync each night at two: a task for each table, grouped by kind, then validation, a summary and cleanup.

Airflow and dltsync need different versions of some packages, so dltsync has a virtual environment of its own, and the tasks
call its command. Set for the scheduler and the workers:

    DLTSYNC_COMMAND   path of the command, such as /opt/dltsync/bin/dltsync
    DLT_SYNC_CONFIG   path of the config
    DLT_SYNC_PASSWORD and what else the config refers to (or an Airflow secrets backend that sets it)

Put this file into the DAGs folder. It runs under Airflow 2.9 and later, and under Airflow 3.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

try:
    from airflow.sdk import TriggerRule, dag, task, task_group  # Airflow 3
except ImportError:
    from airflow.decorators import dag, task, task_group
    from airflow.utils.trigger_rule import TriggerRule

from airflow.exceptions import AirflowException, AirflowFailException

COMMAND = os.environ.get("DLTSYNC_COMMAND", "dltsync")
CONFIG = os.environ.get("DLT_SYNC_CONFIG", "/etc/dltsync/dltsync.yaml")
KINDS = ("partition", "scd", "static")
FOR_A_PERSON = {2, 3, 6, 9, 11}
"""Exit codes that another attempt would not change: the config, the machine, a value, a difference, changed columns."""

log = logging.getLogger(__name__)


def tables_of(kind: str) -> list[str]:
    """The tables of a kind, as the config lists them."""
    config = yaml.safe_load(Path(CONFIG).read_text(encoding="utf-8"))
    listed = config.get(f"{kind}_tables") or []
    return [f"{table.get('schema_name', 'dbo')}.{table['table_name']}" for table in listed]


def dltsync(*arguments: str) -> dict[str, Any]:
    """The JSON that a command of dltsync prints; its log becomes the log of the task. Fails the task with the messages and
    remedies, and for good where another attempt would not help."""
    command = [COMMAND, *arguments, "--config", CONFIG, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        logged = threading.Thread(target=lambda: [log.info(line.rstrip()) for line in process.stderr or ()])
        logged.start()
        printed = process.stdout.read() if process.stdout else ""
        logged.join()
    found: dict[str, Any] = json.loads(printed) if printed.strip() else {}
    if process.returncode == 0:
        return found
    error = found.get("error") or {}
    messages = [error.get("message"), error.get("remedy"), *found.get("errors", ()), *found.get("messages", ())]
    text = "\n".join(str(message) for message in messages if message) or f"exit code {process.returncode}"
    raise (AirflowFailException if process.returncode in FOR_A_PERSON else AirflowException)(text)


@dag(
    dag_id="dltsync",
    schedule="0 2 * * *",
    start_date=datetime(2024, 1, 1),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5), "owner": "data"},
    tags=["dltsync"],
    doc_md=__doc__,
)
def dltsync_dag() -> None:
    """Tables by kind, then validation, the summary, and cleanup in any case."""

    @task(max_active_tis_per_dagrun=4)
    def sync(table: str) -> dict[str, Any]:
        """Load what changed of a table. Its XCom: what was done."""
        result = dltsync("run", "--tables", table)
        units = result["units"]
        return {
            "table": table,
            "run_id": result["run_id"],
            "rows": result["total_records"],
            "committed": sum(unit["status"] == "committed" for unit in units),
            "skipped": sum(unit["status"] == "skipped" for unit in units),
            "seconds": result["total_duration_seconds"],
            "notes": result["notes"],
        }

    @task
    def validate() -> dict[str, Any]:
        """Compare source, lake and warehouse. A difference fails the task, and no attempt follows."""
        report = dltsync("validate")
        return {"valid_tables": report["valid_tables"], "total_tables": report["total_tables"]}

    @task
    def summary(synced: list[dict[str, Any]], validated: dict[str, Any]) -> dict[str, Any]:
        """The XCom for reports and alerts: sums over all tables."""
        found = {
            "tables": len(synced),
            **{name: sum(each[name] for each in synced) for name in ("rows", "committed", "skipped")},
            **validated,
        }
        log.info("dltsync: %s", json.dumps(found))
        return found

    @task(trigger_rule=TriggerRule.ALL_DONE, retries=0)
    def cleanup() -> dict[str, Any]:
        """Compare ledger, lake and warehouse and repair their state: files that an aborted run left, units that need a reload."""
        report = dltsync("recover")
        return {"agreed": report["agreed"], "questions": report["questions"], "rows_to_read": report["rows_to_read"]}

    synced: list[Any] = []
    groups = []
    for kind in KINDS:
        tables = tables_of(kind)
        if not tables:
            continue

        @task_group(group_id=f"{kind}_tables")
        def of_kind(tables: list[str] = tables) -> None:
            for table in tables:
                name = "".join(letter if letter.isalnum() or letter in "_-" else "_" for letter in table)
                synced.append(sync.override(task_id=name)(table))

        groups.append(of_kind())

    validated = validate()
    for group in groups:
        group >> validated
    summary(synced, validated) >> cleanup()


dltsync_dag()
