"""How a lake in an object store is named and logged in to, and what is told when the login is refused."""

from __future__ import annotations

import asyncio
import http.server
import importlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dltsync_core.config import StateConfig
from dltsync_core.config.files import load_config
from dltsync_core.errors import LakeUnreachable, NotWritable, SyncError
from dltsync_core.identity import WHOLE_TABLE
from dltsync_core.lake.lake import Lake
from dltsync_core.lake.open_lake import open_lake
from dltsync_core.lake.storage import object_drivers as store_drivers
from dltsync_core.lake.storage.object_errors import explain_store
from dltsync_core.redaction import redacted, secrets_in_options
from tests.support.json_endpoint import Asked, json_endpoint
from tests.support.lake_loads import ORDERS, publish
from tests.support.object_stores import ACCOUNT, ACCOUNT_KEY, ON_AZURE, ON_GCS, TOKEN, Bucket


def lake_at(url: str, work: Path, options: dict[str, Any] | None) -> Lake:
    return open_lake(StateConfig(parquet_directory=url, storage_options=options, state_directory=work), "shop")


@pytest.mark.xdist_group("gcs")
def test_a_lake_in_google(gcs_bucket: Bucket, tmp_path: Path) -> None:
    """The one test of that store that `make test` runs."""
    assert_publishes(gcs_bucket, tmp_path)


def assert_publishes(bucket: Bucket, work: Path) -> None:
    lake = lake_at(bucket.url, work, bucket.options)
    publish(lake, "static", WHOLE_TABLE, [1, 2])
    manifest = publish(lake, "static", WHOLE_TABLE, [1, 2, 3])
    assert lake.current(ORDERS) == {WHOLE_TABLE: (manifest,)}
    assert lake.verify(manifest, checksums=True) == []
    assert len(bucket.data_names()) == 1


def names_of_azure(name: str) -> tuple[str, ...]:
    return (
        f"az://{name}/lakes",
        f"abfs://{name}/lakes",
        f"abfss://{name}@{ACCOUNT}.dfs.core.windows.net/lakes",
        f"abfss://{name}@{ACCOUNT}.blob.core.windows.net/lakes",
    )


def names_of_google(name: str) -> tuple[str, ...]:
    return f"gs://{name}/lakes", f"gcs://{name}/lakes"


@pytest.mark.parametrize(
    ("store", "names"),
    [
        pytest.param("azure_bucket", names_of_azure, marks=ON_AZURE),
        pytest.param("gcs_bucket", names_of_google, marks=ON_GCS),
    ],
)
def test_every_way_to_write_the_place_leads_to_the_same_lake(
    store: str, names: Callable[[str], tuple[str, ...]], request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    bucket: Bucket = request.getfixturevalue(store)
    manifest = publish(lake_at(bucket.url, tmp_path / "first", bucket.options), "static", WHOLE_TABLE, [1])
    for number, url in enumerate(names(bucket.name)):
        lake = lake_at(url, tmp_path / str(number), bucket.options)
        assert lake.current(ORDERS) == {WHOLE_TABLE: (manifest,)}
        assert lake.verify(manifest, checksums=True) == []


@pytest.mark.slow
@pytest.mark.xdist_group("azure")
def test_azure_is_logged_in_to_by_a_config_file_or_by_the_environment(
    azure_bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "dltsync.yaml"
    file.write_text(
        "database: {server: db1, database: shop, username: u, password: p}\n"
        "static_tables: [{schema_name: dbo, table_name: Countries}]\n"
        f"state: {{parquet_directory: 'az://{azure_bucket.name}/lakes', state_directory: state,\n"
        "  storage_options: {connection_string: '${LAKE_LOGIN}'}}\n"
    )
    config = load_config(file, {"LAKE_LOGIN": azure_bucket.options["connection_string"]})
    manifest = publish(open_lake(config.state, "shop"), "static", WHOLE_TABLE, [1])
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azure_bucket.options["connection_string"])
    assert lake_at(azure_bucket.url, tmp_path / "other", None).current(ORDERS) == {WHOLE_TABLE: (manifest,)}


@pytest.mark.slow
@pytest.mark.xdist_group("azure")
@pytest.mark.survives(
    "lake",
    "a wrong account key for a lake in Azure",
    "access was refused, and which rights are needed; no key appears",
    "nothing was written",
)
def test_a_wrong_account_key_is_told_as_a_refusal_without_the_key(azure_bucket: Bucket, tmp_path: Path) -> None:
    wrong = "bm90IHRoZSByaWdodCBrZXk="
    options = {"connection_string": azure_bucket.options["connection_string"].replace(ACCOUNT_KEY, wrong)}
    with pytest.raises(NotWritable, match="refused access") as caught:
        lake_at(azure_bucket.url, tmp_path, options).current(ORDERS)
    assert wrong not in f"{caught.value!s} {caught.value.__cause__!r}"
    assert "list, read, write and delete" in caught.value.remedy
    assert azure_bucket.names() == []


@contextmanager
def answering(status: int) -> Iterator[str]:
    """A server that answers every request so, in Google's form."""

    class Refusing(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            text = json.dumps({"error": {"code": status, "message": f"refused: {self.headers['Authorization']}"}})
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.slow
@pytest.mark.parametrize(("status", "kind"), [(401, NotWritable), (403, NotWritable), (503, LakeUnreachable)])
def test_what_google_refuses_is_told_without_the_token(
    status: int, kind: type[SyncError], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """fake-gcs-server lets everybody in, so another server answers here."""
    pytest.importorskip("gcsfs")
    sleep = asyncio.sleep  # the driver tries again for a minute
    monkeypatch.setattr(asyncio, "sleep", lambda seconds, result=None: sleep(min(seconds, 0.01), result))
    with answering(status) as endpoint:
        lake = lake_at("gs://bucket/x", tmp_path, {"token": TOKEN, "project": "p", "endpoint_url": endpoint})
        with pytest.raises(kind) as caught:
            lake.current(ORDERS)
    assert "refused: Bearer ***" in str(caught.value) or status == 503
    assert TOKEN not in f"{caught.value!s} {caught.value.__cause__!r}"


@contextmanager
def handing_out(token: str, seen: list[str]) -> Iterator[str]:
    """Google's place for tokens and its store in one: notes who asks the store."""

    def answer(asked: Asked) -> dict[str, Any]:
        if asked.method == "POST":
            return {"access_token": token, "expires_in": 3600, "token_type": "Bearer"}
        seen.append(str(asked.headers["Authorization"]))
        return {"name": "bucket", "items": []}

    with json_endpoint(answer) as endpoint:
        yield endpoint


@pytest.mark.slow
@pytest.mark.parametrize("given", ["content", "file", "environment"])
def test_google_is_logged_in_to_as_a_service_account(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("gcsfs")
    rsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.rsa")
    forms = importlib.import_module("cryptography.hazmat.primitives.serialization")
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.NoEncryption()
    )
    seen: list[str] = []
    with handing_out("handed-out", seen) as endpoint:
        account = {
            "type": "service_account",
            "project_id": "p",
            "private_key_id": "1",
            "private_key": private.decode(),
            "client_email": "lake@p.example.com",
            "client_id": "1",
            "token_uri": f"{endpoint}/token",
        }
        file = tmp_path / "account.json"
        file.write_text(json.dumps(account))
        login: dict[str, Any] = {}
        if given == "environment":
            monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
        else:
            login["token"] = account if given == "content" else str(file)
        lake = lake_at("gs://bucket/x", tmp_path / "state", {**login, "project": "p", "endpoint_url": endpoint})
        assert lake.current(ORDERS) == {}
    assert set(seen) == {"Bearer handed-out"}


@pytest.mark.parametrize(
    "quoted",
    [
        ACCOUNT_KEY,
        "p%2Fq%2B1%3D",
        "p/q+1=",
        f"DefaultEndpointsProtocol=https;AccountName={ACCOUNT};AccountKey={ACCOUNT_KEY}",
    ],
)
def test_what_an_error_quotes_from_within_a_login_is_hidden_too(quoted: str) -> None:
    options = {
        "connection_string": f"DefaultEndpointsProtocol=https;AccountName={ACCOUNT};AccountKey={ACCOUNT_KEY}",
        "sas_token": "?sv=2024-11-04&sp=rwdl&sig=p%2Fq%2B1%3D",
        "token": "cloud",
    }
    shown = redacted(f"said {quoted} to {ACCOUNT} in the cloud", secrets_in_options(options))
    assert shown == f"said *** to {ACCOUNT} in the cloud"


class Refused(Exception):
    status_code = 403


def test_a_refusal_is_no_missing_login() -> None:
    """Azure calls both ClientAuthenticationError."""
    no_login, refused = type("ClientAuthenticationError", (Exception,), {}), Refused("no")
    assert "no credentials" in explain_store(no_login("none found"), "az://b", "listing", {}).problem
    assert "refused access" in explain_store(refused, "az://b", "listing", {}).problem


class Copying:
    """Azure's driver, whose copies take their time: one status for each time it is asked."""

    def __init__(self, *statuses: str) -> None:
        self.asked = list(statuses)
        self.loop = importlib.import_module("fsspec.asyn").get_loop()
        self.service_client = self

    def get_blob_client(self, bucket: str, key: str) -> Copying:
        assert (bucket, key) == ("box", "a/b")
        return self

    async def __aenter__(self) -> Copying:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def get_blob_properties(self) -> Any:
        return SimpleNamespace(copy=SimpleNamespace(status=self.asked.pop(0)))


def test_a_copy_in_azure_is_waited_for_before_its_source_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_drivers, "_COPY_POLL_SECONDS", 0.001)
    files = Copying("pending", "pending", "success")
    store_drivers.DRIVERS["azure"].copied(files, "box/a/b")
    assert files.asked == []
    with pytest.raises(LakeUnreachable, match="did not finish copying"):
        store_drivers.DRIVERS["azure"].copied(Copying("pending", "aborted"), "box/a/b")
