"""Stand-ins for SQL Server and for the warehouse, in memory, for the tests of those who use dltsync.

    from dltsync_core import IncrementalSQLServerParquetPipeline
    from dltsync_core.testing import FakeSource, FakeTable, FakeWarehouse, TableName, int_column, text_column

    countries = FakeTable((int_column("No"), text_column("Name")), [{"No": 1, "Name": "Japan"}], primary_key=("No",))
    source = FakeSource({TableName("dbo", "Countries"): countries})
    warehouse = FakeWarehouse()
    with IncrementalSQLServerParquetPipeline(config, source=source, warehouse=warehouse) as pipeline:
        assert pipeline.run().success
    assert warehouse.tables["warehouse", "Countries"] == countries.rows

Planning, lake, ledger and validation are the real ones, in the directories that the config names. Nothing here needs pytest,
a server or a driver. The stand-ins obey the same protocols as the real source and warehouse, and the same tests.
"""

from __future__ import annotations

from dltsync_core.identity import TableName
from dltsync_core.testing.source import FakeSource, FakeView
from dltsync_core.testing.tables import FakeTable, Row, bit_column, datetime_column, int_column, text_column
from dltsync_core.testing.warehouse import FakeWarehouse

__all__ = [
    "FakeSource",
    "FakeTable",
    "FakeView",
    "FakeWarehouse",
    "Row",
    "TableName",
    "bit_column",
    "datetime_column",
    "int_column",
    "text_column",
]
