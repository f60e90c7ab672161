"""The package's door: every promised name is behind it, and opening it costs nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

import dltsync_core


def _in_a_fresh_python(code: str, **environment: str) -> str:
    clean = {name: value for name, value in os.environ.items() if "TELEMETRY" not in name}
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env={**clean, **environment}
    )
    return done.stdout.strip()


@pytest.mark.parametrize("name", dltsync_core.__all__)
def test_every_promised_name_is_there(name: str) -> None:
    assert getattr(dltsync_core, name).__name__ == name
    assert name in dir(dltsync_core)


def test_a_name_that_was_not_promised_is_not() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = dltsync_core.nothing


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import sys, json, dltsync_core; print(json.dumps(sorted(sys.modules)))"
    loaded = set(json.loads(_in_a_fresh_python(code)))
    assert not loaded & {"dlt", "pyarrow", "pydantic", "duckdb", "pyodbc", "mssql_python", "sqlalchemy"}


def test_a_config_needs_no_driver() -> None:
    """Dagster loads definitions on machines that never talk to the server."""
    code = "import sys; from dltsync_core import PipelineConfig; print({'pyodbc', 'mssql_python', 'dlt'} & set(sys.modules))"
    assert _in_a_fresh_python(code) == "set()"


def test_dlt_sends_no_telemetry_unless_somebody_asks_for_it() -> None:
    code = "import os, dltsync_core; print(os.environ['RUNTIME__DLTHUB_TELEMETRY'])"
    assert _in_a_fresh_python(code) == "false"
    assert _in_a_fresh_python(code, RUNTIME__DLTHUB_TELEMETRY="true") == "true"
