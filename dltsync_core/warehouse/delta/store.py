"""Where the tables of a warehouse lie: dlt's `filesystem` destination says it, by its own names and configuration.

    <bucket_url>/<target schema>/<table>/            a Delta table: its Parquet files and `_delta_log`
    <bucket_url>/<target schema>/<table>/_dltsync/   the markers of its loads (`markers`), and the attempts at work (`attempts`)

That is dlt's own layout of Delta tables, a target schema being its dataset. Delta's readers and VACUUM pass over a directory
whose name begins with an underscore. The only file that imports deltalake, which is optional.
"""

from __future__ import annotations

import importlib
import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import dlt
import duckdb
import pyarrow.fs as pafs

from dltsync_core.disk_full import disk_full, is_disk_full
from dltsync_core.errors import ConfigError, NotWritable, SyncError, WarehouseError
from dltsync_core.identity import Target, dotted, identifier_part
from dltsync_core.lake.storage.disk import make_directory, remove_tree, sync_file
from dltsync_core.redaction import redacted, secrets_in_options
from dltsync_core.warehouse.dlt.connection import DLT_TURN
from dltsync_core.warehouse.dlt.failures import explained as dlt_failure
from dltsync_core.warehouse.dlt.files import PIPELINE, give_settings, quiet

OWN_DIRECTORY = "_dltsync"
_FOREIGN = {"deltalake", "_internal", "pyarrow", "dlt", "duckdb", "_duckdb"}
"""Modules whose errors are not faults of ours; `_internal` is deltalake's."""
_SECRET = ("key", "secret", "token", "password", "sas")
"""Words in the names of options that hold a secret."""
_LONGEST_MESSAGE = 300
_NO_RIGHT = re.compile(r"permission denied|access ?denied|forbidden|\b403\b", re.IGNORECASE)


def deltalake(module: str = "") -> Any:
    """The package, or a module of it. Raises ConfigError when it is not installed."""
    try:
        return importlib.import_module(f"deltalake.{module}" if module else "deltalake")
    except ModuleNotFoundError as error:
        raise ConfigError(
            "destination: Delta tables need the package deltalake", remedy="pip install 'dltsync[delta]'"
        ) from error


class TableDirectory:
    """The files of one table. Paths are relative to it."""

    def __init__(self, uri: str, options: Mapping[str, str], driver: Any | None) -> None:
        """`options` are delta-rs's, `driver` is dlt's fsspec one; None for a directory of this machine."""
        self.uri = uri
        self._options = dict(options)
        self._driver = driver
        self._local = _local_path(uri) if driver is None else None

    @cached_property
    def filesystem(self) -> pafs.FileSystem:
        """The directory as a file system of Arrow's."""
        if self._local is not None:
            return pafs.SubTreeFileSystem(str(self._local), pafs.LocalFileSystem())
        # Not deltalake's own: it holds Python's lock while it waits for the store, and leases could not be renewed meanwhile.
        driver: Any = self._driver
        handler: Any = pafs.FSSpecHandler
        return pafs.SubTreeFileSystem(driver._strip_protocol(self.uri), pafs.PyFileSystem(handler(driver)))

    def prepare(self) -> None:
        """Let files be written. An object store has no directories. Raises NotWritable."""
        if self._local is not None:
            for name in ("attempts", "markers"):
                make_directory(self._local / OWN_DIRECTORY / name)

    def table(self) -> Any | None:
        """The Delta table at its newest version; None when there is none."""
        package = deltalake()
        try:
            return package.DeltaTable(self.uri, storage_options=self._options)
        except package.exceptions.TableNotFoundError:
            return None

    def create_table(self, schema: Any, actions: Sequence[Any], properties: Any) -> None:
        """A table with its first files, in one commit. Raises DeltaError when there is one."""
        deltalake("transaction").create_table_with_add_actions(
            self.uri, schema, list(actions), mode="error", storage_options=self._options, commit_properties=properties
        )

    def finish(self, path: str) -> int:
        """The size of a file that was written and closed; on a disk it is safe from a power failure."""
        if self._local is not None:
            sync_file(self._local / path)
        return int(self.filesystem.get_file_info(path).size)

    def write(self, path: str, content: bytes) -> None:
        """A whole file."""
        with self.filesystem.open_output_stream(path, compression=None) as stream:
            stream.write(content)
        self.finish(path)

    def read(self, path: str) -> bytes | None:
        """A whole file; None when it is not there."""
        if self.filesystem.get_file_info(path).type is not pafs.FileType.File:
            return None
        try:
            with self.filesystem.open_input_file(path) as stream:
                return bytes(stream.read())
        except FileNotFoundError:
            return None

    def modified(self, path: str) -> datetime | None:
        """When a file was written; None when it is not there."""
        return self.filesystem.get_file_info(path).mtime

    def names(self, directory: str = "") -> list[str]:
        """The paths of the files in a directory, not below it; none when it is not there."""
        selector = pafs.FileSelector(directory, allow_not_found=True)
        found = self.filesystem.get_file_info(selector)
        return sorted(info.path.lstrip("/") for info in found if info.type is pafs.FileType.File)

    def delete(self, paths: Sequence[str]) -> None:
        """Remove files, as far as they are there."""
        for path in paths:
            if self.filesystem.get_file_info(path).type is pafs.FileType.File:
                self.filesystem.delete_file(path)

    def remove(self) -> None:
        """Remove all files, the newest part of the log first: what is killed on its way leaves an earlier version, never a
        log without its beginning."""
        if self.filesystem.get_file_info("").type is pafs.FileType.NotFound and self._local is not None:
            return
        log = self.names("_delta_log")
        self.delete([name for name in log if not name.endswith(".json")])
        self.delete(sorted((name for name in log if name.endswith(".json")), reverse=True))
        selector = pafs.FileSelector("", recursive=True, allow_not_found=True)
        rest = [info.path for info in self.filesystem.get_file_info(selector) if info.type is pafs.FileType.File]
        self.delete([path.lstrip("/") for path in rest])
        if self._local is not None:
            remove_tree(self._local)


@dataclass(frozen=True)
class _Located:
    """The bucket, and how delta-rs and Arrow get at it."""

    url: str
    options: Mapping[str, str] = field(repr=False)
    driver: Any | None = field(repr=False)


class DeltaStore:
    """A directory or a bucket with Delta tables. Nothing is opened before it is needed.

    `bucket_url` and `credentials` None: dlt looks for them in its own configuration (`DESTINATION__FILESYSTEM__BUCKET_URL`,
    `.dlt/secrets.toml`).
    """

    def __init__(self, bucket_url: str | None, credentials: str | Mapping[str, Any] | None) -> None:
        self._given: dict[str, Any] = {
            name: value
            for name, value in (("bucket_url", bucket_url), ("credentials", credentials))
            if value is not None
        }
        self._secrets: tuple[str, ...] = ()

    @cached_property
    def _located(self) -> _Located:
        with DLT_TURN, self.explained("asking dlt for the bucket"), quiet(), tempfile.TemporaryDirectory() as directory:
            give_settings()
            pipeline = dlt.pipeline(
                PIPELINE,
                pipelines_dir=directory,
                destination=dlt.destinations.filesystem(**self._given),
                dataset_name=OWN_DIRECTORY,  # dlt wants one; none of our tables is in it
            )
            try:
                client: Any = pipeline.destination_client()
            finally:
                pipeline.deactivate()
            found = client.config
            is_local = bool(found.is_local_filesystem)
            if is_local and "%" in str(_local_path(str(found.bucket_url))):
                raise ConfigError(
                    f"destination.bucket_url: {_local_path(str(found.bucket_url))} holds a `%`, which delta-rs takes for the "
                    "beginning of an escape",
                    remedy="name another directory",
                )
            options = {} if is_local else dict(found.credentials.to_object_store_rs_credentials())
            options |= found.deltalake_storage_options or {}
            self._secrets = secrets_in_options(
                {name: value for name, value in options.items() if any(word in name.casefold() for word in _SECRET)}
            )
            return _Located(
                str(found.bucket_url).rstrip("/"),
                {name: str(value) for name, value in options.items()},
                None if is_local else client.fs_client,
            )

    def directory(self, target: Target) -> TableDirectory:
        """The table's directory, which need not exist. Names that are not plain letters, digits and underscores get a
        digest."""
        located = self._located
        uri = "/".join((located.url, *(identifier_part(name) for name in target)))
        return TableDirectory(uri, located.options, located.driver)

    @property
    def url(self) -> str:
        """The bucket or the directory. Raises ConfigError when dlt's configuration does not say it."""
        return self._located.url

    def check_reachable(self) -> None:
        """Look whether the bucket answers, or the directory can be made or written. Writes nothing. Raises ConfigError,
        NotWritable, WarehouseError."""
        located = self._located
        with self.explained("looking at the bucket"):
            if located.driver is not None:
                located.driver.exists(located.url)
                return
            path = (_local_path(located.url) or Path(located.url)).absolute()
            there = next(place for place in (path, *path.parents) if place.exists())
            if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
                raise NotWritable(
                    f"the warehouse cannot be written: {there}",
                    remedy="let this user write there, or name another directory in destination.bucket_url",
                    path=str(there),
                )

    @contextmanager
    def explained(self, doing: str, target: Target | None = None) -> Iterator[None]:
        """Failures of dlt, delta-rs, Arrow and DuckDB as SyncErrors. `doing` completes "failed while …"."""
        try:
            yield
        except SyncError:
            raise
        except Exception as error:
            if type(error).__module__.split(".")[0] not in _FOREIGN and not isinstance(error, OSError):
                raise
            raise self._failure(error, doing, target) from error

    def _failure(self, error: Exception, doing: str, target: Target | None) -> SyncError:
        if type(error).__module__.split(".")[0] == "dlt":
            return self._configuration_failure(error, doing)
        table = f"{dotted(*target)}: " if target is not None else ""
        said = f"{table}the warehouse failed while {doing}: {redacted(' '.join(str(error).split()), self._secrets)}"
        if is_disk_full(error):
            return disk_full(f"for the warehouse while {doing}", error, outcome="the table is as it was")
        if isinstance(error, PermissionError) or (not isinstance(error, duckdb.Error) and _NO_RIGHT.search(str(error))):
            return NotWritable(said, remedy="give this user the right to read, write, list and delete below bucket_url")
        return WarehouseError(said, remedy="the load was not committed; correct what the message names and run again")

    def _configuration_failure(self, error: Exception, doing: str) -> SyncError:
        """dlt's refusal: a setting that is missing, a package, or a store that it cannot use as it is configured."""
        found = dlt_failure(error, "filesystem", doing, self._secrets)
        said = redacted(" ".join(str(error).split())[:_LONGEST_MESSAGE], self._secrets)
        if "MissingDependency" in type(error).__name__:
            return found
        return ConfigError(
            f"destination: dlt's configuration of filesystem is incomplete: {said}",
            remedy="set destination.bucket_url and destination.credentials (S3: aws_access_key_id, aws_secret_access_key, "
            "region_name), or DESTINATION__FILESYSTEM__BUCKET_URL and DESTINATION__FILESYSTEM__CREDENTIALS__… in the "
            "environment, or .dlt/secrets.toml",
        )


def _local_path(uri: str) -> Path | None:
    """The directory of a URL of this machine."""
    parts = urlsplit(uri)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    return Path(uri) if not parts.scheme else None
