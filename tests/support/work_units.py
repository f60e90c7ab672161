"""How pytest-xdist divides the tests among its processes (`--dist loadgroup`).

Tests are handed out one by one, each to the process that is free. Tests over a fixture of their module stay together: else each
process would make that fixture, and a shop that was loaded once for ten tests would be loaded twice. So do tests over S3: its
server, its driver and what the driver reads about S3 take seconds in each process.
"""

from __future__ import annotations

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("xdist_group") is None and isinstance(item, pytest.Function):
            if _has_module_fixture(item):
                item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))
            elif {"bucket", "s3_bucket", "s3_endpoint"} & {*item.fixturenames, *_parameters(item)}:
                item.add_marker(pytest.mark.xdist_group("s3"))


def _has_module_fixture(item: pytest.Function) -> bool:
    fixtures = item._fixtureinfo.name2fixturedefs
    return any(found[-1].scope == "module" for name, found in fixtures.items() if name in item.fixturenames)


def _parameters(item: pytest.Function) -> list[str]:
    """Those that may name a fixture."""
    values = item.callspec.params.values() if hasattr(item, "callspec") else ()
    return [value for value in values if isinstance(value, str)]
