"""The names we take from dagster-dlt, under whichever package they are installed, and what of Dagster is not public yet: its
preview warnings, and checks of single partitions (in every version that our range admits, 1.13.1 of the old name included).

`dagster-embedded-elt` is the retired name of `dagster-dlt`: its last release re-exports the same class objects. Where it is
installed we import through it, so that one who depends on the old name runs what we test.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData as CheckedMaterialization,
)

from dltsync_dagster.partitions import portions

with warnings.catch_warnings():
    # The shim announces its own retirement on import; who installed it on purpose knows, and cannot act on it at run time.
    warnings.filterwarnings("ignore", message="The `dagster-embedded-elt` library", category=DeprecationWarning)
    try:
        from dagster_embedded_elt.dlt import DagsterDltTranslator, DltResourceTranslatorData
    except ImportError:
        from dagster_dlt import DagsterDltTranslator
        from dagster_dlt.translator import DltResourceTranslatorData

__all__ = [
    "CheckedMaterialization",
    "DagsterDltTranslator",
    "DltResourceTranslatorData",
    "check_spec",
    "latest_materializations",
    "preview_accepted",
]


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


def latest_materializations(
    instance: dg.DagsterInstance, key: dg.AssetKey, partitions: Collection[str] | None
) -> dict[str | None, CheckedMaterialization]:
    """The newest materialization of each of the partitions; with None that of the asset, as None. What was never materialized
    is not in it. A result that does not name the newest one counts as out of date in the UI."""
    if partitions is None:
        records = instance.fetch_materializations(key, limit=1).records
    else:
        newest = instance.event_log_storage.get_latest_storage_id_by_partition(
            key, dg.DagsterEventType.ASSET_MATERIALIZATION, set(partitions)
        )
        records = []
        for some in portions(sorted(newest.values()), RECORDS_PER_REQUEST):
            wanted = dg.AssetRecordsFilter(asset_key=key, storage_ids=list(some))
            records += instance.fetch_materializations(wanted, limit=len(some)).records
    return {
        None if partitions is None else record.partition_key: CheckedMaterialization(
            storage_id=record.storage_id, run_id=record.run_id, timestamp=record.timestamp
        )
        for record in records
    }
