"""How a table appears and runs in Dagster, as far as the config says so. The core reads none of it: it is checked here, so that a
mistake is an error of the config, with the field's path, and not one of Dagster's."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from dltsync_core.config.model import Duration, Listed, Spec

if TYPE_CHECKING:
    from typing_extensions import Self

_GROUP = re.compile(r"\w+(/\w+)*", re.ASCII)
_OWNER = re.compile(r"team:[^\s:]+|[^\s@]+@[^\s@]+\.[^\s@]+")
_KIND = re.compile(r"[A-Za-z0-9_.-]{1,63}")
_CRON_FIELDS = 5


def _group(value: str) -> str:
    if not _GROUP.fullmatch(value):
        raise ValueError("is no group name: write letters, digits and underscores, with `/` between the levels")
    return value


def _owner(value: str) -> str:
    if not _OWNER.fullmatch(value):
        raise ValueError("is no owner: write an e-mail address, or `team:` and the team's name")
    return value


def _kind(value: str) -> str:
    if not _KIND.fullmatch(value):
        raise ValueError("is no kind: write at most 63 letters, digits, `_`, `.` or `-`")
    return value


def _cron(value: str) -> str:
    if len(value.split()) != _CRON_FIELDS:
        raise ValueError("is no cron schedule: write five fields, such as `0 5 * * *` for every day at five")
    return value


def known_condition(value: Any) -> Any:
    """A text that names no automation condition is refused in one sentence, not in one for each alternative."""
    if isinstance(value, str) and value not in {"none", "eager"}:
        raise ValueError('is no condition: write none, eager, or `{on_cron: "0 5 * * *"}`')
    return value


class OnCron(Spec):
    """Loads of what changed, at the ticks of a schedule."""

    on_cron: Annotated[str, AfterValidator(_cron)]
    """The schedule, five fields: `0 5 * * *` is every day at five."""
    timezone: str = "UTC"
    """Time zone of the schedule (IANA name)."""


class FreshnessConfig(Spec):
    """How old the table's last load may become. Dagster counts materializations: a sensor's table that does not change has none,
    so this is for tables that change, or that a schedule or the automation loads."""

    fail_after: Duration
    """Older than this is a failure: `26h`. At least a minute."""
    warn_after: Duration | None = None
    """Older than this is a warning; shorter than fail_after."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.fail_after < timedelta(minutes=1):
            raise ValueError("fail_after must be at least a minute")
        if self.warn_after is not None and not timedelta(minutes=1) <= self.warn_after < self.fail_after:
            raise ValueError("warn_after must be at least a minute and shorter than fail_after")
        return self


class AssetConfig(Spec):
    """A table's asset in Dagster. What is left out is as the code location's settings and translator have it."""

    group: Annotated[str, AfterValidator(_group)] | None = None
    """Group of the asset. Default: the schema in the warehouse."""
    owners: Listed[Annotated[str, AfterValidator(_owner)]] | None = None
    """Owners: e-mail addresses, or `team:` and a name. Default: the setting OWNERS."""
    kinds: Listed[Annotated[str, AfterValidator(_kind)]] = ()
    """Further kinds, beside dlt, parquet and the warehouse's."""
    pool: Annotated[str, Field(min_length=1)] | None = None
    """Pool of the step that loads the table. Default: that of the source server, `mssql:<server>`."""
    retries: int | None = Field(default=None, ge=0)
    """How often the step is retried after a transient error. Default: the setting RETRIES."""
    retry_delay_seconds: float | None = Field(default=None, ge=0)
    """Seconds before the first retry, doubled for each further one. Default: the setting RETRY_DELAY_SECONDS."""
    freshness: FreshnessConfig | None = None
    """Freshness policy of the asset."""
    code_url: Annotated[str, Field(pattern=r"^https?://")] | None = None
    """Address of what describes the table's load, for instance this config in a repository: a code reference of the asset."""
