"""How a table appears in Dagster is checked with the config, so that a mistake is named by its field and not by Dagster."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from dltsync_core.config import StaticTableConfig
from dltsync_core.errors import ConfigError


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"check_every": "soon"}, "check_every: is not a duration"),
        ({"check_every": "0s"}, "check_every must be longer than zero"),
        ({"automation_condition": "egar"}, "automation_condition: is no condition: write none, eager"),
        ({"automation_condition": {"on_cron": "daily"}}, "is no cron schedule: write five fields"),
        ({"automation_reads": "all"}, "automation_reads: "),
        ({"asset": {"owners": ["bob"]}}, r"asset.owners\[0\]: is no owner"),
        ({"asset": {"group": "a b"}}, "asset.group: is no group name"),
        ({"asset": {"kinds": ["a/b"]}}, r"asset.kinds\[0\]: is no kind"),
        ({"asset": {"freshness": {"fail_after": "10s"}}}, "fail_after must be at least a minute"),
        ({"asset": {"freshness": {"fail_after": "1h", "warn_after": "2h"}}}, "shorter than fail_after"),
        ({"asset": {"code_url": "dltsync.yaml"}}, "asset.code_url: "),
        ({"asset": {"ower": []}}, "asset.ower: unknown field"),
    ],
)
def test_a_wrong_value_is_named_by_its_field(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        StaticTableConfig(table_name="T", **fields)


def test_durations_and_conditions_are_read_from_text() -> None:
    table = StaticTableConfig(table_name="T", check_every="10m", automation_condition="eager")
    assert (table.check_every, table.automation_condition) == (timedelta(minutes=10), "eager")
    assert StaticTableConfig(table_name="T").automation_condition == "none"
