"""The log is put back as it was: some of these tests configure it as the command line does."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from dltsync_core.logging import LOGGER_NAME


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    yield
    logger = logging.getLogger(LOGGER_NAME)
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    logger.propagate = True
    logger.setLevel(logging.NOTSET)
