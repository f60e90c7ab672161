"""Compare source, lake and warehouse as they are now, outside of any load."""

from __future__ import annotations

from collections.abc import Sequence

from dltsync_core.catalog.facts import TableFacts
from dltsync_core.config import StaticTableConfig, TableConfig
from dltsync_core.errors import ConnectError, SyncError
from dltsync_core.identity import WHOLE_TABLE
from dltsync_core.run.planning import read_facts, shape_table
from dltsync_core.run.prepared import TableShape
from dltsync_core.run.retry import patiently
from dltsync_core.run.services import Services
from dltsync_core.validate.counts import ThreeCounts
from dltsync_core.validate.report import TableComparison, UnitComparison


def compare_tables(services: Services, tables: Sequence[TableConfig]) -> list[TableComparison]:
    """Every table, in order. Raises ConnectError; what else goes wrong makes that table invalid."""
    facts, errors = read_facts(services, tables)
    return [
        compare_table(services, table, facts[table.name])
        if table.name in facts
        else TableComparison(table.name, table.kind, (), (str(errors[table.name]),))
        for table in tables
    ]


def compare_table(services: Services, table: TableConfig, facts: TableFacts) -> TableComparison:
    """Every unit of one table in the three places. A table that cannot be compared says why and is not valid."""
    try:
        shape = shape_table(services, table, facts)
        units, problems = _compare(services, shape)
    except ConnectError:
        raise
    except SyncError as error:
        return TableComparison(facts.name, table.kind, (), (str(error),))
    return TableComparison(facts.name, table.kind, units, problems)


def _compare(services: Services, shape: TableShape) -> tuple[tuple[UnitComparison, ...], tuple[str, ...]]:
    units = shape.units
    source = patiently(
        services, lambda: _source_counts(services, shape), stage="planning", table=shape.name, unit=WHOLE_TABLE
    )
    scopes = {unit: scope for unit in units if (scope := shape.scope_of(unit)) is not None}
    warehouse = (
        services.warehouse.counts(shape.target, scopes)
        if scopes
        else {WHOLE_TABLE: services.warehouse.count(shape.target)}
    )
    lake, problems = _lake(services, shape)
    kept = dict.fromkeys(units, 0)
    if isinstance(shape.config, StaticTableConfig) and shape.config.load_strategy == "upsert":
        kept[WHOLE_TABLE] = max(warehouse[WHOLE_TABLE] - source[WHOLE_TABLE], 0)
    total = sum(warehouse.values())
    if scopes and (held := services.warehouse.count(shape.target)) != total:
        problems.append(f"the warehouse table holds {held:,} rows, its partitions {total:,}")
    compared = tuple(
        UnitComparison(unit, ThreeCounts(source[unit], lake.get(unit, 0), warehouse.get(unit, 0), kept[unit]))
        for unit in units
    )
    return compared, tuple(problems)


def _source_counts(services: Services, shape: TableShape) -> dict[str, int]:
    with services.source.read_view() as view:
        return {unit: view.count(shape.facts, shape.filter_of(unit)) for unit in shape.units}


def _lake(services: Services, shape: TableShape) -> tuple[dict[str, int], list[str]]:
    """Rows by unit, and sentences about files that are not whole and units that should not be there."""
    rows: dict[str, int] = {}
    problems: list[str] = []
    units, sizes = set(shape.units), services.lake.sizes(shape.name)
    for unit, manifests in services.lake.current(shape.name).items():
        found = [problem for manifest in manifests for problem in services.lake.verify(manifest, sizes=sizes)]
        problems += found
        if unit not in units:
            problems.append(f"the lake still shows {unit}, which is no unit of the table now")
        elif shape.config.kind == "scd" and not found:
            rows[unit] = services.lake.count(shape.name, unit, shape.keys)
        else:
            rows[unit] = sum(manifest.rows for manifest in manifests)
    return rows, problems
