"""Sensors of two pipelines over two databases of one server. What stalls in one delays nothing else, and is cancelled there."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
import yaml

from dltsync_core.run.pipeline import IncrementalSQLServerParquetPipeline
from dltsync_dagster import LocationSettings
from dltsync_dagster.demo.places import DAGSTER_YAML
from sqlserver_sandbox.faults.plan import Fault, Stall, Where
from tests.dagster.conftest import BOUNDARIES, HASHES, skip_reason
from tests.dagster.sandbox_location import SandboxLocation
from tests.support.fault_control import FaultControl

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(600)
def test_a_stalled_table_beside_changing_ones_of_two_databases(faults: FaultControl, tmp_path: Path) -> None:
    settings = LocationSettings(tick_seconds=6)
    with dg.DagsterInstance.ephemeral() as instance:
        shop, other = (
            SandboxLocation(faults.server, tmp_path / name, instance, name=name, settings=settings)
            for name in ("shop", "other")
        )
        for location in (shop, other):
            with IncrementalSQLServerParquetPipeline(location.config) as pipeline:
                assert pipeline.run().success
            location.connection.execute("UPDATE dbo.Currencies SET Code = 'SEK' WHERE Code = 'EUR'")
            location.connection.execute("UPDATE dbo.Countries SET Name = N'Suisse' WHERE Code = 'CH'")
            location.connection.execute("UPDATE dbo.Orders SET Note = N'z' WHERE No = 150")
        stalls = Where(table="Countries", database=shop.database, kind="select", times=None)
        faults.plan(Fault(Stall(), stalls))
        first = shop.tick(HASHES)
        assert [request.tags["dltsync/table"] for request in first.run_requests or []] == ["dbo.Currencies"]
        assert statements_under_way(shop) == []
        assert sorted(r.tags["dltsync/table"] for r in other.tick(HASHES).run_requests or []) == [
            "dbo.Countries",
            "dbo.Currencies",
        ]
        for location in (shop, other):
            (request,) = location.tick(BOUNDARIES).run_requests or []
            assert (request.tags["dltsync/table"], request.partition_key) == ("dbo.Orders", "[100,200)")
        before = len(faults.happened())
        second = shop.tick(HASHES, first.cursor)
        assert len(faults.happened()) == before, "it is not probed again at once"
        assert [request.tags["dltsync/table"] for request in second.run_requests or []] == ["dbo.Currencies"]
        faults.clear()
        shop.connection.close()
        other.connection.close()


def statements_under_way(location: SandboxLocation) -> list[str]:
    """Of dltsync's sessions in the database, at the server."""
    rows = location.connection.execute(
        "SELECT status FROM sys.dm_exec_sessions WHERE program_name LIKE N'dltsync%' AND status = N'running' "
        "AND database_id = DB_ID()"
    )
    return [status for (status,) in rows.fetchall()]


@pytest.mark.parametrize(
    "written", [DAGSTER_YAML, (ROOT / "docker" / "dagster.yaml").read_text()], ids=["demo", "docker"]
)
def test_the_shipped_instance_evaluates_several_sensors_at_once(written: str, tmp_path: Path) -> None:
    """Dagster's daemon does so only when its file says so; the file is read by Dagster itself."""
    settings = yaml.safe_load(written)
    assert settings["sensors"]["use_threads"] is True
    for elsewhere in ("storage", "compute_logs"):  # a database and directories that are not there
        settings.pop(elsewhere, None)
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(settings))
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert instance.get_settings("sensors") == {"use_threads": True, "num_workers": 4}


def test_the_sentence_about_nothing_to_do_is_short(faults: FaultControl, tmp_path: Path) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        shop = SandboxLocation(faults.server, tmp_path, instance, name="quiet")
        with IncrementalSQLServerParquetPipeline(shop.config) as pipeline:
            assert pipeline.run().success
        for event in (first := shop.tick(HASHES)).asset_events:
            instance.report_runless_asset_event(event)
        assert skip_reason(shop.tick(HASHES, first.cursor)) == "unchanged: dbo.Countries, dbo.Currencies"
        shop.connection.close()
