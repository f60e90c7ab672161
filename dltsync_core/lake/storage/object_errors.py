"""What an object store's refusals mean: the drivers' errors become ours, without a word of the storage options in them."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from dltsync_core.errors import LakeError, LakeUnreachable, NotWritable, SyncError
from dltsync_core.redaction import redacted, secrets_in_options

_PASSING = {errno.EBUSY, errno.EIO, getattr(errno, "EREMOTEIO", errno.EIO), errno.ETIMEDOUT, errno.ECONNRESET}
"""How the drivers hand on 500, 503 and SlowDown."""

_UNREACHABLE = (
    "ConnectionError",
    "EndpointConnectionError",
    "ConnectTimeoutError",
    "ConnectionClosedError",
    "ReadTimeoutError",
    "HTTPClientError",
    "FSTimeoutError",
    "ClientConnectorError",
    "ClientPayloadError",
    "ServerDisconnectedError",
    "ServiceRequestError",
    "ServiceResponseError",
    "TransportError",
)
_NO_LOGIN = (
    "NoCredentialsError",
    "PartialCredentialsError",
    "TokenRetrievalError",
    "ProfileNotFound",
    "ClientAuthenticationError",
    "DefaultCredentialsError",
    "CredentialRetrievalError",
    "RefreshError",
)
_REFUSED = (401, 403)
_BUSY = (408, 429, 500, 502, 503, 504)


@contextmanager
def explained_store(url: str, doing: str, options: Mapping[str, Any]) -> Iterator[None]:
    """Run a block that talks to the store; whatever its driver raises leaves as an error of ours that names `url`."""
    try:
        yield
    except SyncError:
        raise
    except Exception as error:  # noqa: BLE001 -- drivers raise what they like, and their HTTP libraries as well
        # `from None`: the driver's own error, and those beneath it, may quote a request with its credentials.
        raise explain_store(error, url, doing, options) from None


def explain_store(error: Exception, url: str, doing: str, options: Mapping[str, Any]) -> SyncError:
    """Our error for the driver's. `doing` completes the sentence "… while <doing> <url>"."""
    said = redacted(" ".join(str(error).split()) or type(error).__name__, secrets_in_options(options))
    names = {kind.__name__ for cause in _chain(error) for kind in type(cause).__mro__}
    status = next((code for cause in _chain(error) if (code := _status(cause)) is not None), None)
    if isinstance(error, PermissionError) or status in _REFUSED:
        return NotWritable(
            f"the object store refused access while {doing} {url}: {said}",
            remedy="check the credentials, and that they may list, read, write and delete below this prefix",
            url=url,
        )
    if names & set(_NO_LOGIN):
        return NotWritable(
            f"no credentials for the object store while {doing} {url}: {said}",
            remedy="give them in state.storage_options, or to this machine (instance role, environment, profile)",
            url=url,
        )
    if names & set(_UNREACHABLE) or isinstance(error, (ConnectionError, TimeoutError, socket.gaierror)):
        return LakeUnreachable(
            f"the object store did not answer while {doing} {url}: {said}",
            remedy="check network and endpoint (state.storage_options), then run again; nothing was made visible",
            url=url,
        )
    if isinstance(error, FileNotFoundError):
        return LakeError(
            f"the object store has no such bucket or object while {doing} {url}: {said}",
            remedy="create the bucket, or correct state.parquet_directory; dltsync creates prefixes, never buckets",
            url=url,
        )
    if status in _BUSY or (isinstance(error, OSError) and error.errno in _PASSING):
        return LakeUnreachable(
            f"the object store refused for now while {doing} {url}: {said}",
            remedy="run again; nothing was made visible",
            url=url,
        )
    return LakeError(
        f"the object store failed while {doing} {url}: {type(error).__name__}: {said}",
        remedy="check state.parquet_directory and state.storage_options",
        url=url,
    )


def _status(error: BaseException) -> int | None:
    """The HTTP status a store answered with, where the driver hands it on."""
    if str(error).startswith("Forbidden: "):  # gcsfs
        return 403
    codes = (getattr(error, name, None) for name in ("status_code", "code", "status"))
    return next((code for code in codes if isinstance(code, int)), None)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
