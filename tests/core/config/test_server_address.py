"""The forms in which people write a server: taken where there is one meaning, else answered with what to write."""

from __future__ import annotations

from typing import Any

import pytest

from dltsync_core.config.database import DatabaseConfig
from dltsync_core.connect.connection_string import data_string
from dltsync_core.errors import ConfigError

LOGIN: dict[str, Any] = {"database": "shop", "username": "reader", "password": "p"}


@pytest.mark.parametrize(
    ("written", "address", "sent"),
    [
        ("db", "db:1433", "tcp:db,1433"),
        (" db.example.com ", "db.example.com:1433", "tcp:db.example.com,1433"),
        ("db.example.com.", "db.example.com.:1433", "tcp:db.example.com.,1433"),
        ("sql_01-a", "sql_01-a:1433", "tcp:sql_01-a,1433"),
        ("bücher.example", "bücher.example:1433", "tcp:bücher.example,1433"),
        ("host,1444", "host:1444", "tcp:host,1444"),
        ("host, 1444", "host:1444", "tcp:host,1444"),
        ("tcp:host", "host:1433", "tcp:host,1433"),
        ("TCP:host,1444", "host:1444", "tcp:host,1444"),
        ("10.0.0.7,1444", "10.0.0.7:1444", "tcp:10.0.0.7,1444"),
        (r"host\SQLEXPRESS", r"host\SQLEXPRESS", r"tcp:host\SQLEXPRESS"),
        (r"tcp:host\in$t_1", r"host\in$t_1", r"tcp:host\in$t_1"),
        # Measured with driver 18: a number of IPv6 in brackets is looked up as a name.
        ("::1", "[::1]:1433", "tcp:::1,1433"),
        ("[::1]", "[::1]:1433", "tcp:::1,1433"),
        ("[2001:db8::7]:1444", "[2001:db8::7]:1444", "tcp:2001:db8::7,1444"),
        ("tcp:fe80::1%eth0,1444", "[fe80::1%eth0]:1444", "tcp:fe80::1%eth0,1444"),
    ],
)
def test_an_address_with_one_meaning_is_taken(written: str, address: str, sent: str) -> None:
    database = DatabaseConfig(server=written, **LOGIN)
    assert database.address == address
    assert f"Server={{{sent}}}" in data_string(database)


@pytest.mark.parametrize(
    ("written", "advice"),
    [
        ("", "should have at least 1 character"),
        ("  ", "is empty"),
        ("host:1433", "write `server: host` and `port: 1433`"),
        ("host:", "write the host alone"),
        ("host:14330000", "write the host alone"),
        ("host,", "a number from 1 to 65535 in `port`"),
        ("host,70000", "a number from 1 to 65535 in `port`"),
        ("host,1,2", "a number from 1 to 65535 in `port`"),
        ("[::1]:1,2", "two ports"),
        ("[host]", "brackets"),
        ("mssql://host/shop", "is a URL (mssql://…)"),
        ("mssql+pyodbc://host:1444/shop?driver=x", "`server: host`, `port: 1444`"),
        ("jdbc:sqlserver://host;databaseName=shop", "is a URL (jdbc:sqlserver://…)"),
        ("https://host.example", "`server: host.example`"),
        ("tcp://host:1433", "`server: host`, `port: 1433`"),
        ("mssql://sa:hunter2@host/shop", "is a URL (mssql://…); write the host in `server`"),
        ("mssql://sa:hunter2/x@host", "is a URL"),
        ("sa:hunter2@host", "holds an @"),
        ("Server=host;Password=hunter2", "is a connection string"),
        ("np:host", "named pipes"),
        (r"np:\\host\pipe\sql\query", "named pipes"),
        (r"\\host\pipe\sql\query", "TCP only"),
        ("lpc:host", "shared memory"),
        ("admin:host", "leave `admin:` out"),
        (r"(localdb)\MSSQLLocalDB", "LocalDB"),
        ("(local)", "write `localhost`"),
        (".", "write `localhost`"),
        (r".\SQLEXPRESS", "write `localhost`"),
        ("host\\", "names no instance"),
        (r"host\\SQLEXPRESS", "two backslashes"),
        (r"host\SQLEXPRESS,1444", "drop the instance name"),
        ("host/SQLEXPRESS", r"a named instance is written host\INSTANCE"),
        ("my host", "is not a host name"),
        ("host..example", "is not a host name"),
        ("10.0.0.300", "is not an IPv4 address"),
        ("-host", "is not a host name"),
    ],
)
def test_another_form_is_answered_with_what_to_write(written: str, advice: str) -> None:
    with pytest.raises(ConfigError) as caught:
        DatabaseConfig(server=written, **LOGIN)
    assert advice in str(caught.value)
    assert "server: " in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_port_beside_the_server_may_say_the_same_and_nothing_else() -> None:
    assert DatabaseConfig(server="host,1444", port=1444, **LOGIN).port == 1444
    assert DatabaseConfig(server="host,1444", port="1444", **LOGIN).port == 1444
    with pytest.raises(ConfigError, match="server gives port 1444, and port gives another one"):
        DatabaseConfig(server="host,1444", port=1433, **LOGIN)
