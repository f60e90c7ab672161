"""Each rule of SWITCH and TRUNCATE, over the wire: the number that SQL Server has for it, and that nothing moved."""

from __future__ import annotations

import itertools

import pytest

from tests.sandbox.clients.warehouse import Warehouse

_numbers = itertools.count(1)
KEY = "CONSTRAINT pk_{0} PRIMARY KEY CLUSTERED (k)"
PLAIN = "k int NOT NULL, v varchar(10) NULL"
"""Of a source `a` and a target `b`, which go into a schema of their own."""


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
def test_columns_must_be_the_same(
    partitioned: Warehouse, own_schema: str, source: str, target: str, number: int
) -> None:
    partitioned.run(f"CREATE TABLE {own_schema}.a ({source})", f"CREATE TABLE {own_schema}.b ({target})")
    assert partitioned.number(f"ALTER TABLE {own_schema}.a SWITCH TO {own_schema}.b") == number


def test_identity_defaults_and_names_of_constraints_may_differ(partitioned: Warehouse, own_schema: str) -> None:
    partitioned.run(
        f"CREATE TABLE {own_schema}.a (k int IDENTITY NOT NULL CONSTRAINT pk_a{own_schema} PRIMARY KEY, v int DEFAULT 1)",
        f"CREATE TABLE {own_schema}.b (k int NOT NULL CONSTRAINT pk_b{own_schema} PRIMARY KEY, v int)",
        f"INSERT {own_schema}.a DEFAULT VALUES",
        f"ALTER TABLE {own_schema}.a SWITCH TO {own_schema}.b",
    )
    assert partitioned.rows(f"SELECT k, v FROM {own_schema}.b") == [(1, 1)]


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
    partitioned: Warehouse, own_schema: str, statement: str, source: str, target: str, number: int
) -> None:
    partitioned.run(
        *(f"CREATE TABLE {own_schema}.{t} ({PLAIN}) ON ps(k)" for t in "ab"),
        f"INSERT {own_schema}.a VALUES (5, 'x'), (15, 'y')",
        *made(own_schema, tuple(filter(None, (source, target)))),
    )
    first, _, rest = statement.partition(" SWITCH ")
    words = [w if w not in ("a", "b", "nope") else f"{own_schema}.{w}" for w in rest.split()]
    assert partitioned.number(f"ALTER TABLE {own_schema}.{first} SWITCH {' '.join(words)}") == number
    assert partitioned.keys(f"{own_schema}.a") == [5, 15]


def test_only_the_index_on_the_target_is_demanded_and_a_disabled_one_is_not(
    partitioned: Warehouse, own_schema: str
) -> None:
    partitioned.run(
        *(f"CREATE TABLE {own_schema}.{t} ({PLAIN}) ON ps(k)" for t in "ab"),
        f"INSERT {own_schema}.a VALUES (15, 'y')",
        f"CREATE INDEX more ON {own_schema}.a (v)",
        f"CREATE INDEX spare ON {own_schema}.b (v, k)",
        f"ALTER INDEX spare ON {own_schema}.b DISABLE",
        f"ALTER TABLE {own_schema}.a SWITCH PARTITION 2 TO {own_schema}.b PARTITION 2",
    )
    assert partitioned.keys(f"{own_schema}.b") == [15]


def test_an_unpartitioned_table_needs_the_partition_column_in_its_index(
    partitioned: Warehouse, own_schema: str
) -> None:
    partitioned.run(
        f"CREATE TABLE {own_schema}.b ({PLAIN}) ON ps(k)",
        f"CREATE INDEX ix ON {own_schema}.b (v)",
        f"CREATE TABLE {own_schema}.a ({PLAIN}, CHECK (k > 10 AND k <= 20))",
        f"CREATE INDEX ix ON {own_schema}.a (v)",
        f"INSERT {own_schema}.a VALUES (15, 'y')",
    )
    assert partitioned.number(f"ALTER TABLE {own_schema}.a SWITCH TO {own_schema}.b PARTITION 2") == 4947
    partitioned.run(
        f"DROP INDEX ix ON {own_schema}.a",
        f"CREATE INDEX ix ON {own_schema}.a (v) INCLUDE (k)",
        f"ALTER TABLE {own_schema}.a SWITCH TO {own_schema}.b PARTITION 2",
    )
    assert partitioned.keys(f"{own_schema}.b") == [15]


def test_a_table_that_is_not_partitioned_must_be_empty_and_a_number_is_ignored(
    partitioned: Warehouse, own_schema: str
) -> None:
    partitioned.run(
        *(f"CREATE TABLE {own_schema}.{t} ({PLAIN})" for t in "ab"), f"INSERT {own_schema}.b VALUES (1, 'x')"
    )
    assert partitioned.number(f"ALTER TABLE {own_schema}.a SWITCH TO {own_schema}.b") == 4905
    partitioned.run(f"ALTER TABLE {own_schema}.b SWITCH PARTITION 7 TO {own_schema}.a PARTITION 9")
    assert partitioned.keys(f"{own_schema}.a") == [1]


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
def test_a_check_that_keeps_rows_in_the_partition_is_proof(partitioned: Warehouse, own_schema: str, check: str) -> None:
    partitioned.run(
        f"CREATE TABLE {own_schema}.a (k int NOT NULL, CHECK ({check}))",
        f"CREATE TABLE {own_schema}.b (k int NOT NULL) ON ps(k)",
        f"ALTER TABLE {own_schema}.a SWITCH TO {own_schema}.b PARTITION 2",
    )


@pytest.mark.parametrize("check", TOO_WIDE)
def test_a_check_that_is_too_wide_is_no_proof(partitioned: Warehouse, own_schema: str, check: str) -> None:
    partitioned.run(
        f"CREATE TABLE {own_schema}.a (k int NOT NULL, CHECK ({check}))",
        f"CREATE TABLE {own_schema}.b (k int NOT NULL) ON ps(k)",
    )
    assert partitioned.number(f"ALTER TABLE {own_schema}.a SWITCH TO {own_schema}.b PARTITION 2") == 4972


def test_without_a_check_on_the_column_alone_there_is_none(partitioned: Warehouse, own_schema: str) -> None:
    partitioned.run(
        f"CREATE TABLE {own_schema}.a (k int NOT NULL, v int)",
        f"CREATE TABLE {own_schema}.b (k int NOT NULL, v int) ON ps(k)",
    )
    switch = f"ALTER TABLE {own_schema}.a SWITCH TO {own_schema}.b PARTITION 2"
    assert partitioned.number(switch) == 4982
    partitioned.run(f"ALTER TABLE {own_schema}.a ADD CONSTRAINT mixed{own_schema} CHECK (k > 10 AND k <= 20 AND v > 0)")
    assert partitioned.number(switch) == 4982
    partitioned.run(f"ALTER TABLE {own_schema}.a WITH NOCHECK ADD CONSTRAINT ck{own_schema} CHECK (k > 10 AND k <= 20)")
    assert partitioned.number(switch) == 4972
    partitioned.run(f"ALTER TABLE {own_schema}.a WITH CHECK CHECK CONSTRAINT ck{own_schema}", switch)


def test_two_checks_prove_together_and_null_needs_its_own_word(partitioned: Warehouse, own_schema: str) -> None:
    partitioned.run(
        f"CREATE TABLE {own_schema}.a (k int NULL, CHECK (k > 10), CHECK (k <= 20))",
        f"CREATE TABLE {own_schema}.b (k int NULL) ON ps(k)",
    )
    switch = f"ALTER TABLE {own_schema}.a SWITCH TO {own_schema}.b PARTITION 2"
    assert partitioned.number(switch) == 4972
    partitioned.run(f"ALTER TABLE {own_schema}.a ADD CONSTRAINT nn{own_schema} CHECK (k IS NOT NULL)", switch)


def test_the_partition_of_null_takes_nulls(partitioned: Warehouse, own_schema: str) -> None:
    partitioned.run(
        f"CREATE TABLE {own_schema}.a (k int NULL, CHECK (k <= 10))",
        f"CREATE TABLE {own_schema}.b (k int NULL) ON ps(k)",
        f"INSERT {own_schema}.a VALUES (NULL), (3)",
        f"ALTER TABLE {own_schema}.a SWITCH TO {own_schema}.b PARTITION 1",
    )
    assert partitioned.rows(f"SELECT COUNT(*) FROM {own_schema}.b WHERE $PARTITION.pf(k) = 1") == [(2,)]


def test_dates_prove_with_plain_texts(partitioned: Warehouse, own_schema: str) -> None:
    partitioned.run(
        "CREATE PARTITION FUNCTION pd (date) AS RANGE RIGHT FOR VALUES ('20240101', '20240201')",
        "CREATE PARTITION SCHEME psd AS PARTITION pd ALL TO ([PRIMARY])",
        f"CREATE TABLE {own_schema}.a (d date NOT NULL, CHECK (d >= '20240101' AND d < '2024-02-01'))",
        f"CREATE TABLE {own_schema}.b (d date NOT NULL) ON psd(d)",
        f"ALTER TABLE {own_schema}.a SWITCH TO {own_schema}.b PARTITION 2",
    )
    assert partitioned.number(f"ALTER TABLE {own_schema}.a SWITCH TO {own_schema}.b PARTITION 3") == 4972


def test_partitions_of_other_functions_must_lie_inside(partitioned: Warehouse, own_schema: str) -> None:
    partitioned.run(
        f"CREATE TABLE {own_schema}.a (k int NOT NULL) ON ps(k)",
        f"CREATE TABLE {own_schema}.wide (k int NOT NULL) ON psw(k)",
        f"CREATE TABLE {own_schema}.r (k int NOT NULL) ON psr(k)",
        f"INSERT {own_schema}.a VALUES (15)",
        f"ALTER TABLE {own_schema}.a SWITCH PARTITION 2 TO {own_schema}.wide PARTITION 2",
    )
    assert partitioned.keys(f"{own_schema}.wide") == [15]
    assert partitioned.number(f"ALTER TABLE {own_schema}.wide SWITCH PARTITION 2 TO {own_schema}.a PARTITION 2") == 4973
    assert partitioned.number(f"ALTER TABLE {own_schema}.a SWITCH PARTITION 2 TO {own_schema}.r PARTITION 2") == 4973


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
    partitioned: Warehouse, own_schema: str, source: str, target: str, number: int
) -> None:
    for table, check in (("a", source), ("b", target)):
        partitioned.run(
            *made(
                own_schema,
                (f"CREATE TABLE {{s}}.{table} (k int NOT NULL, v int NOT NULL{', ' if check else ''}{check})",),
            )
        )
    switch = f"ALTER TABLE {own_schema}.a SWITCH TO {own_schema}.b"
    if number:
        assert partitioned.number(switch) == number
    else:
        partitioned.run(switch)


def test_trust_is_demanded_where_the_target_has_it(partitioned: Warehouse, own_schema: str) -> None:
    for table in "ab":
        partitioned.run(
            f"CREATE TABLE {own_schema}.{table} (k int NOT NULL, v int, CONSTRAINT {table}{own_schema} CHECK (v > k))"
        )
    switch = f"ALTER TABLE {own_schema}.a SWITCH TO {own_schema}.b"
    partitioned.run(f"ALTER TABLE {own_schema}.a NOCHECK CONSTRAINT a{own_schema}")
    assert partitioned.number(switch) == 4960
    partitioned.run(f"ALTER TABLE {own_schema}.a CHECK CONSTRAINT a{own_schema}")
    assert partitioned.number(switch) == 4960
    partitioned.run(
        f"ALTER TABLE {own_schema}.b NOCHECK CONSTRAINT b{own_schema}",
        f"ALTER TABLE {own_schema}.b CHECK CONSTRAINT b{own_schema}",
        switch,
    )


# ---- foreign keys ------------------------------------------------------------------------------------------------
def test_foreign_keys_of_the_target_must_be_on_the_source(partitioned: Warehouse, own_schema: str) -> None:
    reference = f"REFERENCES {own_schema}.parent (k)"
    partitioned.run(
        f"CREATE TABLE {own_schema}.parent (k int NOT NULL PRIMARY KEY)",
        f"INSERT {own_schema}.parent VALUES (1)",
        f"CREATE TABLE {own_schema}.a (k int NOT NULL)",
        f"CREATE TABLE {own_schema}.b (k int NOT NULL, CONSTRAINT fk_b{own_schema} FOREIGN KEY (k) {reference})",
    )
    switch = f"ALTER TABLE {own_schema}.a SWITCH TO {own_schema}.b"
    assert partitioned.number(switch) == 4968
    partitioned.run(
        f"ALTER TABLE {own_schema}.a WITH NOCHECK ADD CONSTRAINT fk_a{own_schema} FOREIGN KEY (k) {reference}"
    )
    assert partitioned.number(switch) == 4974
    partitioned.run(f"ALTER TABLE {own_schema}.a NOCHECK CONSTRAINT fk_a{own_schema}")
    assert partitioned.number(switch) == 4969
    partitioned.run(f"ALTER TABLE {own_schema}.a WITH CHECK CHECK CONSTRAINT fk_a{own_schema}", switch)


def test_a_referenced_table_gives_no_partition_away_and_is_not_truncated(
    partitioned: Warehouse, own_schema: str
) -> None:
    partitioned.run(
        *(f"CREATE TABLE {own_schema}.{t} (k int NOT NULL PRIMARY KEY)" for t in "ab"),
        f"CREATE TABLE {own_schema}.child (k int NOT NULL REFERENCES {own_schema}.a (k))",
        f"INSERT {own_schema}.a VALUES (1)",
        f"INSERT {own_schema}.child VALUES (1)",
    )
    assert partitioned.number(f"ALTER TABLE {own_schema}.a SWITCH TO {own_schema}.b") == 4967
    assert partitioned.number(f"TRUNCATE TABLE {own_schema}.a") == 4712
    assert partitioned.number(f"DELETE {own_schema}.a") == 547
    assert partitioned.number(f"INSERT {own_schema}.child VALUES (2)") == 547
    assert partitioned.number(f"DROP TABLE {own_schema}.a") == 3726
    assert partitioned.rows(
        "SELECT COUNT(*) FROM sys.foreign_keys AS f JOIN sys.foreign_key_columns AS c"
        " ON c.constraint_object_id = f.object_id"
        f" WHERE f.referenced_object_id = OBJECT_ID(N'{own_schema}.a')"
    ) == [(1,)]
    partitioned.run(f"DELETE {own_schema}.child")
    assert partitioned.number(f"ALTER TABLE {own_schema}.a SWITCH TO {own_schema}.b") == 4967


# ---- filegroups --------------------------------------------------------------------------------------------------
def test_rows_stay_in_their_filegroup(partitioned: Warehouse, own_schema: str) -> None:
    partitioned.run(
        f"CREATE TABLE {own_schema}.p (k int NOT NULL, v varchar(max)) ON psf(k)",
        f"CREATE TABLE {own_schema}.q (k int NOT NULL, v varchar(max)) ON ps(k)",
        f"CREATE TABLE {own_schema}.a (k int NOT NULL, v varchar(max)) ON fg1",
        f"CREATE TABLE {own_schema}.b (k int NOT NULL, v varchar(max)) ON [PRIMARY]",
        f"CREATE TABLE {own_schema}.lob (k int NOT NULL, v varchar(max)) ON fg1 TEXTIMAGE_ON fg2",
        f"CREATE TABLE {own_schema}.lob1 (k int NOT NULL, v varchar(max)) ON fg1 TEXTIMAGE_ON fg1",
    )
    assert partitioned.number(f"ALTER TABLE {own_schema}.p SWITCH PARTITION 2 TO {own_schema}.q PARTITION 2") == 4938
    assert partitioned.number(f"ALTER TABLE {own_schema}.p SWITCH PARTITION 2 TO {own_schema}.b") == 4939
    assert partitioned.number(f"ALTER TABLE {own_schema}.a SWITCH TO {own_schema}.b") == 4940
    assert partitioned.number(f"ALTER TABLE {own_schema}.p SWITCH PARTITION 2 TO {own_schema}.lob") == 4959
    partitioned.run(f"ALTER TABLE {own_schema}.p SWITCH PARTITION 2 TO {own_schema}.lob1")
    groups = (
        "SELECT d.destination_id, f.name FROM sys.destination_data_spaces AS d JOIN sys.filegroups AS f"
        " ON f.data_space_id = d.data_space_id JOIN sys.partition_schemes AS s ON s.data_space_id = d.partition_scheme_id"
        " WHERE s.name = N'{}' ORDER BY 1"
    )
    assert partitioned.rows(groups.format("psf")) == [(1, "PRIMARY"), (2, "fg1"), (3, "fg2")]


def test_a_read_only_filegroup_takes_no_part(partitioned: Warehouse, own_schema: str) -> None:
    partitioned.run(*(f"CREATE TABLE {own_schema}.{t} (k int NOT NULL) ON cold" for t in "ab"))
    partitioned.run("ALTER DATABASE CURRENT MODIFY FILEGROUP cold READ_ONLY")
    assert partitioned.number(f"ALTER TABLE {own_schema}.a SWITCH TO {own_schema}.b") == 4979
    assert partitioned.number(f"TRUNCATE TABLE {own_schema}.a") == 4707
    assert partitioned.rows("SELECT is_read_only FROM sys.filegroups WHERE name = N'cold'") == [(True,)]
    partitioned.run(
        "ALTER DATABASE CURRENT MODIFY FILEGROUP cold READ_WRITE",
        f"ALTER TABLE {own_schema}.a SWITCH TO {own_schema}.b",
    )
