"""What a caller asks of one run, beyond the config."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from dltsync_core.identity import TableName


@dataclass(frozen=True)
class RunOptions:
    """`full_refresh` forgets what was committed; `force` loads units that did not change; `heal` loads again what the lake or
    the warehouse lost (otherwise that is an error); `compare` looks at lake and warehouse at all. `partition_keys` limits
    partition tables to these units (None: all). `repair_state` puts right in ledger and lake what needs no reading.
    `accepted_drift` names tables whose changed shape a person agrees to. `now` is the moment of planning, in UTC.
    """

    now: datetime
    full_refresh: bool = False
    force: bool = False
    heal: bool = True
    compare: bool = True
    repair_state: bool = False
    partition_keys: frozenset[str] | None = None
    accepted_drift: frozenset[TableName] = frozenset()
