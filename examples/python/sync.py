"""A run from Python: load what changed, compare, read the rows back. `python sync.py dltsync.yaml`"""

from __future__ import annotations

import logging
import sys

from dltsync_core import IncrementalSQLServerParquetPipeline
from dltsync_core.errors import SyncError
from dltsync_core.run.events import Event


def show(event: Event) -> None:
    """Called with each event of the run, one at a time."""
    if event.stage in ("committed", "failed"):
        print(f"{event.table} {event.unit}: {event.stage}, {event.rows or 0:,} rows")


def main(config: str) -> int:
    logging.basicConfig(level=logging.WARNING)  # dltsync's warnings, beside the log file of the config
    with IncrementalSQLServerParquetPipeline(config) as pipeline:
        result = pipeline.run(on_event=show)
        for unit in result.failed:
            print(f"{unit.table} {unit.unit} failed: {unit.error}", file=sys.stderr)
        if result.failed:
            return 1

        report = pipeline.validate_all_tables()
        print(f"{report['valid_tables']} of {report['total_tables']} tables agree")

        with pipeline.read("sales.Customers") as rows:  # an Arrow reader
            print(f"{rows.read_all().num_rows} versions of customers")
        return 0 if report["valid"] else 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1]))
    except SyncError as error:  # what is wrong, and what to do
        sys.exit(str(error))
