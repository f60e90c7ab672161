"""What a code location over many tables costs: processor time of loading it, in a process of its own, for 4 and for 500 tables.

    python -m tests.performance.load_location [tables]

With a number it is that process: it loads a location over so many tables, a third of each kind, and prints the seconds.
"""

from __future__ import annotations

import subprocess
import sys
import time

FEW, MANY = 4, 500


def load(tables: int) -> float:
    """Processor seconds of this process, with the interpreter's start and all imports, until the location is loaded and
    Dagster has validated it."""
    import dagster as dg

    from dltsync_core.config import DatabaseConfig, PipelineConfig
    from dltsync_dagster import LocationSettings, build_definitions

    modified = {"last_modified_column": "Changed"}
    kinds = [("partition_tables", {}), ("scd_tables", modified), ("static_tables", {})]
    sections = {
        section: [{"table_name": f"T{number}", **options} for number in range(n, tables, len(kinds))]
        for n, (section, options) in enumerate(kinds)
    }
    config = PipelineConfig(
        database=DatabaseConfig(server="db.example", database="Shop", username="u", password="p"), **sections
    )
    definitions = build_definitions(config, settings=LocationSettings())
    dg.Definitions.validate_loadable(definitions)
    return time.process_time()


def measured(tables: int) -> float:
    """The same in a new process."""
    command = [sys.executable, "-m", "tests.performance.load_location", str(tables)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    if len(sys.argv) > 1:
        print(load(int(sys.argv[1])))
        return
    few, many = measured(FEW), measured(MANY)
    print(f"{FEW} tables {few:6.2f} CPU s, {MANY} tables {many:6.2f} CPU s: {many / few:.1f} times")


if __name__ == "__main__":
    main()
