"""What DuckDB's file makes of zeros with different signs. Should it keep them apart one day, docs/types.md and what the warehouse
declares of floats can become simpler (duckdb/duckdb#25580)."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest


@pytest.mark.parametrize(
    ("values", "kept"),
    [
        ([0.0, -0.0], ["0.0", "0.0"]),
        ([-0.0, 0.0], ["-0.0", "-0.0"]),
        ([-0.0, 0.0, -5e-324], ["-0.0", "-0.0", "-5e-324"]),
        ([-0.0, -0.0], ["-0.0", "-0.0"]),
        ([-0.0, 1.5], ["-0.0", "1.5"]),
    ],
)
def test_the_sign_of_a_zero_beside_another_zero_is_not_kept(
    tmp_path: Path, values: list[float], kept: list[str]
) -> None:
    with duckdb.connect(str(tmp_path / "zeros.duckdb")) as connection:
        connection.execute("CREATE TABLE zeros (place INTEGER, number DOUBLE)")
        connection.executemany("INSERT INTO zeros VALUES (?, ?)", list(enumerate(values)))
    with duckdb.connect(str(tmp_path / "zeros.duckdb")) as connection:
        found = connection.execute("SELECT number FROM zeros ORDER BY place").fetchall()
    assert [str(number) for (number,) in found] == kept
