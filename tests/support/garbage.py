"""Garbage collection costs the tests less.

A process that has collected the tests holds half a million objects that live until its end, and each full garbage collection would
look at every one of them. While tests are collected there is none, and what they left is not looked at later.
"""

from __future__ import annotations

import gc
from collections.abc import Generator

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()
