"""Opening a read view and closing it, whatever happens in between."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from dltsync_core.catalog.queries import query
from dltsync_core.catalog.support import Server, explained
from dltsync_core.config import DatabaseConfig, ProcessingConfig
from dltsync_core.connect.data import DataSession, open_data_session
from dltsync_core.errors import CatalogError, ServerUnreachable, SyncError
from dltsync_core.extract.read_view import ReadView
from dltsync_core.tsql.session import BEGIN_SNAPSHOT, END_SNAPSHOT, view_facts

log = logging.getLogger("dltsync.extract")


@contextmanager
def open_view(database: DatabaseConfig, processing: ProcessingConfig, *, ceiling: bool = False) -> Iterator[ReadView]:
    """A read view on a connection of its own, which is closed at the end whatever happens. With `ceiling` it knows the lowest
    rowversion of the transactions that are open, without which no table can be probed by a rowversion watermark."""
    session = open_data_session(database)
    view = ReadView(session, processing, "read_committed")
    try:
        state, *lowest = _view_facts(session, ceiling=ceiling)
        snapshot = state == 1
        if not snapshot and processing.require_snapshot:
            _refuse_weaker_view(database)
        if snapshot:
            session.execute(BEGIN_SNAPSHOT, "opening a read view")
        view = ReadView(session, processing, "snapshot" if snapshot else "read_committed", *lowest)
        yield view
    except BaseException:
        _close_quietly(view, session)
        raise
    try:
        # What was read is complete and nothing was written: a connection that breaks only now costs nothing. An answer that
        # there is no transaction to end is another matter: then the rows were not of one moment.
        if snapshot:
            session.execute(END_SNAPSHOT, "closing a read view")
    except ServerUnreachable as error:
        log.info("the connection broke while its read view was closed: %s", error.problem)
    finally:
        _close_quietly(view, session)


def _view_facts(session: DataSession, *, ceiling: bool) -> tuple[Any, ...]:
    """Whether SNAPSHOT is allowed (1), and with `ceiling` that of rowversions. Raises UnsupportedServer."""
    facts = view_facts(ceiling=ceiling)
    try:
        (row,) = session.fetch(facts.text, facts.parameters, "opening a read view")
    except SyncError as error:
        told = explained(error, lambda: _server(session), "a consistent view of the rows")
        if told is error:
            raise
        raise told from error
    return tuple(row)


def _server(session: DataSession) -> Server:
    ((version, edition),) = session.fetch(query("server"), (), "asking what the server is")
    return Server(str(version), int(edition))


def _refuse_weaker_view(database: DatabaseConfig) -> None:
    raise CatalogError(
        f"database {database.database} does not allow SNAPSHOT isolation, and require_snapshot is set",
        remedy="ALTER DATABASE … SET ALLOW_SNAPSHOT_ISOLATION ON, or require_snapshot: false",
    )


def _close_quietly(view: ReadView, session: DataSession) -> None:
    """The connection may be gone; whatever there was to tell has been told. A reader that is still caught in the
    driver closes the connection when it returns."""

    def close() -> None:
        with suppress(SyncError):
            session.close()

    if view.abandoned is not None:
        session.abandon()
        view.abandoned.when_over(close)
    else:
        close()
