"""The engine behind the wire: logins and sessions over one data directory."""

from __future__ import annotations

import hmac
import itertools
import threading
from collections.abc import Mapping
from pathlib import Path

from sqlserver_sandbox.access_tokens import login_of
from sqlserver_sandbox.engine.execution.bindings import Bindings
from sqlserver_sandbox.engine.execution.session_state import Login, SessionState
from sqlserver_sandbox.engine.session import DuckDbSession
from sqlserver_sandbox.engine.store.store import MASTER, Store, hashed_password
from sqlserver_sandbox.engine.store.transaction import TransactionState
from sqlserver_sandbox.engine.testing.canned import CannedAnswers
from sqlserver_sandbox.model import SqlError
from sqlserver_sandbox.tsql.access import Access
from sqlserver_sandbox.tsql.catalogue import Database, SqlLogin

FIRST_SPID = 51
"""Lower numbers belong to the system on SQL Server."""


class DuckDbEngine:
    """A stand-in server over `data`. `users` maps the names of logins that own every database to passwords; CREATE
    LOGIN makes others.
    `threads` is how many cores its statements may use; None means all of them.

    Raises OSError when the directory cannot be used.
    """

    version = (16, 0, 4135)
    """SQL Server 2022; features newer than that are refused."""

    def __init__(
        self, data: Path, users: Mapping[str, str], *, allows_canned: bool = False, threads: int | None = None
    ) -> None:
        self.server_name = "SANDBOX"
        self._users = {name.lower(): password for name, password in users.items()}
        self._store = Store(data, threads=threads)
        self._canned = CannedAnswers(allowed=allows_canned)
        self._bindings = Bindings()
        self._spids = itertools.count(FIRST_SPID)
        self._sessions: set[DuckDbSession] = set()
        self._mutex = threading.Lock()

    def __repr__(self) -> str:
        return f"DuckDbEngine({str(self._store.data)!r})"

    def login(
        self, *, user: str, password: str, database: str, application: str, host: str, token: str | None = None
    ) -> DuckDbSession:
        """A new session. A token (access_tokens) stands for user and password. Raises SqlError 18456 (login failed) or 4060
        (cannot open database)."""
        access = self._access(user, password) if token is None else self._access_by_token(token, database)
        user = access.login
        found = self._store.find(database or MASTER)
        if found is None or not (access.is_sysadmin or access.user_name(self._catalogue(found))):
            raise SqlError(
                4060, f'Cannot open database "{database}" requested by the login. The login failed.', class_=11
            )
        spid = next(self._spids)
        connection = self._store.root.cursor()
        state = SessionState(
            Login(spid, user, application, host, self.server_name, self.version, access),
            self._store,
            self._canned,
            connection,
            TransactionState(self._store, connection, spid),
            found,
            others=self._states,
            bindings=self._bindings,
        )
        session = DuckDbSession(state, on_close=self._forget)
        with self._mutex:
            self._sessions.add(session)
        return session

    def _access(self, user: str, password: str) -> Access:
        """The owners are those the process was started with; the others are in master. Raises 18456."""
        expected, given = self._users.get(user.lower()), password
        is_owner = expected is not None
        if expected is None and (made := self._made_login(user)) is not None and made.password:
            expected, given = made.password, hashed_password(user, password)
        if expected is None or not hmac.compare_digest(expected.encode(), given.encode()):
            state = 5 if expected is None else 8
            raise SqlError(18456, f"Login failed for user '{user}'.", class_=14, state=state)
        return Access(user, is_sysadmin=is_owner)

    def _access_by_token(self, token: str, database: str) -> Access:
        """Of an owner, or of a login or a user of that database made FROM EXTERNAL PROVIDER. Raises 18456."""
        key = next(iter(self._users.values()), "")
        user = login_of(key, token)
        access = Access(user, is_sysadmin=user.lower() in self._users)
        if not access.is_sysadmin:
            made, found = self._made_login(user), self._store.find(database or MASTER)
            is_user = found is not None and access.user_name(self._catalogue(found)) not in (None, "guest")
            if (made is None and not is_user) or (made is not None and made.password):
                raise SqlError(18456, f"Login failed for user '{user}'.", class_=14, state=5)
        return access

    def _made_login(self, user: str) -> SqlLogin | None:
        master = self._store.find(MASTER)
        logins = () if master is None else self._catalogue(master).logins
        return next((x for x in logins if x.name.lower() == user.lower()), None)

    def _catalogue(self, database_id: int) -> Database:
        """As it is committed now."""
        return self._store.catalogue(database_id)

    def _forget(self, session: DuckDbSession) -> None:
        with self._mutex:
            self._sessions.discard(session)

    def _open_sessions(self) -> tuple[DuckDbSession, ...]:
        with self._mutex:
            return tuple(self._sessions)

    def _states(self) -> tuple[SessionState, ...]:
        return tuple(session.state for session in self._open_sessions())

    def close(self) -> None:
        """Close every session, then the files."""
        for session in self._open_sessions():
            session.close()
        self._store.close()
