"""Opens a read view and closes it in every case."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from dltsync_core.catalog.queries import query
from dltsync_core.catalog.support import Server, explained
from dltsync_core.config import DatabaseConfig, ProcessingConfig
from dltsync_core.connect.data import DataSession
from dltsync_core.connect.pool import SessionPool, close_quietly
from dltsync_core.errors import CatalogError, ServerUnreachable, SyncError
from dltsync_core.extract.read_view import ReadView
from dltsync_core.tsql.session import BEGIN_SNAPSHOT, END_SNAPSHOT, view_facts

log = logging.getLogger("dltsync.extract")


@contextmanager
def open_view(
    sessions: SessionPool[DataSession], database: DatabaseConfig, processing: ProcessingConfig, *, ceiling: bool = False
) -> Iterator[ReadView]:
    """A read view on a session that nobody else uses meanwhile. With `ceiling` it reads the lowest rowversion of the open
    transactions, which a probe by a rowversion watermark needs.

    The session goes back to the pool when the view ended well and its transaction is over, with the isolation level and options
    that it had before; in every other case it is closed.
    """
    session, (state, *lowest) = sessions.take(partial(_view_facts, ceiling=ceiling))
    view = ReadView(session, processing, "read_committed")
    try:
        snapshot = state == 1
        if not snapshot and processing.require_snapshot:
            _refuse_weaker_view(database)
        if snapshot:
            session.execute(BEGIN_SNAPSHOT, "opening a read view")
        view = ReadView(session, processing, "snapshot" if snapshot else "read_committed", *lowest)
        yield view
    except BaseException:
        _close(view, session)
        raise
    try:
        # The rows are complete and nothing was written: a connection that breaks only now costs nothing. An error that
        # there is no transaction to end is different: then the rows were not from one snapshot.
        if snapshot:
            session.execute(END_SNAPSHOT, "closing a read view")
    except ServerUnreachable as error:
        log.info("the connection broke while its read view was closed: %s", error.problem)
    finally:
        if view.abandoned is None:
            sessions.give_back(session)
        else:
            _close(view, session)


def _view_facts(session: DataSession, *, ceiling: bool) -> tuple[Any, ...]:
    """Whether SNAPSHOT is allowed (1), and with `ceiling` the rowversion ceiling. Raises UnsupportedServer."""
    facts = view_facts(ceiling=ceiling)
    try:
        (row,) = session.fetch(facts.text, facts.parameters, "opening a read view")
    except SyncError as error:
        translated = explained(error, lambda: _server(session), "a consistent view of the rows")
        if translated is error:
            raise
        raise translated from error
    return tuple(row)


def _server(session: DataSession) -> Server:
    ((version, edition),) = session.fetch(query("server"), (), "reading the version of the server")
    return Server(str(version), int(edition))


def _refuse_weaker_view(database: DatabaseConfig) -> None:
    raise CatalogError(
        f"database {database.database} does not allow SNAPSHOT isolation, and require_snapshot is set",
        remedy="ALTER DATABASE … SET ALLOW_SNAPSHOT_ISOLATION ON, or require_snapshot: false",
    )


def _close(view: ReadView, session: DataSession) -> None:
    """Close without an error: the connection may be gone, and its failure was raised already. A reader that is still blocked in
    the driver closes the connection when the driver returns."""
    if view.abandoned is not None:
        session.abandon()
        view.abandoned.when_over(partial(close_quietly, session))
    else:
        close_quietly(session)
