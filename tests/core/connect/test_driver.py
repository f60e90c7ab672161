"""Finding the driver, and naming what is missing."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from dltsync_core.connect import driver
from dltsync_core.errors import DriverMissing


def test_the_driver_of_the_wheel_is_found() -> None:
    found = Path(driver.find_driver(None))
    assert found.is_file()
    assert "msodbcsql" in found.name


def test_what_the_config_names_wins() -> None:
    assert driver.find_driver("ODBC Driver 17 for SQL Server") == "ODBC Driver 17 for SQL Server"
    with pytest.raises(DriverMissing, match=r"there is no ODBC driver /nowhere/driver\.so"):
        driver.find_driver("/nowhere/driver.so")


def test_the_machine_s_own_family_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for family in ("alpine", "debian_ubuntu", "rhel"):
        place = tmp_path / "linux" / family / "arm64" / "lib"
        place.mkdir(parents=True)
        (place / "libmsodbcsql-18.6.so.2.1").touch()
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    monkeypatch.setattr("platform.freedesktop_os_release", lambda: {"ID": "rocky", "ID_LIKE": "rhel centos fedora"})
    found = driver.packaged_driver(tmp_path)
    assert found is not None
    assert "rhel" in found.parts
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    assert driver.packaged_driver(tmp_path) is None


@pytest.mark.parametrize(
    ("release", "command"),
    [
        ({"ID": "debian"}, "apt-get update && apt-get install -y unixodbc libltdl7 libgssapi-krb5-2"),
        (
            {"ID": "linuxmint", "ID_LIKE": "ubuntu debian"},
            "apt-get update && apt-get install -y unixodbc libltdl7 libgssapi-krb5-2",
        ),
        ({"ID": "fedora"}, "dnf install -y unixODBC libtool-ltdl krb5-libs"),
        ({"ID": "alpine"}, "apk add unixodbc libltdl krb5-libs"),
    ],
)
def test_the_command_suits_the_machine(release: dict[str, str], command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("platform.freedesktop_os_release", lambda: release)
    assert driver.install_command() == command


def test_a_missing_system_library_is_told_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError("libodbc.so.2: cannot open shared object file: No such file or directory")

    monkeypatch.setattr("platform.freedesktop_os_release", lambda: {"ID": "debian"})
    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(DriverMissing) as caught:
        driver.load_pyodbc()
    assert "libodbc.so.2" in str(caught.value)
    assert "apt-get install -y unixodbc libltdl7 libgssapi-krb5-2" in str(caught.value)
    assert caught.value.exit_code == 3


def test_a_driver_that_cannot_be_opened_names_the_library() -> None:
    def load(path: str) -> None:
        raise OSError("libgssapi_krb5.so.2: cannot open shared object file")

    assert "libgssapi_krb5.so.2" in str(driver.explain_unloadable("/opt/driver.so", load))
    assert "cannot be loaded" in str(driver.explain_unloadable("ODBC Driver 18 for SQL Server", load))
