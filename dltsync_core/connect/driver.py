"""Finds Microsoft's ODBC driver, and says what to install when a library is missing."""

from __future__ import annotations

import ctypes
import importlib
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from dltsync_core.errors import DriverMissing

DEBIAN_PACKAGES = "unixodbc libltdl7 libgssapi-krb5-2"
"""Libraries that pyodbc (unixodbc), and Microsoft's driver and mssql-python (libltdl7, libgssapi-krb5-2) link."""

_REMEDY_DEBIAN = f"apt-get update && apt-get install -y {DEBIAN_PACKAGES}"
_REMEDY_RPM = "dnf install -y unixODBC libtool-ltdl krb5-libs"
_REMEDY_ALPINE = "apk add unixodbc libltdl krb5-libs"
_REMEDY_MAC = "brew install unixodbc openssl@3 krb5"
_FAMILIES = {
    "debian": "debian_ubuntu",
    "ubuntu": "debian_ubuntu",
    "rhel": "rhel",
    "fedora": "rhel",
    "centos": "rhel",
    "suse": "suse",
    "alpine": "alpine",
}


def load_pyodbc() -> ModuleType:
    """The module pyodbc. Raises DriverMissing naming the system package when it cannot be loaded."""
    return _load("pyodbc")


def load_mssql_python() -> ModuleType:
    """The module mssql_python. Raises DriverMissing naming the system package when it cannot be loaded."""
    return _load("mssql_python")


def find_driver(configured: str | None) -> str:
    """Path or registered name of the ODBC driver for pyodbc.

    In this order: what the config names; the driver in the package mssql-python-odbc; a driver 18, else 17, that is
    registered with the driver manager. Raises DriverMissing.
    """
    if configured is not None:
        if "/" in configured and not Path(configured).is_file():
            raise DriverMissing(
                f"there is no ODBC driver {configured}", remedy="correct database.driver, or leave it out"
            )
        return configured
    packaged = packaged_driver()
    if packaged is not None:
        return str(packaged)
    registered = [name for name in load_pyodbc().drivers() if "SQL Server" in name and name.startswith("ODBC Driver")]
    if registered:
        return str(max(registered))
    raise DriverMissing(
        "no Microsoft ODBC driver for SQL Server was found",
        remedy="pip install mssql-python-odbc, or install msodbcsql18 and register it",
    )


def packaged_driver(libraries: Path | None = None) -> Path | None:
    """The driver file in the wheel of mssql-python-odbc that suits this machine; None when there is none."""
    if libraries is None:
        try:
            package = importlib.import_module("mssql_python_odbc")
        except ImportError:
            return None
        libraries = Path(str(package.__file__)).parent / "libs"
    if sys.platform == "win32":
        return None  # Windows' driver manager accepts registered names only
    if sys.platform == "darwin":
        return next(iter(sorted(libraries.glob("macos/*/lib/libmsodbcsql*.dylib"))), None)
    machine = {"aarch64": "arm64", "amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
    for family in dict.fromkeys([_linux_family(), "debian_ubuntu", "rhel", "suse", "alpine"]):
        found = sorted(libraries.glob(f"linux/{family}/{machine}/lib/libmsodbcsql-18*.so*"))
        if found:
            return found[-1]
    return None


def explain_unloadable(driver: str, load: Callable[[str], Any] = ctypes.CDLL) -> DriverMissing:
    """Why the driver manager could not open a driver file: the loader names the library that is missing."""
    reason = "the driver manager cannot open it"
    if "/" in driver:
        try:
            load(driver)
        except OSError as error:
            reason = str(error)
    return DriverMissing(f"the ODBC driver {driver} cannot be loaded: {reason}", remedy=f"as root: {install_command()}")


def install_command() -> str:
    """The command that installs the system libraries on this kind of machine."""
    if sys.platform == "darwin":
        return _REMEDY_MAC
    return {"rhel": _REMEDY_RPM, "suse": _REMEDY_RPM, "alpine": _REMEDY_ALPINE}.get(_linux_family(), _REMEDY_DEBIAN)


def _load(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except (ImportError, OSError) as error:
        raise DriverMissing(f"{name} cannot be loaded: {error}", remedy=f"as root: {install_command()}") from error


def _linux_family() -> str:
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return "debian_ubuntu"
    for word in [release.get("ID", ""), *release.get("ID_LIKE", "").split()]:
        if word in _FAMILIES:
            return _FAMILIES[word]
    return "debian_ubuntu"
