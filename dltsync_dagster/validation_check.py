"""The asset check `three_way_validation`: source, lake and warehouse compared as they are now, on demand.

It computes aggregates at the source and reads the lake's files whole. So it does not run along with a load, although Dagster
selects it there: then it reports no result, because the load compares its own rows.
"""

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import dagster as dg
from pydantic import Field

from dltsync_core.config import TableConfig
from dltsync_core.identity import WHOLE_TABLE
from dltsync_dagster.check_outcomes import during_load, outcomes_of
from dltsync_dagster.checks import loads_too
from dltsync_dagster.compat import check_of_its_own, check_spec, of_many_tables, schema_of
from dltsync_dagster.evaluations import evaluations, materializations_of
from dltsync_dagster.failures import explained
from dltsync_dagster.location import Location
from dltsync_dagster.partition_store import partitions_of_run
from dltsync_dagster.port import Pipeline
from dltsync_dagster.run_history import tables_in_runs

THREE_WAY_VALIDATION = "three_way_validation"


class ValidationOptions(dg.Config):
    """How thoroughly source, lake and warehouse are compared."""

    fingerprint: str | None = Field(
        default=None,
        description="sha256 or md5: also compare a hash of every value, computed row by row in source, lake and warehouse.",
    )
    row_diff: bool = Field(
        default=False,
        description="Also name the rows that differ, by fingerprint. Their keys and values then stand in Dagster's event log.",
    )


Events: TypeAlias = Iterator[dg.Output[None] | dg.AssetCheckEvaluation]


def three_way_check(location: Location, table: TableConfig) -> dg.AssetChecksDefinition:
    """The check of one table. For a partition table it compares the partitions of its run; in a run without any, all of them."""
    key = location.asset_key(table)
    spec = check_spec(
        THREE_WAY_VALIDATION,
        key,
        "Source, lake and warehouse as they are now: rows, NULLs of every column, exact sums, the least and the greatest "
        "dates and times, checksums of the lake's files. Runs on demand only, not with a load.",
        location.partitions_of(table),
    )

    @dg.op(
        name=location.op_name("validate", table),
        out={spec.get_python_identifier(): dg.Out(dg.Nothing, is_required=False)},
        config_schema=schema_of(ValidationOptions),
        pool=location.server_pool,
    )
    @of_many_tables
    def validate(context: dg.OpExecutionContext) -> Events:
        config = ValidationOptions(**context.op_config)
        if loads_too(context, location.op_name("sync", table)):
            context.log.info(f"{table.name}: this run loads the table; run the check alone to compare again")
            return
        chosen = partitions_of_run(context) if context.has_partition_key or context.has_partition_key_range else None
        with explained(context, location.settings), location.pipeline() as pipeline:
            units = chosen
            if units is None:
                units = pipeline.partition_keys(str(table.name)) if table.kind == "partition" else [WHOLE_TABLE]
            _, events = compared(location, context.instance, pipeline, table, units, chosen, config)
        yield dg.Output(None, output_name=spec.get_python_identifier())
        yield from events

    return check_of_its_own(spec, validate)


def compared(
    location: Location,
    instance: dg.DagsterInstance,
    pipeline: Pipeline,
    table: TableConfig,
    units: Sequence[str],
    chosen: Sequence[str] | None,
    options: ValidationOptions,
) -> tuple[Sequence[str], list[dg.AssetCheckEvaluation]]:
    """Compare one table: the differences as sentences, and a result for each of its units. `chosen` limits the units (None: all,
    and the table as a whole)."""
    key = location.asset_key(table)
    about = materializations_of(location, instance, table, [*units, WHOLE_TABLE])
    (report,) = pipeline.validate_all_tables(
        [str(table.name)], partition_keys=chosen, fingerprint=options.fingerprint, row_diff=options.row_diff
    )["tables"]
    outcomes = outcomes_of(report, chosen)
    if not all(outcome.passed for outcome in outcomes) and key in tables_in_runs(instance, [key], location):
        outcomes = [during_load(outcome) for outcome in outcomes]
    return report["messages"], list(evaluations(location, table, THREE_WAY_VALIDATION, outcomes, about))
