"""How pytest-xdist divides the tests among its processes (`--dist loadgroup`).

Tests are handed out one by one, each to the process that is free. Tests over a fixture of their module stay together: else each
process would make that fixture, and a shop that was loaded once for ten tests would be loaded twice.
"""

from __future__ import annotations

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("xdist_group") is None and _has_module_fixture(item):
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))


def _has_module_fixture(item: pytest.Item) -> bool:
    if not isinstance(item, pytest.Function):
        return False
    fixtures = item._fixtureinfo.name2fixturedefs
    return any(found[-1].scope == "module" for name, found in fixtures.items() if name in item.fixturenames)
