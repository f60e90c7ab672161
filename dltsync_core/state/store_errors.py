"""What can go wrong with the ledger's database, in our words and without secrets."""

from __future__ import annotations

import errno
import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from dltsync_core.connect.error_numbers import RetryKind
from dltsync_core.disk_full import disk_full, is_disk_full
from dltsync_core.errors import ConfigError, LedgerUnavailable, NotWritable, StateError
from dltsync_core.redaction import redacted, secrets_in_url
from dltsync_core.state.transient_errors import how_it_passes, sqlstate_of

_IS_UP = "check state.state_url and that the database is up"

_LOGIN = (
    "refused the login",
    "correct user and password in state.state_url, or what the server lets in (PostgreSQL: pg_hba.conf, the role's rights)",
)
_NO_DATABASE = ("has no such database", "create it (CREATE DATABASE …), or correct its name in state.state_url")
_NO_TABLE = (
    "lacks one of its tables",
    "put the database's backup back; or drop what is left of the tables dltsync_…: the next run learns from lake and warehouse",
)

LASTING: Mapping[str, tuple[str, str]] = {
    "28000": _LOGIN,
    "28P01": _LOGIN,
    "3D000": _NO_DATABASE,
    "57P04": _NO_DATABASE,
    "42P01": _NO_TABLE,
}
"""What PostgreSQL's SQLSTATEs that stay mean, and what to do about them."""

_SIGNS: Mapping[re.Pattern[str], tuple[str, str]] = {
    re.compile(
        r"password authentication failed|no password supplied|no pg_hba\.conf entry|role \".*\" does not exist"
        r"|is not permitted to log in|Login failed for user",
        re.IGNORECASE,
    ): _LOGIN,
    re.compile(r"database \".*\" does not exist|Cannot open database", re.IGNORECASE): _NO_DATABASE,
    re.compile(r"no such table: dltsync_|Invalid object name '.*dltsync_", re.IGNORECASE): _NO_TABLE,
}
"""The same in sentences: a login that is refused comes without an SQLSTATE."""


def parse_url(url: str) -> sa.URL:
    """The URL's parts. Raises ConfigError, which does not repeat the URL: it may hold a password."""
    try:
        parsed = sa.make_url(url)
        parsed.get_dialect()
    except (ArgumentError, NoSuchModuleError, ValueError, ImportError):
        raise ConfigError(
            "state.state_url is not a database URL that this installation can open",
            remedy="write it like postgresql+psycopg://user:password@host/database, and install the driver it names",
        ) from None  # the original message may repeat the URL
    if parsed.get_backend_name() == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise ConfigError(
            "state.state_url names an SQLite database in memory: nothing would be remembered",
            remedy="name a file, or leave state_url out",
        )
    return parsed


class Explainer:
    """Turns what SQLAlchemy and the drivers raise into our errors; `described` names the database without secrets,
    `backups` is where copies of an SQLite file lie."""

    def __init__(self, url: sa.URL, path: Path | None, *, backups: Path) -> None:
        self._path = path
        self._backups = backups
        self.described = str(path) if path else _described(url)
        self._secrets = secrets_in_url(url.render_as_string(hide_password=False))

    @contextmanager
    def __call__(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            # `from None`: driver messages may repeat the connection string.
            raise self._told(error.orig or error, how_it_passes(error)) from None
        except sqlite3.Error as error:
            raise self._told(error, how_it_passes(error)) from None
        except PoolTimeout as error:
            raise self._away(self._clean(str(error)), how_it_passes(error)) from None
        except OSError as error:
            raise self._about_files(error) from error
        except ImportError as error:
            raise StateError(
                f"the ledger {self.described} cannot be used: {error}",
                remedy="install the driver that state.state_url names",
            ) from None
        except SQLAlchemyError as error:
            raise self._unusable(self._clean(str(error))) from None

    def _told(self, error: BaseException, passes: RetryKind | None) -> Exception:
        text = self._clean(str(error)).strip()
        folded = text.casefold()
        if passes is not None:
            return self._away(text, passes)
        lasting = LASTING.get(sqlstate_of(error)) or next((s for sign, s in _SIGNS.items() if sign.search(text)), None)
        if lasting is not None:
            problem, remedy = lasting
            return StateError(f"the ledger {self.described} {problem}: {text}", remedy=remedy)
        if is_disk_full(error, sqlstate=sqlstate_of(error)):
            return disk_full(
                f"for the ledger {self.described}",
                text,
                outcome="where there is room, look at the limit of a file's size and at the disk",
                path=self.described,
            )
        if "readonly" in folded or "unable to open" in folded:
            return NotWritable(
                f"the ledger {self.described} cannot be opened for writing: {text}",
                remedy="give this user write access to the file and its directory",
                path=self.described,
            )
        if "permission denied" in folded or "read-only transaction" in folded:
            return NotWritable(
                f"the ledger {self.described} refused a right: {text}",
                remedy="give this login the right to create tables and change their rows; a read-only replica will not do",
                path=self.described,
            )
        if self._path is not None and ("malformed" in folded or "not a database" in folded):
            return StateError(
                f"the ledger {self.described} is damaged: {text}",
                remedy=f"put the newest copy from {self._backups} in its place, or move the file away: the next run then learns "
                "from lake and warehouse what is loaded, and reads only what they cannot tell",
                path=self.described,
            )
        return self._unusable(text)

    def _unusable(self, text: str) -> StateError:
        remedy = _IS_UP if self._path is None else f"look at the file and its disk; copies of it lie in {self._backups}"
        return StateError(f"the ledger {self.described} cannot be used: {text}", remedy=remedy)

    def _away(self, text: str, passes: RetryKind | None) -> LedgerUnavailable:
        folded = text.casefold()
        if "idle-in-transaction" in folded:
            return LedgerUnavailable(
                f"the ledger {self.described} ended a transaction in which this process stood still",
                remedy="nothing of it was written; run again",
                recourse=passes,
            )
        if "locked" in folded or "lock timeout" in folded or "lock request time out" in folded:
            return LedgerUnavailable(
                f"the ledger {self.described} stayed locked by another process", remedy="try again", recourse=passes
            )
        return LedgerUnavailable(
            f"the ledger {self.described} cannot be used for now: {text}",
            remedy="try again"
            if self._path is not None
            else f"{_IS_UP}, and run again: what was written is not done twice",
            recourse=passes,
        )

    def _about_files(self, error: OSError) -> Exception:
        place = str(error.filename or self.described)
        if is_disk_full(error):
            return disk_full(f"at {place}", path=place)
        if error.errno in (errno.ENOTDIR, errno.EEXIST, errno.EISDIR):
            return NotWritable(
                f"{place} cannot be made: {error.strerror}",
                remedy="a file stands where a directory is needed, or a directory where a file is: move it away, or choose "
                "another state.state_directory",
                path=place,
            )
        return NotWritable(
            f"{place} cannot be written: {error.strerror or error}",
            remedy="choose another state.state_directory, or give this user write access to it",
            path=place,
        )

    def _clean(self, text: str) -> str:
        return redacted(text, self._secrets)


def _described(url: sa.URL) -> str:
    """Dialect, host and database: enough to find it, nothing to log in with."""
    port = f":{url.port}" if url.port else ""
    return f"{url.get_backend_name()}://{url.host or ''}{port}/{url.database or ''}"
