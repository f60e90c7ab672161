"""What the code server of the live tests serves: two pipelines, and definitions of the user's own, merged into one location.

The configs are those that LIVE_SHOP and LIVE_ARCHIVE name, as a deployment has them.
"""

import os

import dagster as dg
import pyarrow as pa

from dltsync_dagster import build_definitions, load_config, step_executor

shop, archive = (load_config(os.environ[name]) for name in ("LIVE_SHOP", "LIVE_ARCHIVE"))


@dg.asset(
    ins={"countries": dg.AssetIn([archive.database.database, "warehouse", "Countries"])},
    required_resource_keys={"warehouse"},
)
def country_codes(context: dg.AssetExecutionContext, countries: pa.Table) -> dg.MaterializeResult[None]:
    """Downstream of a table of the archive; `warehouse` is the user's own resource of that name."""
    codes = sorted(str(code) for code in countries["Code"].to_pylist())
    return dg.MaterializeResult(metadata={"codes": codes, "warehouse": context.resources.warehouse})


defs = dg.Definitions.merge(
    build_definitions(shop),
    build_definitions(archive),
    dg.Definitions(
        assets=[country_codes],
        resources={"warehouse": "mine"},
        executor=step_executor(),
    ),
)
