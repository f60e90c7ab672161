"""After a lost connection: rows that were read before it are kept only when a new snapshot proves that they still hold.

A new connection sees another moment. Rows of two moments must never stand in one load, so the new snapshot is asked for the
digest of exactly the rows that lie staged: as many in key order, their content hashed. Equal digests mean that these rows
are what the new snapshot holds up to that key; then only the rest is read, and the whole load is of the new moment.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import pyarrow as pa

from dltsync_core.catalog.facts import TableFacts
from dltsync_core.connect.retry import retry_kind_of
from dltsync_core.digest.segment import digest_batches
from dltsync_core.display import number_of
from dltsync_core.errors import FidelityError
from dltsync_core.extract.unit import Extracted, UnitFilter
from dltsync_core.lake.load import ResumableFiles
from dltsync_core.lake.writer import StagedLoad
from dltsync_core.plan.steps import Action, Step
from dltsync_core.run.context import RunContext, log
from dltsync_core.run.planning.resolved import ResolvedTable
from dltsync_core.run.ports import View
from dltsync_core.tsql.slices import KeyText
from dltsync_core.typemap import TableMapping


@runtime_checkable
class ResumableView(Protocol):
    """A view that can say whether rows read earlier still hold, and read the rest. See `extract.read_view.ReadView`."""

    @property
    def consistency(self) -> str: ...

    @property
    def may_be_continued(self) -> bool:
        """Whether the rows of the last extraction came in key order from one snapshot."""

    def reached(
        self, facts: TableFacts, mapping: TableMapping, unit: UnitFilter, rows: int, digest: str
    ) -> KeyText | None: ...

    def extract_rest(
        self,
        facts: TableFacts,
        mapping: TableMapping,
        unit: UnitFilter,
        write: Callable[[pa.RecordBatch], None],
        *,
        after: KeyText,
        staged_rows: int,
    ) -> Extracted: ...


class ResumableRows:
    """What the attempts of one unit hand on to each other. One thread."""

    def __init__(self) -> None:
        self._aside: ResumableFiles | None = None

    def keep(self, view: View, step: Step, load: StagedLoad, error: BaseException) -> None:
        """Set the staged rows aside when `error` may pass and a later snapshot could prove them."""
        if (
            load.rows
            and step.action is Action.LOAD
            and retry_kind_of(error) is not None
            and isinstance(view, ResumableView)
            and view.may_be_continued
        ):
            self._aside = load.resumable_files()

    def bring_back(
        self, context: RunContext, resolved: ResolvedTable, view: View, unit: UnitFilter, load: StagedLoad
    ) -> KeyText | None:
        """Write the kept rows into `load` if this view proves them. The key of the last of them; None when all rows must be
        read, because there are none or they changed."""
        aside, self._aside = self._aside, None
        if aside is None:
            return None
        try:
            after = _proven(resolved, view, unit, aside)
            if after is None:
                log.info("%s: rows changed since the connection broke: all are read again", resolved.name)
                return None
            for batch in aside.batches():
                context.raise_if_stopped()
                load.write(batch)
            before = "read before the connection broke still"
            found = number_of(aside.rows, f"row {before} holds", f"rows {before} hold")
            log.info("%s: %s", resolved.name, found)
            return after
        finally:
            aside.discard()

    def discard(self) -> None:
        """Nobody will ask for them any more."""
        aside, self._aside = self._aside, None
        if aside is not None:
            aside.discard()


def _proven(resolved: ResolvedTable, view: View, unit: UnitFilter, aside: ResumableFiles) -> KeyText | None:
    if not isinstance(view, ResumableView) or view.consistency != "snapshot":
        return None
    try:
        digest = digest_batches(aside.batches(), resolved.mapping.columns)
    except FidelityError:  # a column whose representation has no digest
        return None
    return view.reached(resolved.facts, resolved.mapping, unit, digest.rows, digest.text)
