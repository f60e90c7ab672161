"""What we take from Dagster that is not public: its preview warnings, checks of single partitions (in every version that our
range admits), outputs without an event, the provenance of events; and the classes of dagster-dlt, which is needed only by those
who bring a translator of it.

`dagster-embedded-elt` is the retired name of `dagster-dlt`: its last release re-exports the same classes. Where it is installed
we import through it, so that the tests cover what its users run.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, Protocol, TypeVar

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData as CheckedMaterialization,
)
from dagster._core.execution.plan import execute_step
from dagster._core.storage.tags import AUTOMATION_CONDITION_TAG
from dagster._utils.schedules import schedule_execution_time_iterator

from dltsync_dagster.partitions import portions

__all__ = [
    "CheckedMaterialization",
    "DltTranslator",
    "check_of_its_own",
    "check_spec",
    "component_spec",
    "latest_materializations",
    "latest_storage_ids",
    "materialization_records",
    "outputs_without_event",
    "preview_accepted",
    "provenance_of",
    "resource_data",
    "without_event",
]


class DltTranslator(Protocol):
    """A `DagsterDltTranslator`, as far as we use it."""

    def get_asset_spec(self, data: Any, /) -> dg.AssetSpec:
        """The asset of a dlt resource (`DltResourceTranslatorData`)."""
        ...


@cache
def resource_data(name: str) -> Any:
    """What a `DagsterDltTranslator` is given for a table: a dlt resource of this name, in no pipeline."""
    # Here, not above: neither package is needed without such a translator, and dlt takes long to import.
    import dlt

    with warnings.catch_warnings():
        # The old name warns of its retirement on import. Its users know, and cannot act on it at run time.
        warnings.filterwarnings("ignore", message="The `dagster-embedded-elt` library", category=DeprecationWarning)
        try:
            from dagster_embedded_elt.dlt import DltResourceTranslatorData
        except ImportError:
            from dagster_dlt.translator import DltResourceTranslatorData
    return DltResourceTranslatorData(resource=dlt.resource([], name=name), pipeline=None)


@cache
def default_dlt_key(name: str) -> dg.AssetKey:
    """The asset key that dagster-dlt gives a resource without a translator of yours."""
    data = resource_data(name)  # imports the package, without its notice
    try:
        from dagster_embedded_elt.dlt import DagsterDltTranslator
    except ImportError:
        from dagster_dlt import DagsterDltTranslator
    key: dg.AssetKey = DagsterDltTranslator().get_asset_spec(data).key
    return key


def component_spec(description: str | None, *, tags: Sequence[str], produces: Sequence[str]) -> dg.ComponentTypeSpec:
    """What Dagster shows of a component class. Its first versions have no `produces`."""
    text = inspect.cleandoc(description) if description else None
    try:
        return dg.ComponentTypeSpec(description=text, tags=tags, produces=produces)
    except TypeError:
        return dg.ComponentTypeSpec(description=text, tags=tags)


AUTOMATION_TAG = AUTOMATION_CONDITION_TAG
"""Of runs that an automation condition requested."""


def next_cron_tick(cron: str, timezone: str, after: float) -> float:
    """The first tick of a schedule after a moment, both in seconds since 1970."""
    ticks = schedule_execution_time_iterator(after, cron, timezone, ascending=True)
    return next(at for tick in ticks if (at := tick.timestamp()) > after)


F = TypeVar("F", bound=Callable[..., Any])
_SIGNATURES: dict[str, inspect.Signature] = {}


def of_many_tables(step: F) -> F:
    """For a function that is defined anew for each table. Dagster inspects the signature of each a dozen times, which was a
    seventh of the time that loading 500 tables takes: here it is found out once."""
    name = f"{step.__module__}.{step.__qualname__}"
    step.__signature__ = _SIGNATURES.setdefault(name, inspect.signature(step))  # type: ignore[attr-defined]  # PEP 362
    return step


@cache
def schema_of(options: type[dg.Config]) -> dict[str, Any]:
    """The config schema of a step, made once for all tables; a step with an argument of that class makes its own."""
    return options.to_fields_dict()


RECORDS_PER_REQUEST = 500
"""So many parameters one statement takes on every database that an instance may use."""


@contextmanager
def preview_accepted() -> Iterator[None]:
    """Silence Dagster's notices for observable source assets (beta) and for checks of partitions (preview): used on purpose, on
    versions that the tests pin."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        warnings.simplefilter("ignore", dg.PreviewWarning)
        yield


def check_spec(
    name: str, key: dg.AssetKey, description: str, partitions: dg.PartitionsDefinition[str] | None
) -> dg.AssetCheckSpec:
    """A check with a result for each partition, where there are partitions."""
    with preview_accepted():
        return dg.AssetCheckSpec(name, asset=key, description=description, partitions_def=partitions)


def check_of_its_own(spec: dg.AssetCheckSpec, op: dg.OpDefinition) -> dg.AssetChecksDefinition:
    """A check whose step has no input from the asset. Dagster gives every check such an input, and writes an error into the log
    of a run for each step behind one that failed."""
    made: dg.AssetChecksDefinition = dg.AssetChecksDefinition.create(
        node_def=op,
        resource_defs={},
        keys_by_input_name={},
        check_specs_by_output_name={spec.get_python_identifier(): spec},
        can_subset=True,
    )
    return made


_MARK = "SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION"


def outputs_without_event() -> bool:
    """Whether this version of Dagster has outputs that satisfy downstream steps and add no event of their own."""
    return hasattr(execute_step, _MARK)


def without_event(key: dg.AssetKey) -> dg.MaterializeResult[None]:
    """The output of a step that has logged the materializations of its asset itself."""
    return dg.MaterializeResult(asset_key=key, metadata={getattr(execute_step, _MARK): True})


def provenance_of(context: dg.OpExecutionContext, key: dg.AssetKey) -> Callable[[str], Mapping[str, str]]:
    """For a data version of the asset the tags that Dagster gives the events of an output: the versions of code and inputs, by
    which the UI says that upstream changed. No tags where this version of Dagster makes them in another way."""
    step = context.get_step_execution_context()
    try:
        code = execute_step._get_code_version(key, step)
        inputs = execute_step._get_input_provenance_data(key, step)
        build = execute_step._build_data_version_tags
    except (AttributeError, TypeError):
        return lambda version: {}
    return lambda version: build(dg.DataVersion(version), code, inputs, True)


def latest_storage_ids(
    instance: dg.DagsterInstance, key: dg.AssetKey, partitions: Collection[str] | None = None
) -> Mapping[str, int]:
    """The newest materialization of each partition of an asset, by its id in the instance: of all partitions, or of these."""
    return instance.event_log_storage.get_latest_storage_id_by_partition(
        key, dg.DagsterEventType.ASSET_MATERIALIZATION, None if partitions is None else set(partitions)
    )


def materialization_records(
    instance: dg.DagsterInstance, key: dg.AssetKey, storage_ids: Collection[int]
) -> Iterator[dg.EventLogRecord]:
    """Materializations by their ids."""
    for some in portions(sorted(storage_ids), RECORDS_PER_REQUEST):
        wanted = dg.AssetRecordsFilter(asset_key=key, storage_ids=list(some))
        yield from instance.fetch_materializations(wanted, limit=len(some)).records


def latest_materializations(
    instance: dg.DagsterInstance, key: dg.AssetKey, partitions: Collection[str] | None
) -> dict[str | None, CheckedMaterialization]:
    """The newest materialization of each of the partitions; with None that of the asset, as None. What was never materialized
    is not in it. A result that does not name the newest one counts as out of date in the UI."""
    records: Sequence[dg.EventLogRecord]
    if partitions is None:
        records = instance.fetch_materializations(key, limit=1).records
    else:
        records = list(materialization_records(instance, key, latest_storage_ids(instance, key, partitions).values()))
    return {
        None if partitions is None else record.partition_key: CheckedMaterialization(
            storage_id=record.storage_id, run_id=record.run_id, timestamp=record.timestamp
        )
        for record in records
    }
