"""What a deployment may replace of the config file: source connection, lake, warehouse, state.

Steps and sensors close over these resources, as Dagster's own components do: a location has no resource keys of dltsync, so that
it merges with any other. A field that is left out is taken from the config file. `EnvVar(...)` is resolved in the process of the
run or of the sensor, never when the location is loaded.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TypeVar, cast

import dagster as dg
from pydantic import Field, SecretStr

from dltsync_core.config import PipelineConfig
from dltsync_core.config.database import LOGIN_FIELDS


class SqlServerConnection(dg.ConfigurableResource[None]):
    """The source database."""

    server: str | None = Field(default=None, description="Host name or address.")
    port: int | None = Field(default=None, description="TCP port.")
    database: str | None = Field(default=None, description="Name of the database.")
    username: str | None = Field(default=None, description="SQL login.")
    password: str | None = Field(default=None, description="Give it as EnvVar: it is then read in the run only.")
    access_token: str | None = Field(
        default=None,
        description="Instead of any login of the config file. Give it as EnvVar: it is then read in the run only.",
    )
    encrypt: str | None = Field(default=None, description="yes, no or strict.")
    trust_server_certificate: bool | None = Field(default=None, description="Accept an unverifiable certificate.")
    application_intent: str | None = Field(default=None, description="ReadOnly reads from a secondary.")


class ParquetLake(dg.ConfigurableResource[None]):
    """The Parquet lake."""

    directory: str | None = Field(
        default=None, description="Directory of the lake, or the URL of a prefix in an object store."
    )
    compression: str | None = Field(default=None, description="zstd, snappy, gzip, lz4 or none.")


class Warehouse(dg.ConfigurableResource[None]):
    """The warehouse."""

    path: str | None = Field(default=None, description="The DuckDB file.")
    lock_timeout_seconds: float | None = Field(default=None, description="Wait this long while it is in use.")


class StateStore(dg.ConfigurableResource[None]):
    """Ledger and working files."""

    directory: str | None = Field(default=None, description="Directory of the SQLite ledger and of working files.")
    url: str | None = Field(
        default=None, description="SQLAlchemy URL of a shared ledger. Give it as EnvVar: it may hold a password."
    )


R = TypeVar("R", bound="dg.ConfigurableResource[None]")


@dataclass(frozen=True)
class PipelineResources:
    """The resources of one pipeline. None: as the config file has it."""

    sqlserver: SqlServerConnection | None = None
    lake: ParquetLake | None = None
    warehouse: Warehouse | None = None
    state: StateStore | None = None

    @contextmanager
    def composed(self, config: PipelineConfig) -> Iterator[PipelineConfig]:
        """The config, overridden by the resources with their environment variables resolved. Raises ConfigError for an invalid
        value, Dagster's own error for a variable that is not set."""
        if self == PipelineResources():
            yield config
            return
        with ExitStack() as stack:

            def resolved(resource: R | None) -> R | None:
                if resource is None:
                    return None
                # The value of such a resource is the resource itself, though the annotation says None.
                return cast("R", stack.enter_context(resource.process_config_and_initialize_cm()))

            yield compose_config(
                config,
                resolved(self.sqlserver) or SqlServerConnection(),
                resolved(self.lake) or ParquetLake(),
                resolved(self.warehouse) or Warehouse(),
                resolved(self.state) or StateStore(),
            )


def compose_config(
    config: PipelineConfig, sqlserver: SqlServerConnection, lake: ParquetLake, warehouse: Warehouse, state: StateStore
) -> PipelineConfig:
    """The core's config, overridden by the resources. Raises ConfigError for an invalid value."""
    database = _without_login(config.database.model_dump()) if sqlserver.access_token else config.database.model_dump()
    database |= _given(
        server=sqlserver.server,
        port=sqlserver.port,
        database=sqlserver.database,
        username=sqlserver.username,
        password=SecretStr(sqlserver.password) if sqlserver.password is not None else None,
        access_token=SecretStr(sqlserver.access_token) if sqlserver.access_token is not None else None,
        encrypt=sqlserver.encrypt,
        trust_server_certificate=sqlserver.trust_server_certificate,
        application_intent=sqlserver.application_intent,
    )
    processing = config.processing.model_dump() | _given(compression=lake.compression)
    state_fields = config.state.model_dump() | _given(
        parquet_directory=lake.directory,
        state_directory=state.directory,
        state_url=SecretStr(state.url) if state.url is not None else None,
    )
    destination = config.destination.model_dump(exclude_unset=True) | _given(
        path=warehouse.path if config.destination.type == "duckdb" else None,
        lock_timeout_seconds=warehouse.lock_timeout_seconds,
    )
    parts = {"database": database, "processing": processing, "state": state_fields, "destination": destination}
    # Built again, not copied: a resource's values pass the same checks as a file's.
    return PipelineConfig(**{**{name: getattr(config, name) for name in PipelineConfig.model_fields}, **parts})


def _without_login(database: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in database.items() if name not in LOGIN_FIELDS}


def _given(**values: object) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}
