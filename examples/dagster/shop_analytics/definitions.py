"""All definitions of the project: what lies below `defs/`."""

from pathlib import Path

import dagster as dg


@dg.definitions
def defs() -> dg.Definitions:
    """The tables of the shop, the reports on them, and the dbt project."""
    return dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
