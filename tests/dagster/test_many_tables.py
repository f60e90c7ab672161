"""A code location over 500 tables."""

from __future__ import annotations

import pytest

from tests.performance.load_location import FEW, MANY, measured


@pytest.mark.slow  # two processes that import all of Dagster
@pytest.mark.timeout(300)
def test_the_definitions_of_500_tables_load_in_at_most_twice_the_time_of_4() -> None:
    """Processor time, imports included: a busy machine changes it less than the clock."""
    assert measured(MANY) <= 2 * measured(FEW)
