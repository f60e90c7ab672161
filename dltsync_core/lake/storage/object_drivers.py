"""The drivers of the object stores, and where they differ: s3fs, adlfs for Azure, gcsfs for Google."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import fsspec

from dltsync_core.errors import EnvironmentProblem, LakeUnreachable

PART_BYTES = 16 * 1024 * 1024
PARTS_AT_ONCE = 4
"""An upload holds two rounds of parts in memory at most, the one on its way and the next (130 MB measured), whatever the file's
size. S3 allows 10,000 parts: 160 GB a file."""

COPY_SECONDS = 600.0
"""How long a copy within a store may take. Files are some hundred megabytes at most and copies take no network of ours."""

_COPY_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Driver:
    """One kind of store, as an fsspec driver. `upload` and `create` are what it is told to send a file in parts, and to write
    only what is not there. `defaults` give way to the storage options."""

    extra: str
    module: str
    upload: Mapping[str, Any]
    create: Mapping[str, Any]
    opened: Callable[[str, dict[str, Any]], tuple[Any, str]]
    sees: Callable[[Any, str, str], bool]
    copied: Callable[[Any, str], None] = lambda files, path: None
    defaults: Mapping[str, Any] = field(default_factory=dict)

    def connect(self, url: str, options: Mapping[str, Any]) -> tuple[Any, str, bool]:
        """The driver, the root within it, and whether the bucket is there. Raises EnvironmentProblem, and what drivers raise."""
        try:
            importlib.import_module(self.module)
        except ImportError as error:
            raise EnvironmentProblem(
                f"a lake at {url.partition('://')[0]}:// needs the driver {self.module}, which cannot be imported: {error}",
                remedy=f"pip install 'dltsync[{self.extra}]'",
            ) from error
        # What others write must be seen, and two lakes with different credentials must not share a driver's instance.
        fresh = {"use_listings_cache": False, "skip_instance_cache": True}
        # Copied: drivers change the options they are given.
        files, root = self.opened(url, deepcopy({**self.defaults, **options, **fresh}))
        bucket, _, prefix = root.partition("/")
        try:
            return files, root, self.sees(files, bucket, prefix)
        except FileNotFoundError:
            return files, root, False

    def copy(self, files: Any, source: str, target: str) -> None:
        """A whole second object within the store. Raises what the driver raises, LakeUnreachable when it takes too long."""
        files.cp_file(source, target)
        self.copied(files, target)


def _by_url(url: str, options: dict[str, Any]) -> tuple[Any, str]:
    files, root = fsspec.core.url_to_fs(url, **options)
    return files, root


def _listed(files: Any, bucket: str, prefix: str) -> bool:
    if not files.exists(bucket):
        files.ls(bucket, detail=False)  # says why: `exists` also means that nobody answered
    return True


# -- Azure --------------------------------------------------------------------------------------------------------------


def _azure_listed(files: Any, bucket: str, prefix: str) -> bool:
    """Asked for what every run needs, a listing below the prefix: adlfs itself asks for the container's properties, which a login
    may not see, and then takes whatever went wrong for a container that exists."""

    async def look() -> None:
        async with files.service_client.get_container_client(bucket) as container:
            async for _ in container.list_blobs(results_per_page=1, name_starts_with=prefix):
                return

    try:
        fsspec.asyn.sync(files.loop, look)
    except Exception as error:  # all but a 404 is raised again; its class is in a package that only this driver brings
        if getattr(error, "status_code", None) == 404:
            return False
        raise
    return True


def _azure_copied(files: Any, path: str) -> None:
    """Azure may answer before a copy is made. Waits for its end: the source is removed next."""
    bucket, _, key = path.partition("/")

    async def status() -> str:
        async with files.service_client.get_blob_client(bucket, key) as blob:
            return str((await blob.get_blob_properties()).copy.status)

    end = time.monotonic() + COPY_SECONDS
    while (said := fsspec.asyn.sync(files.loop, status)) != "success":
        if said != "pending" or time.monotonic() > end:
            raise LakeUnreachable(
                f"the object store did not finish copying to {path} within {COPY_SECONDS:g} seconds ({said})",
                remedy="run again; the original is still there",
            )
        time.sleep(_COPY_POLL_SECONDS)


# -- Google -------------------------------------------------------------------------------------------------------------


def _google(url: str, options: dict[str, Any]) -> tuple[Any, str]:
    """The driver that speaks Google's JSON protocol. The one fsspec would give asks by another protocol first what kind of bucket
    it is, waits a minute where nobody answers that, and does so again at every request."""
    driver = importlib.import_module("gcsfs.core").GCSFileSystem
    return driver(**options), str(driver._strip_protocol(url))


DRIVERS: Mapping[str, Driver] = {
    "s3": Driver(
        extra="s3",
        module="s3fs",
        upload={"chunksize": PART_BYTES, "max_concurrency": PARTS_AT_ONCE},
        create={"mode": "create"},
        opened=_by_url,
        sees=_listed,
    ),
    "azure": Driver(
        extra="azure",
        module="adlfs",
        upload={"max_concurrency": PARTS_AT_ONCE},
        create={"overwrite": False},
        opened=_by_url,
        sees=_azure_listed,
        copied=_azure_copied,
        # Else some versions of adlfs go without a login where the options name none.
        defaults={"anon": False},
    ),
    "gcs": Driver(
        extra="gcs",
        module="gcsfs",
        upload={"chunksize": PART_BYTES},
        create={"mode": "create"},
        opened=_google,
        sees=_listed,
    ),
}
"""By the kind of store (`config.lake_location.OBJECT_STORES`)."""
