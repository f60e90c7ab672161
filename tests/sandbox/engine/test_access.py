"""Logins with limited rights: what GRANT, DENY and REVOKE allow, and what is seen in the catalogue."""

from __future__ import annotations

from pathlib import Path

import pytest

from sqlserver_sandbox.access_tokens import issue
from sqlserver_sandbox.engine import DuckDbEngine
from sqlserver_sandbox.model import SqlError
from tests.sandbox.engine.client import Client, fails

PASSWORD = "Limited-1"


@pytest.fixture
def owner(client: Client) -> Client:
    """In a database with two schemas of a table each, and a user without any right."""
    client.do(
        f"CREATE LOGIN mia WITH PASSWORD = '{PASSWORD}'",
        "CREATE DATABASE shop",
        "USE shop",
        "CREATE SCHEMA sales",
        "CREATE SCHEMA hr",
        "CREATE TABLE sales.Orders (a int NOT NULL CONSTRAINT pk PRIMARY KEY, b int)",
        "CREATE TABLE hr.People (a int)",
        "INSERT sales.Orders VALUES (1, 10), (2, 20)",
        "CREATE USER mia FOR LOGIN mia",
    )
    return client


@pytest.fixture
def mia(engine: DuckDbEngine, owner: Client) -> Client:
    return Client(engine.login(user="mia", password=PASSWORD, database="shop", application="t", host="h"))


def test_a_login_is_refused_without_its_password_or_without_a_user(engine: DuckDbEngine, owner: Client) -> None:
    owner.do("CREATE DATABASE other")
    for user, password, database, number in (
        ("mia", "wrong", "shop", 18456),
        ("nobody", PASSWORD, "shop", 18456),
        ("mia", PASSWORD, "other", 4060),
    ):
        with fails(number):
            engine.login(user=user, password=password, database=database, application="t", host="h")
    assert engine.login(user="MIA", password=PASSWORD, database="", application="t", host="h").database == "master"


def test_a_token_logs_in_a_user_or_login_of_the_directory(engine: DuckDbEngine, owner: Client) -> None:
    owner.do("CREATE LOGIN app FROM EXTERNAL PROVIDER", "CREATE USER [eve@x.com] FROM EXTERNAL PROVIDER")
    key = "Pass-w0rd"

    def logged_in(token: str, database: str = "shop") -> Client:
        return Client(engine.login(user="", password="", token=token, database=database, application="t", host="h"))

    eve = logged_in(issue(key, "EVE@x.com"))
    assert eve.rows("SELECT SUSER_SNAME(), USER_NAME()") == [("EVE@x.com", "eve@x.com")]
    assert eve.number("SELECT a FROM sales.Orders") == 229
    assert logged_in(issue(key, "sa")).rows("SELECT USER_NAME()") == [("dbo",)]
    assert logged_in(issue(key, "app"), "").rows("SELECT DB_NAME()") == [("master",)]
    for token, database, number in (
        (issue(key, "app"), "shop", 4060),  # a login without a user there
        (issue(key, "eve@x.com"), "master", 18456),  # a user of another database
        (issue(key, "mia"), "shop", 18456),  # has a password
        (issue(key, "nobody"), "shop", 18456),
        (issue("another key", "sa"), "shop", 18456),
        (issue(key, "sa", audience="https://storage.azure.com/"), "shop", 18456),
        (issue(key, "sa", valid_seconds=-1), "shop", 18456),
        ("no.token.", "shop", 18456),
        ("", "shop", 18456),
    ):
        with fails(number):
            logged_in(token, database)
    for password in ("", "x"):
        with fails(18456):
            engine.login(user="app", password=password, database="", application="t", host="h")


def test_logins_and_grants_outlive_the_process(tmp_path: Path) -> None:
    def started() -> DuckDbEngine:
        return DuckDbEngine(tmp_path / "data", {"sa": "x"}, threads=1)

    engine = started()
    client = Client(engine.login(user="sa", password="x", database="", application="t", host="h"))
    client.do(
        f"CREATE LOGIN mia WITH PASSWORD = '{PASSWORD}'", "CREATE TABLE t (a int)", "CREATE USER mia FOR LOGIN mia"
    )
    client.do("GRANT SELECT ON t TO mia")
    engine.close()
    engine = started()
    mia = Client(engine.login(user="mia", password=PASSWORD, database="", application="t", host="h"))
    assert mia.rows("SELECT * FROM t") == []
    assert mia.number("INSERT t VALUES (1)") == 229
    engine.close()


def test_a_table_without_any_permission_is_neither_read_nor_listed(owner: Client, mia: Client) -> None:
    error = mia.error("SELECT a FROM sales.Orders")
    assert error.number == 229
    assert error.message == (
        "The SELECT permission was denied on the object 'Orders', database 'shop', schema 'sales'."
    )
    assert mia.rows("SELECT name FROM sys.tables") == []
    assert mia.value("OBJECT_ID('sales.Orders')") is None
    assert mia.value("HAS_PERMS_BY_NAME('sales.Orders', 'OBJECT', 'SELECT')") is None
    assert mia.value("HAS_PERMS_BY_NAME('sales', 'SCHEMA', 'SELECT')") == 0
    assert mia.value("USER_NAME()") == "mia"
    assert mia.number("SELECT 1 FROM sys.dm_tran_session_transactions") == 300
    assert mia.rows("SELECT COUNT(*) FROM sys.dm_exec_sessions") == [(1,)]


@pytest.mark.parametrize(
    "grant",
    [
        "GRANT SELECT ON sales.Orders TO mia",
        "GRANT SELECT ON OBJECT::sales.Orders TO mia",
        "GRANT SELECT ON SCHEMA::sales TO mia",
        "GRANT SELECT TO mia",
        "GRANT CONTROL ON OBJECT::sales.Orders TO mia",
        "GRANT CONTROL ON SCHEMA::sales TO mia",
        "GRANT CONTROL TO mia",
        "GRANT SELECT ON SCHEMA::sales TO public",
    ],
)
def test_a_permission_on_the_table_the_schema_or_the_database_lets_a_user_read(
    owner: Client, mia: Client, grant: str
) -> None:
    owner.do(grant)
    assert mia.rows("SELECT SUM(b) FROM sales.Orders") == [(30,)]
    assert mia.value("HAS_PERMS_BY_NAME('sales.Orders', 'OBJECT', 'SELECT')") == 1
    assert ("Orders",) in mia.rows("SELECT name FROM sys.tables")
    assert mia.rows(
        "SELECT COUNT(*) FROM sys.indexes AS i JOIN sys.tables AS t ON t.object_id = i.object_id "
        "WHERE t.name = 'Orders'"
    ) == [(1,)]
    owner.do("DENY SELECT ON OBJECT::sales.Orders TO mia")
    assert mia.number("SELECT a FROM sales.Orders") == 229
    owner.do("REVOKE SELECT ON OBJECT::sales.Orders FROM mia", grant)
    assert mia.rows("SELECT SUM(b) FROM sales.Orders") == [(30,)]


@pytest.mark.parametrize(
    ("permission", "statement", "number"),
    [
        ("INSERT", "INSERT sales.Orders VALUES (9, 9)", 229),
        ("UPDATE", "UPDATE sales.Orders SET b = 1", 229),
        ("DELETE", "DELETE sales.Orders", 229),
        ("ALTER", "TRUNCATE TABLE sales.Orders", 1088),
        ("ALTER", "ALTER TABLE sales.Orders ADD c int NULL", 1088),
        ("ALTER", "CREATE INDEX i ON sales.Orders(b)", 1088),
        ("ALTER", "DROP TABLE sales.Orders", 3701),
    ],
)
def test_each_change_of_a_table_needs_its_permission(
    owner: Client, mia: Client, permission: str, statement: str, number: int
) -> None:
    owner.do("GRANT SELECT ON SCHEMA::sales TO mia")
    assert mia.number(statement) == number
    assert owner.rows("SELECT a, b FROM sales.Orders ORDER BY a") == [(1, 10), (2, 20)]
    owner.do(f"GRANT {permission} ON SCHEMA::sales TO mia")
    mia.do(statement)


def test_changing_rows_by_a_condition_needs_select_too(owner: Client, mia: Client) -> None:
    owner.do("GRANT DELETE, UPDATE ON SCHEMA::sales TO mia")
    assert mia.number("DELETE sales.Orders WHERE a = 1") == 229
    assert mia.number("UPDATE sales.Orders SET b = 1 WHERE a = 1") == 229
    owner.do("GRANT SELECT ON SCHEMA::sales TO mia")
    mia.do("DELETE sales.Orders WHERE a = 1")


def test_a_table_is_made_with_create_table_and_alter_on_its_schema(owner: Client, mia: Client) -> None:
    made = "CREATE TABLE sales.New (a int)"
    error = mia.error(made)
    assert (error.number, error.message) == (262, "CREATE TABLE permission denied in database 'shop'.")
    owner.do("GRANT CREATE TABLE TO mia")
    assert mia.number(made) == 2760
    owner.do("GRANT ALTER ON SCHEMA::sales TO mia")
    mia.do(made)


def test_an_owner_of_a_schema_may_do_everything_in_it_and_nothing_elsewhere(owner: Client, mia: Client) -> None:
    owner.do("GRANT CREATE TABLE TO mia", "CREATE SCHEMA own AUTHORIZATION mia")
    mia.do(
        "CREATE TABLE own.t (a int)",
        "CREATE TABLE own.u (a int)",
        "INSERT own.t VALUES (1)",
        "ALTER TABLE own.t SWITCH TO own.u",
        "UPDATE own.u SET a = 2",
        "TRUNCATE TABLE own.u",
        "DROP TABLE own.t",
    )
    assert mia.number("CREATE TABLE sales.t (a int)") == 2760
    assert mia.number("ALTER TABLE own.u SWITCH TO sales.Orders") == 1088
    assert owner.number("DROP USER mia") == 15138
    assert owner.number("CREATE SCHEMA more AUTHORIZATION nobody") == 15151


def test_schemas_partition_functions_and_databases_need_their_permissions(owner: Client, mia: Client) -> None:
    function = "CREATE PARTITION FUNCTION pf (int) AS RANGE RIGHT FOR VALUES (1)"
    assert mia.number("CREATE SCHEMA mine") == 262
    assert mia.number(function) == 15247
    assert mia.number("ALTER DATABASE shop SET ALLOW_SNAPSHOT_ISOLATION ON") == 5011
    assert mia.number("CREATE DATABASE more") == 262
    assert mia.number("GRANT SELECT ON SCHEMA::hr TO mia") == 15151
    assert mia.number("CREATE LOGIN other WITH PASSWORD = 'x'") == 15247
    owner.do("GRANT CREATE SCHEMA, ALTER ANY DATASPACE TO mia")
    mia.do("CREATE SCHEMA mine", function, "ALTER PARTITION FUNCTION pf() MERGE RANGE (1)")


def test_another_database_needs_a_user_there(owner: Client, mia: Client) -> None:
    owner.do("CREATE DATABASE other", "USE other", "CREATE TABLE t (a int)", "USE shop")
    assert mia.number("SELECT a FROM other.dbo.t") == 916
    assert mia.number("USE other") == 916


def test_only_view_definition_on_the_database_shows_security_policies(owner: Client, mia: Client) -> None:
    owner.do(
        "EXEC sandbox_features 'sales.Orders', '{\"security_policy\": true}'",
        "GRANT SELECT, VIEW DEFINITION ON SCHEMA::sales TO mia",
    )
    asked = "SELECT COUNT(*) FROM sys.security_predicates"
    assert mia.rows(asked) == [(0,)]
    owner.do("GRANT VIEW DEFINITION TO mia")
    assert mia.rows(asked) == [(1,)]


def test_server_permissions_are_granted_to_logins_in_master(owner: Client, mia: Client) -> None:
    grant = "GRANT VIEW SERVER STATE TO mia"
    assert owner.number(grant) == 4621
    assert mia.value("HAS_PERMS_BY_NAME(NULL, NULL, 'VIEW SERVER STATE')") == 0
    owner.do("USE master", grant)
    assert mia.value("HAS_PERMS_BY_NAME(NULL, NULL, 'VIEW SERVER STATE')") == 1
    assert mia.rows("SELECT COUNT(*) FROM sys.dm_tran_session_transactions") == [(0,)]


def test_permissions_by_name_are_null_where_there_is_nothing_of_that_name(owner: Client, mia: Client) -> None:
    owner.do("GRANT UNMASK TO mia")
    assert mia.value("HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'UNMASK')") == 1
    for arguments in ("'nowhere', 'SCHEMA', 'SELECT'", "DB_NAME(), 'DATABASE', 'FLY'", "'x.y', 'OBJECT', 'SELECT'"):
        assert mia.value(f"HAS_PERMS_BY_NAME({arguments})") is None
        assert owner.value(f"HAS_PERMS_BY_NAME({arguments})") is None
    assert [n for (n,) in mia.rows("SELECT permission_name FROM fn_my_permissions(NULL, 'DATABASE')")] == ["UNMASK"]


@pytest.mark.parametrize(
    ("statement", "number"),
    [
        ("GRANT SELECT ON SCHEMA::nowhere TO mia", 15151),
        ("GRANT SELECT ON sales.Nothing TO mia", 15151),
        ("GRANT SELECT TO nobody", 15151),
        ("CREATE USER other FOR LOGIN nobody", 15007),
        ("CREATE USER mia FOR LOGIN mia", 15023),
        ("CREATE USER mia2 FOR LOGIN mia", 15063),
        ("CREATE LOGIN mia WITH PASSWORD = 'x'", 15025),
        ("DROP LOGIN nobody", 15151),
        ("GRANT UNMASK ON SCHEMA::sales TO mia", 102),
    ],
)
def test_names_that_are_not_there_or_there_already_are_refused(owner: Client, statement: str, number: int) -> None:
    assert owner.number(statement) == number


def test_a_dropped_user_has_no_permissions_when_made_again(owner: Client, engine: DuckDbEngine) -> None:
    owner.do("GRANT SELECT ON SCHEMA::sales TO mia", "DROP USER mia", "CREATE USER mia FOR LOGIN mia")
    mia = Client(engine.login(user="mia", password=PASSWORD, database="shop", application="t", host="h"))
    assert mia.number("SELECT a FROM sales.Orders") == 229
    owner.do("DROP LOGIN mia")
    with pytest.raises(SqlError):
        engine.login(user="mia", password=PASSWORD, database="shop", application="t", host="h")
