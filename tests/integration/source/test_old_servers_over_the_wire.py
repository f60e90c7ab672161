"""A server without a view, a column or a function that we read: a sentence with its version, not the driver's words."""

from __future__ import annotations

import pytest

from dltsync_core.catalog.queries import query
from dltsync_core.config import ProcessingConfig, StaticTableConfig
from dltsync_core.errors import UnsupportedServer
from dltsync_core.extract.source import SqlServerSource
from sqlserver_sandbox.faults.plan import Fail, Fault, Where
from tests.support.fault_control import FaultControl
from tests.support.sandbox_server import SandboxServer

LACKING = {
    "database": ("is_read_committed_snapshot_on", 207, "Invalid column name 'is_read_committed_snapshot_on'."),
    "objects": ("sys.objects", 208, "Invalid object name 'sys.objects'."),
    "columns": ("generated_always_type", 207, "Invalid column name 'generated_always_type'."),
    "keys": ("is_hypothetical", 207, "Invalid column name 'is_hypothetical'."),
    "partitions": ("approx_rows", 208, "Invalid object name 'sys.partitions'."),
    "partitioning": ("boundary_value_on_right", 208, "Invalid object name 'sys.partition_schemes'."),
    "row_filters": ("security_predicates", 208, "Invalid object name 'sys.security_predicates'."),
    "descriptions": ("extended_properties", 208, "Invalid object name 'sys.extended_properties'."),
}


@pytest.fixture
def source(faulty_sandbox: SandboxServer, faults: FaultControl) -> SqlServerSource:
    database = faulty_sandbox.database_config()
    with faults._connection.cursor() as cursor:
        cursor.execute("IF OBJECT_ID('dbo.OldServer') IS NULL CREATE TABLE dbo.OldServer (Id int NOT NULL PRIMARY KEY)")
    return SqlServerSource(database, ProcessingConfig(retry_attempts=1))


def _look(source: SqlServerSource) -> None:
    source.check()
    source.read_tables([StaticTableConfig(table_name="OldServer")])


@pytest.mark.parametrize("name", LACKING)
def test_a_query_of_the_catalogue_that_the_server_cannot_answer(
    source: SqlServerSource, faults: FaultControl, name: str
) -> None:
    pattern, number, message = LACKING[name]
    assert pattern in query(name)
    facts = source.check()
    faults.plan(Fault(Fail(number, message), Where(pattern=pattern)))
    with pytest.raises(UnsupportedServer) as caught:
        _look(source)
    told = caught.value
    assert message.split("'")[1] in told.problem
    assert f"version {facts.product_version}" in told.problem
    assert "SQL Server 2016 (13.0) or newer" in told.remedy
    assert told.facts["number"] == number


def test_a_function_that_a_read_view_needs(source: SqlServerSource, faults: FaultControl) -> None:
    message = "'MIN_ACTIVE_ROWVERSION' is not a recognized built-in function name."
    faults.plan(Fault(Fail(195, message, severity=15), Where(pattern="MIN_ACTIVE_ROWVERSION")))
    with (
        pytest.raises(UnsupportedServer, match="has no MIN_ACTIVE_ROWVERSION") as caught,
        source.read_view(ceiling=True),
    ):
        pass
    assert "SQL Server 2016 (13.0) or newer" in caught.value.remedy
    assert caught.value.facts["product_version"]


def test_a_server_that_lacks_one_thing_is_named_though_it_answers_nothing_more(
    source: SqlServerSource, faults: FaultControl
) -> None:
    faults.plan(
        Fault(Fail(208, "Invalid object name 'sys.objects'."), Where(pattern="sys.objects")),
        Fault(
            Fail(195, "'SERVERPROPERTY' is not a recognized built-in function name.", severity=15),
            Where(pattern="SERVERPROPERTY"),
        ),
    )
    with pytest.raises(UnsupportedServer, match=r"the server has no sys\.objects"):
        source.read_tables([StaticTableConfig(table_name="OldServer")])
