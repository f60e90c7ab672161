"""Each rule of SWITCH and TRUNCATE, over the wire: the number that SQL Server has for it, and that nothing moved."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import closing

import pyodbc
import pytest

from tests.sandbox.clients.warehouse import Warehouse
from tests.support.sandbox_server import SandboxServer

_numbers = itertools.count(1)
KEY = "CONSTRAINT pk_{0} PRIMARY KEY CLUSTERED (k)"
PLAIN = "k int NOT NULL, v varchar(10) NULL"
"""Of a source `a` and a target `b`, which go into a schema of their own."""


@pytest.fixture(scope="module")
def shared(sandbox: SandboxServer) -> Iterator[Warehouse]:
    """One database for the module, with partition functions and filegroups; each test has a schema of its own."""
    name = f"r{os.getpid()}_{next(_numbers)}"
    with closing(pyodbc.connect(sandbox.odbc(), autocommit=True, timeout=10)) as master:
        master.execute(f"CREATE DATABASE {name}")
    with closing(pyodbc.connect(sandbox.odbc(database=name), autocommit=True, timeout=10)) as opened:
        found = Warehouse(sandbox, name, opened)
        found.run(
            *(f"ALTER DATABASE CURRENT ADD FILEGROUP {g}" for g in ("fg1", "fg2", "cold")),
            f"ALTER DATABASE {name} ADD FILE (NAME = f1, FILENAME = 'f1.ndf') TO FILEGROUP fg1",
            "CREATE PARTITION FUNCTION pf (int) AS RANGE LEFT FOR VALUES (10, 20)",
            "CREATE PARTITION FUNCTION pr (int) AS RANGE RIGHT FOR VALUES (10, 20)",
            "CREATE PARTITION FUNCTION pw (int) AS RANGE LEFT FOR VALUES (5, 30)",
            "CREATE PARTITION SCHEME ps AS PARTITION pf ALL TO ([PRIMARY])",
            "CREATE PARTITION SCHEME psr AS PARTITION pr ALL TO ([PRIMARY])",
            "CREATE PARTITION SCHEME psw AS PARTITION pw ALL TO ([PRIMARY])",
            "CREATE PARTITION SCHEME psf AS PARTITION pf TO ([PRIMARY], fg1, fg2)",
        )
        yield found


@pytest.fixture
def schema(shared: Warehouse) -> str:
    name = f"p{next(_numbers)}"
    shared.run(f"CREATE SCHEMA {name}")
    return name


def made(schema: str, statements: tuple[str, ...]) -> list[str]:
    """{s} is the schema of the test."""
    return [text.replace("{s}", schema) for text in statements]


COLUMN_RULES = [
    (f"{PLAIN}, w int", PLAIN, 4943),
    ("k int NOT NULL, w varchar(10) NULL", PLAIN, 4942),
    ("k int NOT NULL, v varchar(11) NULL", PLAIN, 4944),
    ("k int NOT NULL, v nvarchar(10) NULL", PLAIN, 4944),
    ("k money NOT NULL, v varchar(10) NULL", "k numeric(19, 4) NOT NULL, v varchar(10) NULL", 4944),
    ("k int NOT NULL, v varchar(10) COLLATE Latin1_General_CS_AS NULL", PLAIN, 4945),
    ("k int NOT NULL, v varchar(10) NOT NULL", PLAIN, 4985),
    ("k int NOT NULL, v uniqueidentifier ROWGUIDCOL", "k int NOT NULL, v uniqueidentifier", 4958),
    ("k int NOT NULL, v AS k + 1", "k int NOT NULL, v int", 4965),
    ("k int NOT NULL, v AS k + 1", "k int NOT NULL, v AS k + 2", 4966),
    ("k int NOT NULL, v AS k + 1 PERSISTED", "k int NOT NULL, v AS k + 1", 4946),
]


@pytest.mark.parametrize(("source", "target", "number"), COLUMN_RULES)
def test_columns_must_be_the_same(shared: Warehouse, schema: str, source: str, target: str, number: int) -> None:
    shared.run(f"CREATE TABLE {schema}.a ({source})", f"CREATE TABLE {schema}.b ({target})")
    assert shared.number(f"ALTER TABLE {schema}.a SWITCH TO {schema}.b") == number


def test_identity_defaults_and_names_of_constraints_may_differ(shared: Warehouse, schema: str) -> None:
    shared.run(
        f"CREATE TABLE {schema}.a (k int IDENTITY NOT NULL CONSTRAINT pk_a{schema} PRIMARY KEY, v int DEFAULT 1)",
        f"CREATE TABLE {schema}.b (k int NOT NULL CONSTRAINT pk_b{schema} PRIMARY KEY, v int)",
        f"INSERT {schema}.a DEFAULT VALUES",
        f"ALTER TABLE {schema}.a SWITCH TO {schema}.b",
    )
    assert shared.rows(f"SELECT k, v FROM {schema}.b") == [(1, 1)]


PARTITION_RULES = [
    ("a SWITCH TO b", "", "", 4911),
    ("a SWITCH PARTITION 1 TO b", "", "", 4911),
    ("a SWITCH PARTITION 4 TO b PARTITION 1", "", "", 4950),
    ("a SWITCH PARTITION 0 TO b PARTITION 1", "", "", 7722),
    ("a SWITCH PARTITION '1' TO b PARTITION 1", "", "", 4957),
    ("a SWITCH PARTITION 1 TO b PARTITION 2", "", "", 4973),
    ("a SWITCH PARTITION 1 TO a PARTITION 2", "", "", 4955),
    ("nope SWITCH PARTITION 1 TO b PARTITION 1", "", "", 4902),
    ("a SWITCH PARTITION 1 TO nope PARTITION 1", "", "", 1088),
    ("a SWITCH PARTITION 1 TO b PARTITION 1", "", "INSERT {s}.b VALUES (3, 'x')", 4904),
    ("a SWITCH PARTITION 2 TO b PARTITION 2", "", "CREATE INDEX ix ON {s}.b (v) ON [PRIMARY]", 7733),
    ("a SWITCH PARTITION 2 TO b PARTITION 2", "CREATE INDEX ix ON {s}.a (v) ON [PRIMARY]", "", 7733),
    ("a SWITCH PARTITION 2 TO b PARTITION 2", "", "CREATE INDEX ix ON {s}.b (v) ON psw(k)", 4908),
    ("a SWITCH PARTITION 2 TO b PARTITION 2", "", "CREATE INDEX ix ON {s}.b (v)", 4947),
    ("a SWITCH PARTITION 2 TO b PARTITION 2", "", "CREATE CLUSTERED INDEX ix ON {s}.b (k)", 4913),
    (
        "a SWITCH PARTITION 2 TO b PARTITION 2",
        "CREATE INDEX ix ON {s}.a (v)",
        "CREATE INDEX ix ON {s}.b (v DESC)",
        4947,
    ),
    (
        "a SWITCH PARTITION 2 TO b PARTITION 2",
        "CREATE INDEX ix ON {s}.a (v)",
        "CREATE INDEX ix ON {s}.b (v) WHERE v IS NOT NULL",
        4947,
    ),
    (
        "a SWITCH PARTITION 2 TO b PARTITION 2",
        "",
        "ALTER TABLE {s}.b REBUILD PARTITION = 2 WITH (DATA_COMPRESSION = PAGE)",
        11406,
    ),
    (
        "a SWITCH PARTITION 2 TO b PARTITION 2",
        "CREATE INDEX ix ON {s}.a (v)",
        "CREATE INDEX ix ON {s}.b (v) WITH (DATA_COMPRESSION = ROW)",
        11406,
    ),
]


@pytest.mark.parametrize(("statement", "source", "target", "number"), PARTITION_RULES)
def test_partitions_and_indexes_must_match(
    shared: Warehouse, schema: str, statement: str, source: str, target: str, number: int
) -> None:
    shared.run(
        *(f"CREATE TABLE {schema}.{t} ({PLAIN}) ON ps(k)" for t in "ab"),
        f"INSERT {schema}.a VALUES (5, 'x'), (15, 'y')",
        *made(schema, tuple(filter(None, (source, target)))),
    )
    first, _, rest = statement.partition(" SWITCH ")
    words = [w if w not in ("a", "b", "nope") else f"{schema}.{w}" for w in rest.split()]
    assert shared.number(f"ALTER TABLE {schema}.{first} SWITCH {' '.join(words)}") == number
    assert shared.keys(f"{schema}.a") == [5, 15]


def test_only_the_index_on_the_target_is_demanded_and_a_disabled_one_is_not(shared: Warehouse, schema: str) -> None:
    shared.run(
        *(f"CREATE TABLE {schema}.{t} ({PLAIN}) ON ps(k)" for t in "ab"),
        f"INSERT {schema}.a VALUES (15, 'y')",
        f"CREATE INDEX more ON {schema}.a (v)",
        f"CREATE INDEX spare ON {schema}.b (v, k)",
        f"ALTER INDEX spare ON {schema}.b DISABLE",
        f"ALTER TABLE {schema}.a SWITCH PARTITION 2 TO {schema}.b PARTITION 2",
    )
    assert shared.keys(f"{schema}.b") == [15]


def test_an_unpartitioned_table_needs_the_partition_column_in_its_index(shared: Warehouse, schema: str) -> None:
    shared.run(
        f"CREATE TABLE {schema}.b ({PLAIN}) ON ps(k)",
        f"CREATE INDEX ix ON {schema}.b (v)",
        f"CREATE TABLE {schema}.a ({PLAIN}, CHECK (k > 10 AND k <= 20))",
        f"CREATE INDEX ix ON {schema}.a (v)",
        f"INSERT {schema}.a VALUES (15, 'y')",
    )
    assert shared.number(f"ALTER TABLE {schema}.a SWITCH TO {schema}.b PARTITION 2") == 4947
    shared.run(
        f"DROP INDEX ix ON {schema}.a",
        f"CREATE INDEX ix ON {schema}.a (v) INCLUDE (k)",
        f"ALTER TABLE {schema}.a SWITCH TO {schema}.b PARTITION 2",
    )
    assert shared.keys(f"{schema}.b") == [15]


def test_a_table_that_is_not_partitioned_must_be_empty_and_a_number_is_ignored(shared: Warehouse, schema: str) -> None:
    shared.run(*(f"CREATE TABLE {schema}.{t} ({PLAIN})" for t in "ab"), f"INSERT {schema}.b VALUES (1, 'x')")
    assert shared.number(f"ALTER TABLE {schema}.a SWITCH TO {schema}.b") == 4905
    shared.run(f"ALTER TABLE {schema}.b SWITCH PARTITION 7 TO {schema}.a PARTITION 9")
    assert shared.keys(f"{schema}.a") == [1]


# ---- ranges and checks -------------------------------------------------------------------------------------------
PROVED = [
    "k > 10 AND k <= 20",
    "k >= 11 AND k <= 20",
    "k BETWEEN 11 AND 20",
    "k IN (15, 16)",
    "k IN (15, 16) OR k = 12",
    "NOT (k <= 10 OR k > 20)",
    "10 < k AND 20 >= k",
    "k > 12 AND k < 14",
]
TOO_WIDE = ["k > 10", "k <= 20", "k > 10 AND k <= 20.5", "k > 10 AND k < 21", "k <> 15"]


@pytest.mark.parametrize("check", PROVED)
def test_a_check_that_keeps_rows_in_the_partition_is_proof(shared: Warehouse, schema: str, check: str) -> None:
    shared.run(
        f"CREATE TABLE {schema}.a (k int NOT NULL, CHECK ({check}))",
        f"CREATE TABLE {schema}.b (k int NOT NULL) ON ps(k)",
        f"ALTER TABLE {schema}.a SWITCH TO {schema}.b PARTITION 2",
    )


@pytest.mark.parametrize("check", TOO_WIDE)
def test_a_check_that_is_too_wide_is_no_proof(shared: Warehouse, schema: str, check: str) -> None:
    shared.run(
        f"CREATE TABLE {schema}.a (k int NOT NULL, CHECK ({check}))",
        f"CREATE TABLE {schema}.b (k int NOT NULL) ON ps(k)",
    )
    assert shared.number(f"ALTER TABLE {schema}.a SWITCH TO {schema}.b PARTITION 2") == 4972


def test_without_a_check_on_the_column_alone_there_is_none(shared: Warehouse, schema: str) -> None:
    shared.run(
        f"CREATE TABLE {schema}.a (k int NOT NULL, v int)", f"CREATE TABLE {schema}.b (k int NOT NULL, v int) ON ps(k)"
    )
    switch = f"ALTER TABLE {schema}.a SWITCH TO {schema}.b PARTITION 2"
    assert shared.number(switch) == 4982
    shared.run(f"ALTER TABLE {schema}.a ADD CONSTRAINT mixed{schema} CHECK (k > 10 AND k <= 20 AND v > 0)")
    assert shared.number(switch) == 4982
    shared.run(f"ALTER TABLE {schema}.a WITH NOCHECK ADD CONSTRAINT ck{schema} CHECK (k > 10 AND k <= 20)")
    assert shared.number(switch) == 4972
    shared.run(f"ALTER TABLE {schema}.a WITH CHECK CHECK CONSTRAINT ck{schema}", switch)


def test_two_checks_prove_together_and_null_needs_its_own_word(shared: Warehouse, schema: str) -> None:
    shared.run(
        f"CREATE TABLE {schema}.a (k int NULL, CHECK (k > 10), CHECK (k <= 20))",
        f"CREATE TABLE {schema}.b (k int NULL) ON ps(k)",
    )
    switch = f"ALTER TABLE {schema}.a SWITCH TO {schema}.b PARTITION 2"
    assert shared.number(switch) == 4972
    shared.run(f"ALTER TABLE {schema}.a ADD CONSTRAINT nn{schema} CHECK (k IS NOT NULL)", switch)


def test_the_partition_of_null_takes_nulls(shared: Warehouse, schema: str) -> None:
    shared.run(
        f"CREATE TABLE {schema}.a (k int NULL, CHECK (k <= 10))",
        f"CREATE TABLE {schema}.b (k int NULL) ON ps(k)",
        f"INSERT {schema}.a VALUES (NULL), (3)",
        f"ALTER TABLE {schema}.a SWITCH TO {schema}.b PARTITION 1",
    )
    assert shared.rows(f"SELECT COUNT(*) FROM {schema}.b WHERE $PARTITION.pf(k) = 1") == [(2,)]


def test_dates_prove_with_plain_texts(shared: Warehouse, schema: str) -> None:
    shared.run(
        "CREATE PARTITION FUNCTION pd (date) AS RANGE RIGHT FOR VALUES ('20240101', '20240201')",
        "CREATE PARTITION SCHEME psd AS PARTITION pd ALL TO ([PRIMARY])",
        f"CREATE TABLE {schema}.a (d date NOT NULL, CHECK (d >= '20240101' AND d < '2024-02-01'))",
        f"CREATE TABLE {schema}.b (d date NOT NULL) ON psd(d)",
        f"ALTER TABLE {schema}.a SWITCH TO {schema}.b PARTITION 2",
    )
    assert shared.number(f"ALTER TABLE {schema}.a SWITCH TO {schema}.b PARTITION 3") == 4972


def test_partitions_of_other_functions_must_lie_inside(shared: Warehouse, schema: str) -> None:
    shared.run(
        f"CREATE TABLE {schema}.a (k int NOT NULL) ON ps(k)",
        f"CREATE TABLE {schema}.wide (k int NOT NULL) ON psw(k)",
        f"CREATE TABLE {schema}.r (k int NOT NULL) ON psr(k)",
        f"INSERT {schema}.a VALUES (15)",
        f"ALTER TABLE {schema}.a SWITCH PARTITION 2 TO {schema}.wide PARTITION 2",
    )
    assert shared.keys(f"{schema}.wide") == [15]
    assert shared.number(f"ALTER TABLE {schema}.wide SWITCH PARTITION 2 TO {schema}.a PARTITION 2") == 4973
    assert shared.number(f"ALTER TABLE {schema}.a SWITCH PARTITION 2 TO {schema}.r PARTITION 2") == 4973


CHECK_RULES = [
    ("", "CONSTRAINT ck_b{s} CHECK (v > 0)", 4971),
    ("", "CONSTRAINT ck_b{s} CHECK (v > k)", 4970),
    ("CHECK (v > 0)", "CONSTRAINT ck_b{s} CHECK (v > 0)", 0),
    ("CHECK (v > 5)", "CONSTRAINT ck_b{s} CHECK (v > 0)", 0),
    ("CHECK (v > -5)", "CONSTRAINT ck_b{s} CHECK (v > 0)", 4972),
    ("CONSTRAINT more{s} CHECK (v > 7)", "", 0),
]


@pytest.mark.parametrize(("source", "target", "number"), CHECK_RULES)
def test_checks_of_the_target_must_hold_for_the_source(
    shared: Warehouse, schema: str, source: str, target: str, number: int
) -> None:
    for table, check in (("a", source), ("b", target)):
        shared.run(
            *made(
                schema, (f"CREATE TABLE {{s}}.{table} (k int NOT NULL, v int NOT NULL{', ' if check else ''}{check})",)
            )
        )
    switch = f"ALTER TABLE {schema}.a SWITCH TO {schema}.b"
    if number:
        assert shared.number(switch) == number
    else:
        shared.run(switch)


def test_trust_is_demanded_where_the_target_has_it(shared: Warehouse, schema: str) -> None:
    for table in "ab":
        shared.run(f"CREATE TABLE {schema}.{table} (k int NOT NULL, v int, CONSTRAINT {table}{schema} CHECK (v > k))")
    switch = f"ALTER TABLE {schema}.a SWITCH TO {schema}.b"
    shared.run(f"ALTER TABLE {schema}.a NOCHECK CONSTRAINT a{schema}")
    assert shared.number(switch) == 4960
    shared.run(f"ALTER TABLE {schema}.a CHECK CONSTRAINT a{schema}")
    assert shared.number(switch) == 4960
    shared.run(
        f"ALTER TABLE {schema}.b NOCHECK CONSTRAINT b{schema}",
        f"ALTER TABLE {schema}.b CHECK CONSTRAINT b{schema}",
        switch,
    )


# ---- foreign keys ------------------------------------------------------------------------------------------------
def test_foreign_keys_of_the_target_must_be_on_the_source(shared: Warehouse, schema: str) -> None:
    reference = f"REFERENCES {schema}.parent (k)"
    shared.run(
        f"CREATE TABLE {schema}.parent (k int NOT NULL PRIMARY KEY)",
        f"INSERT {schema}.parent VALUES (1)",
        f"CREATE TABLE {schema}.a (k int NOT NULL)",
        f"CREATE TABLE {schema}.b (k int NOT NULL, CONSTRAINT fk_b{schema} FOREIGN KEY (k) {reference})",
    )
    switch = f"ALTER TABLE {schema}.a SWITCH TO {schema}.b"
    assert shared.number(switch) == 4968
    shared.run(f"ALTER TABLE {schema}.a WITH NOCHECK ADD CONSTRAINT fk_a{schema} FOREIGN KEY (k) {reference}")
    assert shared.number(switch) == 4974
    shared.run(f"ALTER TABLE {schema}.a NOCHECK CONSTRAINT fk_a{schema}")
    assert shared.number(switch) == 4969
    shared.run(f"ALTER TABLE {schema}.a WITH CHECK CHECK CONSTRAINT fk_a{schema}", switch)


def test_a_referenced_table_gives_no_partition_away_and_is_not_truncated(shared: Warehouse, schema: str) -> None:
    shared.run(
        *(f"CREATE TABLE {schema}.{t} (k int NOT NULL PRIMARY KEY)" for t in "ab"),
        f"CREATE TABLE {schema}.child (k int NOT NULL REFERENCES {schema}.a (k))",
        f"INSERT {schema}.a VALUES (1)",
        f"INSERT {schema}.child VALUES (1)",
    )
    assert shared.number(f"ALTER TABLE {schema}.a SWITCH TO {schema}.b") == 4967
    assert shared.number(f"TRUNCATE TABLE {schema}.a") == 4712
    assert shared.number(f"DELETE {schema}.a") == 547
    assert shared.number(f"INSERT {schema}.child VALUES (2)") == 547
    assert shared.number(f"DROP TABLE {schema}.a") == 3726
    assert shared.rows(
        "SELECT COUNT(*) FROM sys.foreign_keys AS f JOIN sys.foreign_key_columns AS c"
        " ON c.constraint_object_id = f.object_id"
        f" WHERE f.referenced_object_id = OBJECT_ID(N'{schema}.a')"
    ) == [(1,)]
    shared.run(f"DELETE {schema}.child")
    assert shared.number(f"ALTER TABLE {schema}.a SWITCH TO {schema}.b") == 4967


# ---- filegroups --------------------------------------------------------------------------------------------------
def test_rows_stay_in_their_filegroup(shared: Warehouse, schema: str) -> None:
    shared.run(
        f"CREATE TABLE {schema}.p (k int NOT NULL, v varchar(max)) ON psf(k)",
        f"CREATE TABLE {schema}.q (k int NOT NULL, v varchar(max)) ON ps(k)",
        f"CREATE TABLE {schema}.a (k int NOT NULL, v varchar(max)) ON fg1",
        f"CREATE TABLE {schema}.b (k int NOT NULL, v varchar(max)) ON [PRIMARY]",
        f"CREATE TABLE {schema}.lob (k int NOT NULL, v varchar(max)) ON fg1 TEXTIMAGE_ON fg2",
        f"CREATE TABLE {schema}.lob1 (k int NOT NULL, v varchar(max)) ON fg1 TEXTIMAGE_ON fg1",
    )
    assert shared.number(f"ALTER TABLE {schema}.p SWITCH PARTITION 2 TO {schema}.q PARTITION 2") == 4938
    assert shared.number(f"ALTER TABLE {schema}.p SWITCH PARTITION 2 TO {schema}.b") == 4939
    assert shared.number(f"ALTER TABLE {schema}.a SWITCH TO {schema}.b") == 4940
    assert shared.number(f"ALTER TABLE {schema}.p SWITCH PARTITION 2 TO {schema}.lob") == 4959
    shared.run(f"ALTER TABLE {schema}.p SWITCH PARTITION 2 TO {schema}.lob1")
    groups = (
        "SELECT d.destination_id, f.name FROM sys.destination_data_spaces AS d JOIN sys.filegroups AS f"
        " ON f.data_space_id = d.data_space_id JOIN sys.partition_schemes AS s ON s.data_space_id = d.partition_scheme_id"
        " WHERE s.name = N'{}' ORDER BY 1"
    )
    assert shared.rows(groups.format("psf")) == [(1, "PRIMARY"), (2, "fg1"), (3, "fg2")]


def test_a_read_only_filegroup_takes_no_part(shared: Warehouse, schema: str) -> None:
    shared.run(*(f"CREATE TABLE {schema}.{t} (k int NOT NULL) ON cold" for t in "ab"))
    shared.run("ALTER DATABASE CURRENT MODIFY FILEGROUP cold READ_ONLY")
    assert shared.number(f"ALTER TABLE {schema}.a SWITCH TO {schema}.b") == 4979
    assert shared.number(f"TRUNCATE TABLE {schema}.a") == 4707
    assert shared.rows("SELECT is_read_only FROM sys.filegroups WHERE name = N'cold'") == [(True,)]
    shared.run(
        "ALTER DATABASE CURRENT MODIFY FILEGROUP cold READ_WRITE", f"ALTER TABLE {schema}.a SWITCH TO {schema}.b"
    )


# ---- features ----------------------------------------------------------------------------------------------------
FEATURE_RULES = [
    ("a", '{"change_tracking": true}', 4900),
    ("b", '{"change_tracking": true}', 4900),
    ("a", '{"full_text": true}', 4918),
    ("b", '{"full_text": true}', 4918),
    ("b", '{"merge_published": true}', 4941),
    ("b", '{"cdc": true, "cdc_allows_switch": false}', 22842),
    ("a", '{"cdc": true, "cdc_allows_switch": false}', 22843),
    ("b", '{"change_feed": true}', 22750),
    ("a", '{"change_feed": true}', 22751),
    ("a", '{"temporal": "current"}', 13546),
    ("b", '{"temporal": "current", "period": true}', 13577),
    ("b", '{"temporal": "history"}', 40517),
    ("b", '{"indexed_view": true}', 11402),
    ("b", '{"xml_index": true}', 4983),
    ("a", '{"memory_optimized": true}', 10794),
    ("a", '{"replicated": true}', 40517),
    ("a", '{"ledger": true}', 40517),
    ("b", '{"security_policy": true}', 40517),
    ("a", '{"text_in_row_limit": 256}', 4954),
    ("a", '{"large_values_out_of_row": true}', 4993),
    ("a", '{"ansi_nulls": false}', 40517),
    ("a", '{"columns": {"v": {"ansi_padded": false}}}', 4952),
    ("a", '{"columns": {"V": {"sparse": true}}}', 11412),
    ("a", '{"columns": {"v": {"column_set": true}}}', 11413),
    ("a", '{"columns": {"v": {"rule_object_id": 77}}}', 4964),
    ("a", '{"columns": {"v": {"masked": true}}}', 40517),
    ("a", '{"denied": "ALTER"}', 4902),
    ("b", '{"denied": "CONTROL, alter"}', 1088),
]


@pytest.mark.parametrize(("table", "features", "number"), FEATURE_RULES)
def test_a_declared_feature_forbids_the_switch(
    shared: Warehouse, schema: str, table: str, features: str, number: int
) -> None:
    shared.run(*(f"CREATE TABLE {schema}.{t} ({PLAIN}) ON ps(k)" for t in "ab"))
    switch = f"ALTER TABLE {schema}.a SWITCH PARTITION 2 TO {schema}.b PARTITION 2"
    shared.run(switch, f"EXEC sandbox_features @table = N'{schema}.{table}', @features = N'{features}'")
    assert shared.number(switch) == number


def test_change_data_capture_allows_the_switch_unless_told_otherwise(shared: Warehouse, schema: str) -> None:
    shared.run(*(f"CREATE TABLE {schema}.{t} ({PLAIN}) ON ps(k)" for t in "ab"))
    shared.run(f"EXEC sandbox_features '{schema}.b', N'{{\"cdc\": true}}'")
    assert shared.rows(f"SELECT is_tracked_by_cdc FROM sys.tables WHERE object_id = OBJECT_ID('{schema}.b')") == [
        (True,)
    ]
    shared.run(f"ALTER TABLE {schema}.a SWITCH PARTITION 1 TO {schema}.b PARTITION 1")
    assert shared.number(f"TRUNCATE TABLE {schema}.b") == 4711


@pytest.mark.parametrize(
    ("features", "number"),
    [('{"replicated": true}', 4711), ('{"temporal": "current"}', 13545), ('{"indexed_view": true}', 3729)],
)
def test_a_declared_feature_forbids_truncating(shared: Warehouse, schema: str, features: str, number: int) -> None:
    shared.run(f"CREATE TABLE {schema}.a ({PLAIN})", f"EXEC sandbox_features '{schema}.a', N'{features}'")
    assert shared.number(f"TRUNCATE TABLE {schema}.a") == number


def test_truncating_partitions_needs_aligned_indexes(shared: Warehouse, schema: str) -> None:
    shared.run(f"CREATE TABLE {schema}.a ({PLAIN}) ON ps(k)", f"CREATE INDEX i ON {schema}.a (v) ON [PRIMARY]")
    assert shared.number(f"TRUNCATE TABLE {schema}.a WITH (PARTITIONS (1))") == 3756
    shared.run(f"DROP INDEX i ON {schema}.a", f"CREATE INDEX i ON {schema}.a (v) ON psw(k)")
    assert shared.number(f"TRUNCATE TABLE {schema}.a WITH (PARTITIONS (1))") == 4716


@pytest.mark.parametrize("text", ['{"nope": true}', '{"cdc": 1}', "[1]", '{"columns": {"x": {}}}', "{"])
def test_a_feature_that_there_is_not_is_refused(shared: Warehouse, schema: str, text: str) -> None:
    shared.run(f"CREATE TABLE {schema}.a ({PLAIN})")
    assert shared.number(f"EXEC sandbox_features '{schema}.a', N'{text}'") == 50100


def test_features_are_in_the_views_that_a_preflight_reads(shared: Warehouse, schema: str) -> None:
    shared.run(
        f"CREATE TABLE {schema}.a ({PLAIN})",
        f"EXEC sandbox_features '{schema}.a', N'"
        '{"change_tracking": true, "full_text": true, "trigger": true, "security_policy": true, "indexed_view": true,'
        ' "ansi_nulls": false, "quoted_identifier": false, "memory_optimized": true, "temporal": "current", "replicated": true,'
        ' "lock_escalation": "AUTO", "denied": "INSERT"}\'',
    )
    own = f"OBJECT_ID(N'{schema}.a')"
    for view, column in (
        ("sys.change_tracking_tables", "object_id"),
        ("sys.fulltext_indexes", "object_id"),
        ("sys.triggers", "parent_id"),
        ("sys.security_predicates", "target_object_id"),
        ("sys.sql_expression_dependencies", "referenced_id"),
    ):
        assert shared.rows(f"SELECT COUNT(*) FROM {view} WHERE {column} = {own}") == [(1,)], view
    indexed = (
        "SELECT COUNT(*) FROM sys.views AS v JOIN sys.indexes AS i ON i.object_id = v.object_id"
        " JOIN sys.sql_expression_dependencies AS d ON d.referencing_id = v.object_id"
    )
    assert shared.rows(f"{indexed} WHERE d.referenced_id = {own}") == [(1,)]
    facts = "uses_ansi_nulls, is_memory_optimized, temporal_type, is_replicated, lock_escalation_desc"
    assert shared.rows(f"SELECT {facts} FROM sys.tables WHERE object_id = {own}") == [(False, True, 2, True, "AUTO")]
    assert shared.rows(f"SELECT OBJECTPROPERTY({own}, 'IsQuotedIdentOn')") == [(0,)]
    denied = f"SELECT HAS_PERMS_BY_NAME(N'{schema}.a', 'OBJECT', 'INSERT'), HAS_PERMS_BY_NAME(N'{schema}.a', 'OBJECT', 'ALTER')"
    assert shared.rows(denied) == [(0, 1)]
    mine = f"SELECT permission_name FROM fn_my_permissions(N'{schema}.a', 'OBJECT') WHERE permission_name IN ('INSERT', 'SELECT')"
    assert shared.rows(mine) == [("SELECT",)]


def test_the_columns_of_the_catalogue_can_be_asked_for(shared: Warehouse) -> None:
    asked = "SELECT name FROM sys.all_columns WHERE object_id = OBJECT_ID(N'sys.tables') AND name IN ('is_node', 'ledger_type')"
    assert shared.rows(f"{asked} ORDER BY name") == [("is_node",), ("ledger_type",)]


# ---- splitting and merging ---------------------------------------------------------------------------------------
def test_split_and_merge_keep_compression_and_filegroups_in_place(warehouse: Warehouse) -> None:
    warehouse.run(
        "ALTER DATABASE CURRENT ADD FILEGROUP fg1",
        "CREATE PARTITION FUNCTION pf (int) AS RANGE RIGHT FOR VALUES (10, 20)",
        "CREATE PARTITION SCHEME ps AS PARTITION pf TO ([PRIMARY], [PRIMARY], fg1)",
        "CREATE TABLE t (k int NOT NULL) ON ps(k) WITH (DATA_COMPRESSION = PAGE ON PARTITIONS (2))",
        "INSERT t VALUES (5), (12), (17), (25)",
        "ALTER PARTITION SCHEME ps NEXT USED fg1",
        "ALTER PARTITION FUNCTION pf() SPLIT RANGE (15)",
    )
    kinds = "SELECT data_compression_desc, rows FROM sys.partitions WHERE object_id = OBJECT_ID('t') ORDER BY partition_number"
    groups = (
        "SELECT f.name FROM sys.destination_data_spaces AS d JOIN sys.filegroups AS f ON f.data_space_id = d.data_space_id"
        " ORDER BY d.destination_id"
    )
    assert warehouse.rows(kinds) == [("NONE", 1), ("PAGE", 1), ("PAGE", 1), ("NONE", 1)]
    assert warehouse.rows(groups) == [("PRIMARY",), ("PRIMARY",), ("fg1",), ("fg1",)]
    warehouse.run("ALTER PARTITION FUNCTION pf() MERGE RANGE (20)")
    assert warehouse.rows(kinds) == [("NONE", 1), ("PAGE", 1), ("PAGE", 2)]
    assert warehouse.rows(groups) == [("PRIMARY",), ("PRIMARY",), ("fg1",)]


def test_a_columnstore_partition_is_split_and_merged_when_empty(warehouse: Warehouse) -> None:
    warehouse.run(
        "CREATE PARTITION FUNCTION pf (int) AS RANGE LEFT FOR VALUES (10, 20)",
        "CREATE PARTITION SCHEME ps AS PARTITION pf ALL TO ([PRIMARY])",
        "CREATE TABLE t (k int NOT NULL) ON ps(k)",
        "CREATE CLUSTERED COLUMNSTORE INDEX cci ON t",
        "INSERT t VALUES (5), (15)",
    )
    assert warehouse.number("ALTER PARTITION FUNCTION pf() SPLIT RANGE (7)") == 35346
    assert warehouse.number("ALTER PARTITION FUNCTION pf() MERGE RANGE (10)") == 35344
    warehouse.run("ALTER PARTITION FUNCTION pf() SPLIT RANGE (30)", "ALTER PARTITION FUNCTION pf() MERGE RANGE (20)")


def test_a_failed_switch_ends_the_transaction_without_xact_abort(warehouse: Warehouse) -> None:
    warehouse.publishable()
    warehouse.run("SET XACT_ABORT OFF", "BEGIN TRAN", "INSERT dbo.marker VALUES (1)")
    assert warehouse.number("ALTER TABLE dbo.t SWITCH PARTITION 2 TO stg.t_in PARTITION 2; SELECT 1") == 4904
    assert warehouse.rows("SELECT @@TRANCOUNT, (SELECT COUNT(*) FROM dbo.marker)") == [(0, 0)]
