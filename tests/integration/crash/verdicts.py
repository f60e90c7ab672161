"""What must hold after a stop, and what after the next run, as sentences about what does not."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

from tests.integration.crash.lake_reader import clutter, rows_by_glob, rows_by_manifest
from tests.integration.crash.processes import Told
from tests.integration.crash.stage import Stage
from tests.integration.crash.warehouses import Row, Rows


def half_visible(stage: Stage, place: Path) -> list[str]:
    """After the stop, before anybody mends anything: no reader sees a part of a unit. Each is as before or as it will be."""
    case = stage.case
    seen = {
        "warehouse": (stage.warehouse.rows(place, "T", case.columns), stage.warehouse_before, stage.warehouse_after)
    }
    if not case.together or case.kind == "scd":
        # (Units that go together show too much in the lake until the last of them is there, never too little.)
        lake = rows_by_manifest(place / "lake", case.columns, case.keys if case.kind == "scd" else ())
        before = rows_by_manifest(stage.before / "lake", case.columns, case.keys if case.kind == "scd" else ())
        seen["lake"] = (lake, before, stage.source)
    problems = []
    for where, (now, old, new) in seen.items():
        # An increment is whole before the resync that it turns out to need: the versions deleted at the source are there still.
        # A warehouse that is filled again comes by what it was: one load of the lake after the other.
        states = [old, new, *stage.older] + ([stage.merged(old)] if case.kind == "scd" else [])
        shown, *allowed = (_by_unit(stage, rows) for rows in (now, *states))
        problems += [
            f"after the stop the {where} shows a part of unit {unit}: {shown.get(unit, [])}"
            for unit in set(shown).union(*allowed)
            if shown.get(unit, []) not in [units.get(unit, []) for units in allowed]
        ]
    return problems


def not_converged(stage: Stage, place: Path, ended: Told) -> list[str]:
    """After the next run (and one more): every row once in every place, everything claimed was done, nothing is left to do."""
    if ended.report is None or ended.report["error"] is not None:
        return [f"the next run ended with {ended.status}: {ended.report and ended.report['error']}"]
    case, (first, second) = stage.case, ended.runs
    keys = case.keys if case.kind == "scd" else ()
    places = {
        "lake by manifest": (rows_by_manifest(place / "lake", case.columns, keys), stage.source),
        "lake by glob": (rows_by_glob(place / "lake", case.columns, keys), stage.source),
        "warehouse": (stage.warehouse.rows(place, "T", case.columns), stage.warehouse_after),
    }
    problems = [_difference(where, found, expected) for where, (found, expected) in places.items() if found != expected]
    problems += untruthful(first, len(stage.source), len(stage.warehouse_after))
    problems += [
        f"one more run did something: {u['reason']}" for u in second["result"]["units"] if u["status"] != "skipped"
    ]
    problems += [f"one more run read {second['wire_rows']} rows"] if second["wire_rows"] else []
    problems += [f"left behind: {what}" for what in (*clutter(place / "lake"), *stage.warehouse.leftovers(place))]
    return problems


def untruthful(run: dict[str, Any], source_rows: int, warehouse_rows: int) -> list[str]:
    """Whether a run claims anything else than what came over the wire and what is there now."""
    result, problems = run["result"], []
    if not result["success"] or result["errors"]:
        return [f"the next run failed: {result['errors']}"]
    claimed = sum(unit["rows_read"] for unit in result["units"])
    if not claimed == result["total_records"] == run["wire_rows"]:
        problems.append(
            f"claims to have read {claimed} / {result['total_records']} rows; {run['wire_rows']} came over the wire"
        )
    done = [unit for unit in result["units"] if unit["status"] == "committed"]
    if bool(result["tables_processed"]) is not bool(done) or result["tables_failed"]:
        problems.append(f"says {result['tables_processed']} tables were processed, {len(done)} units were committed")
    problems += [
        f"{unit['unit']} was skipped and claims rows"
        for unit in result["units"]
        if unit["status"] == "skipped" and (unit["rows_read"] or unit["counts"])
    ]
    if len(done) == len(result["units"]):
        sums = [sum(unit["counts"][where] for unit in done) for where in ("source", "lake", "warehouse")]
        if sums != [source_rows, source_rows, warehouse_rows]:
            problems.append(f"counted {sums} rows where there are {source_rows} and {warehouse_rows} in the warehouse")
    return problems


def _by_unit(stage: Stage, rows: Rows) -> dict[str, Rows]:
    units: dict[str, Rows] = defaultdict(list)
    for row in rows:
        units[stage.case.unit(row)].append(row)
    return units


def _difference(where: str, found: Rows, expected: Rows) -> str:
    missing = [row for row in expected if row not in found]
    surplus = [row for row in found if row not in expected]
    doubled: list[Row] = [row for row in dict.fromkeys(found) if found.count(row) > 1]
    return f"{where}: missing {missing}, not at the source {surplus}, doubled {doubled}"
