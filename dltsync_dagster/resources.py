"""The four resources that a deployment may replace: source connection, lake, warehouse, state.

A field that is left out is taken from the config file. So a password given there (by `${VARIABLE}`) stays in the
process that reads the file: resource config is shown in the Dagster UI, so a password belongs here only as `EnvVar(...)`.
"""

import dagster as dg
from pydantic import Field, SecretStr

from dltsync_core.config import PipelineConfig


class SqlServerConnection(dg.ConfigurableResource[None]):
    """The source database."""

    server: str | None = Field(default=None, description="Host name or address.")
    port: int | None = Field(default=None, description="TCP port.")
    database: str | None = Field(default=None, description="Name of the database.")
    username: str | None = Field(default=None, description="SQL login.")
    password: str | None = Field(default=None, description="Give it as EnvVar: resource config is visible in the UI.")
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


def configured_resources(config: PipelineConfig) -> dict[str, dg.ConfigurableResource[None]]:
    """The resources as the config file has them, without its secrets, by the names that ops and sensors use."""
    database = config.database
    return {
        "sqlserver": SqlServerConnection(
            server=database.server,
            port=database.port,
            database=database.database,
            username=database.username,
            encrypt=database.encrypt,
            trust_server_certificate=database.trust_server_certificate,
            application_intent=database.application_intent,
        ),
        "lake": ParquetLake(directory=str(config.state.parquet_directory), compression=config.processing.compression),
        "warehouse": Warehouse(
            path=str(config.destination.path), lock_timeout_seconds=config.destination.lock_timeout_seconds
        ),
        "state": StateStore(directory=str(config.state.state_directory)),
    }


def compose_config(
    config: PipelineConfig, sqlserver: SqlServerConnection, lake: ParquetLake, warehouse: Warehouse, state: StateStore
) -> PipelineConfig:
    """The core's config, overridden by the resources. Raises ConfigError for an invalid value."""
    database = config.database.model_dump() | _given(
        server=sqlserver.server,
        port=sqlserver.port,
        database=sqlserver.database,
        username=sqlserver.username,
        password=SecretStr(sqlserver.password) if sqlserver.password is not None else None,
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


def _given(**values: object) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}
