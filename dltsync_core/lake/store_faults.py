"""What an object store's refusals mean: the drivers' errors become ours, without a word of the storage options in them."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from dltsync_core.errors import LakeError, LakeUnreachable, NotWritable, SyncError

HIDDEN = "***"

_MAY_BE_SHOWN = {"endpoint_url", "region_name", "account_name", "account_host", "project", "addressing_style"}
"""Options that name a place: an error without them helps nobody."""

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
)
_NO_LOGIN = (
    "NoCredentialsError",
    "PartialCredentialsError",
    "TokenRetrievalError",
    "ProfileNotFound",
    "ClientAuthenticationError",
    "DefaultCredentialsError",
    "CredentialRetrievalError",
)


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
    said = without_options(" ".join(str(error).split()) or type(error).__name__, options)
    names = {kind.__name__ for cause in _chain(error) for kind in type(cause).__mro__}
    if names & set(_NO_LOGIN):
        return NotWritable(
            f"no credentials for the object store while {doing} {url}: {said}",
            remedy="give them in state.storage_options, or to this machine (instance role, environment, profile)",
            url=url,
        )
    if isinstance(error, PermissionError):
        return NotWritable(
            f"the object store refused access while {doing} {url}: {said}",
            remedy="check the credentials, and that they may list, read, write and delete below this prefix",
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
    if isinstance(error, OSError) and error.errno in _PASSING:
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


def without_options(text: str, options: Mapping[str, Any]) -> str:
    """The text without any value of the storage options, except those that name a place."""
    for secret in sorted(secrets_in(options), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text


def secrets_in(options: Mapping[str, Any]) -> set[str]:
    """The values of storage options that must not be shown: all but those that name a place."""
    found: set[str] = set()
    for name, value in options.items():
        if isinstance(value, Mapping):
            found |= secrets_in(value)
        elif isinstance(value, str) and len(value) > 1 and name not in _MAY_BE_SHOWN:
            found.add(value)
    return found


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
