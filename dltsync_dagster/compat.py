"""The names we take from dagster-dlt, under whichever package they are installed, and Dagster's preview warnings.

`dagster-embedded-elt` is the retired name of `dagster-dlt`: its last release re-exports the same class objects. Where it is
installed we import through it, so that one who depends on the old name runs what we test.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

with warnings.catch_warnings():
    # The shim announces its own retirement on import; who installed it on purpose knows, and cannot act on it at run time.
    warnings.filterwarnings("ignore", message="The `dagster-embedded-elt` library", category=DeprecationWarning)
    try:
        from dagster_embedded_elt.dlt import DagsterDltTranslator, DltResourceTranslatorData
    except ImportError:
        from dagster_dlt import DagsterDltTranslator
        from dagster_dlt.translator import DltResourceTranslatorData

__all__ = ["DagsterDltTranslator", "DltResourceTranslatorData", "preview_accepted"]


@contextmanager
def preview_accepted() -> Iterator[None]:
    """Silence Dagster's beta notice for observable source assets: used on purpose, on versions that the tests pin."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        yield
