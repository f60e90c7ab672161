"""Settings of the code location: environment variables `DLT_SYNC_DAGSTER_<FIELD>`."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from dltsync_core.config.model import EnvironmentSpec
from dltsync_core.errors import ConfigError

PREFIX = "DLT_SYNC_DAGSTER_"

Switch = Literal["stopped", "running"]


class LocationSettings(EnvironmentSpec):
    """A field that is left out is taken from `DLT_SYNC_DAGSTER_<FIELD>` in the environment."""

    model_config = SettingsConfigDict(env_prefix=PREFIX)

    sensors: Switch = "stopped"
    """How the sensors start. A switch in the UI wins from then on."""
    schedules: Switch = "stopped"
    """How the daily schedule starts."""
    sensor_interval_seconds: int = Field(default=60, ge=5)
    """Seconds between two ticks of a sensor, at least."""
    partitions_per_run: int = Field(default=16, ge=1)
    """Partitions of one run, at most, in sensors' requests and in backfills."""
    requests_per_tick: int = Field(default=20, ge=1)
    """Runs that one tick requests, at most, shared fairly among its tables; the rest follows at the next ticks."""
    tick_seconds: float = Field(default=30, ge=2)
    """Seconds that the probes of one tick may take: what is under way then is cancelled at the server, what was not reached comes
    first at the next tick. Dagster gives a tick up after 60 seconds (DAGSTER_SENSOR_GRPC_TIMEOUT_SECONDS of its daemon)."""
    daily_cron: str = "0 5 * * *"
    """When the daily schedule syncs everything."""
    daily_timezone: str = "UTC"
    """Time zone of `daily_cron` (IANA name)."""
    validation: Switch = "stopped"
    """How the schedule starts that compares every table in source, lake and warehouse. It reads much: aggregates over the whole
    source, and every file of the lake."""
    validation_cron: str = "0 7 * * 0"
    """When that schedule runs, in `daily_timezone`."""
    parallel_steps: int = Field(default=2, ge=1)
    """Tables one run syncs at the same time, each in a process of its own with the memory limit of the config."""
    retries: int = Field(default=2, ge=0)
    """How often a step is retried after a transient error. Other errors are not retried."""
    retry_delay_seconds: float = Field(default=30, ge=0)
    """Seconds before the first retry; doubled for each further one."""
    owners: tuple[str, ...] = ()
    """Owners of all assets, as a JSON list: `team:data` or e-mail addresses."""
    docs_url: str | None = None
    """Address of the pages of docs/ where you publish or browse them: assets link to the page about their kind. `{page}`
    stands for the page's name; without it `/<page>.md` is added."""


def read_settings(environment: Mapping[str, str] | None = None) -> LocationSettings:
    """The settings of this process. Raises ConfigError for a wrong value, and for an unknown variable."""
    variables = os.environ if environment is None else environment
    known = {PREFIX + field.upper() for field in LocationSettings.model_fields}
    for name in variables:
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            near = difflib.get_close_matches(name.upper(), known, n=1)
            raise ConfigError(
                f"environment variable {name}: no such setting",
                remedy=f"did you mean {near[0]}?" if near else f"settings: {', '.join(sorted(known))}",
            )
    return LocationSettings()
