"""An S3 server on loopback, and a bucket of one's own in it.

def test_something(bucket: Bucket) -> None:
    StateConfig(parquet_directory=bucket.url, storage_options=bucket.options)
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import s3fs

KEY, SECRET = "AKIAEXAMPLE", "not-a-real-secret-0815"


@dataclass(frozen=True)
class Bucket:
    """A bucket, and what a driver needs to get at it."""

    name: str
    endpoint: str
    _seen_by: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def url(self) -> str:
        return f"s3://{self.name}/lakes"

    @property
    def options(self) -> dict[str, Any]:
        return {
            "key": KEY,
            "secret": SECRET,
            "client_kwargs": {"endpoint_url": self.endpoint, "region_name": "us-east-1"},
            "config_kwargs": {"retries": {"max_attempts": 1, "mode": "standard"}},
        }

    @property
    def files(self) -> s3fs.S3FileSystem:
        """Somebody else's look at it: what he sees is what is there."""
        if "files" not in self._seen_by:
            self._seen_by["files"] = s3fs.S3FileSystem(
                **self.options, use_listings_cache=False, skip_instance_cache=True
            )
        return self._seen_by["files"]

    def names(self) -> list[str]:
        """Everything in the bucket."""
        return sorted(path[len(self.name) + 1 :] for path in self.files.find(self.name))

    def data_names(self) -> list[str]:
        """What a plain glob over `data/` finds."""
        return [name for name in self.names() if "/data/" in name and "/_retired/" not in name]


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """The URL of the server. It forgets everything with the test process."""
    server_module = pytest.importorskip("moto.server")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@pytest.fixture
def bucket(s3_endpoint: str) -> Iterator[Bucket]:
    """An empty bucket."""
    made = Bucket(f"lake-{uuid.uuid4().hex[:12]}", s3_endpoint)
    made.files.call_s3("create_bucket", Bucket=made.name)
    yield made
    made.files.rm(made.name, recursive=True)
