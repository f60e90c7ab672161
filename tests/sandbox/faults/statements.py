"""Statements that meet a fault, and what the driver said of them."""

from __future__ import annotations

from typing import Any

import pytest

from sqlserver_sandbox.faults.plan import Where
from tests.sandbox.faults.conftest import ERRORS

SELECT = Where(kind="select", table=r"dbo\.faulty")


def ids(connection: Any, table: str) -> list[int]:
    """Read row by row, so that what arrived before an error is seen to have arrived."""
    cursor = connection.cursor()
    cursor.execute(f"SELECT id, name FROM {table} ORDER BY id")
    return [row[0] for row in iter(cursor.fetchone, None)]


def failing(connection: Any, sql: str) -> BaseException:
    cursor = connection.cursor()

    def run() -> None:
        cursor.execute(sql)
        cursor.fetchall()

    with pytest.raises(ERRORS) as caught:
        run()
    found: BaseException = caught.value
    return found
