"""How dlt behaves while it loads for us, and only then: its settings are ours, its log is quiet, its telemetry is off.

dlt reads settings from the environment and from `.dlt/config.toml` below whatever directory the process was started in. A
setting meant for somebody's own pipeline (a naming convention, an added column) must not change our tables; and what we set
must not change theirs, which may run in another thread of the same process.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

# Read when dlt is imported. A user who sets it to true for other pipelines of this process keeps that.
os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")

from dlt.common.configuration.container import Container
from dlt.common.configuration.providers.provider import ConfigProvider
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext

_SETTINGS: dict[tuple[str, str], Any] = {
    ("schema", "naming"): "dltsync_core.warehouse.exact_names",
    ("data_writer", "version"): "2.6",  # before it Parquet has no nanoseconds, and dlt refuses them
    ("data_writer", "allow_truncated_timestamps"): False,
    ("parquet_normalizer", "add_dlt_id"): False,
    ("parquet_normalizer", "add_dlt_load_id"): False,
    ("extract", "workers"): 1,
    ("normalize", "workers"): 1,
    ("load", "workers"): 1,  # files one after another, each by all of DuckDB's threads; and everything in our thread
    ("load", "raise_on_failed_jobs"): True,
    ("load", "raise_on_max_retries"): 1,  # our own retries know why they retry
    ("load", "delete_completed_jobs"): True,
    ("load", "truncate_staging_dataset"): False,  # we drop it
    ("destination", "create_indexes"): False,
    ("destination", "enable_dataset_name_normalization"): True,
    ("pipelines", "dataset_name_layout"): "%s",
    ("pipelines", "dev_mode"): False,
    ("pipelines", "enable_runtime_trace"): False,
    ("pipelines", "restore_from_destination"): False,  # dlt's state is not ours
    ("pipelines", "use_single_dataset"): True,
    ("runtime", "intercept_signals"): False,
}

_loading: ContextVar[bool] = ContextVar("dltsync_loading", default=False)


class _OurSettings(ConfigProvider):
    """Answers before every other provider, and only inside `our_settings`."""

    def get_value(self, key: str, hint: type[Any], pipeline_name: str | None, *sections: str) -> tuple[Any | None, str]:
        if _loading.get():
            for section in reversed(sections):
                if (section, key) in _SETTINGS:
                    return _SETTINGS[section, key], f"{section}.{key}"
        return None, key

    @property
    def supports_secrets(self) -> bool:
        return False

    @property
    def supports_sections(self) -> bool:
        return True

    @property
    def name(self) -> str:
        return "dltsync"


class _Providers(list[ConfigProvider]):
    """dlt's providers of settings. Inside `our_settings` ours is the only one: looking through environment, files and vaults for
    each of the hundreds of settings of a load costs more than the load, and what is found there is not meant for us."""

    def __iter__(self) -> Iterator[ConfigProvider]:
        return iter((_provider,)) if _loading.get() else super().__iter__()


class _Quiet(logging.Filter):
    """dlt warns where we know better (hints that differ from its guesses); its failures reach the user as our errors."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not _loading.get()


_provider = _OurSettings()
_quiet = _Quiet()


@contextmanager
def our_settings() -> Iterator[None]:
    """Within the block dlt, in this thread, runs with our settings and without its log."""
    found = Container()[PluggableRunContext].providers
    if not isinstance(found.providers, _Providers):  # dlt makes a new list when somebody switches its context
        found.providers = _Providers(found.providers)
    logger = logging.getLogger("dlt")
    if _quiet not in logger.filters:
        logger.addFilter(_quiet)
    token = _loading.set(True)
    try:
        yield
    finally:
        _loading.reset(token)
