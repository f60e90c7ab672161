"""Types the sandbox cannot hold: exact bytes as a server would send them, through the whole pipeline to DuckDB.

What is asked of the server is a literal fact too: another expression in the SELECT gets no answer from the tin.
"""

from __future__ import annotations

import json
from contextlib import closing
from typing import Any

import pytest

from dltsync_core.connect.data import open_data_session
from tests.support import canned_answers as canned
from tests.support.type_tables import TypeTables, errors


def system_type(name: str, number: int, *, system: int | None = None, clr: bool = False, own: bool = False) -> Any:
    """A row of sys.types."""
    return {
        "name": name, "system_type_id": system if system is not None else number, "user_type_id": number, "schema_id": 4,
        "max_length": -1, "precision": 0, "scale": 0, "is_user_defined": own, "is_assembly_type": clr,
        "default_object_id": 0, "rule_object_id": 0, "is_table_type": False,
    }  # fmt: skip


TYPES = [
    system_type("hierarchyid", 128, system=240, clr=True),
    system_type("geometry", 129, system=240, clr=True),
    system_type("geography", 130, system=240, clr=True),
    system_type("json", 244),
    system_type("vector", 255),
    system_type("Money2", 300, system=108, own=True),
    system_type("Complex", 301, system=240, clr=True, own=True),
]


def of_type(user: int, system: int = 240, length: int = -1, **more: Any) -> dict[str, Any]:
    return {"user_type_id": user, "system_type_id": system, "max_length": length, "collation_name": None, **more}


COLUMNS = {
    "a_path": of_type(128, length=892),
    "path_bytes": of_type(128, length=892),
    "a_shape": of_type(129),
    "shape_wkb": of_type(129),
    "place_text": of_type(130),
    "a_variant": of_type(98, 98, 8016),
    "a_json": of_type(244, 244),
    "a_vector": of_type(255, 255, 20),
    "own_clr": of_type(301),
    "an_alias": of_type(300, 108, 9, precision=12, scale=4),
    "cyrillic": {"collation_name": "Cyrillic_General_CI_AS"},
    "japanese": {"collation_name": "Japanese_CI_AS"},
    "utf8": {"collation_name": "Latin1_General_100_CI_AS_SC_UTF8"},
}
PLACEHOLDERS = ", ".join(
    f"{name} {'varchar(20)' if name in ('cyrillic', 'japanese', 'utf8') else 'int'} NULL" for name in COLUMNS
)
KEPT = {
    "path_bytes": "bytes", "shape_wkb": "wkb", "place_text": "text", "a_variant": "text", "a_vector": "text", "halves": "bytes",
}  # fmt: skip
POINT = bytes.fromhex("E6100000010C0000000000002440000000000000F03F")
POINT_WKB = bytes.fromhex("01010000000000000000002440000000000000F03F")
VARIANT = "decimal:1.50"
DECIMAL_12_4 = b"\x6c\x09\x0c\x04"
VARIANT_TEXT = r"\(SELECT t\.base \+ N':' \+ CASE .* END AS base\) AS t\) AS \[a_variant\]"
SELECT = (
    r"SELECT \[id\], \[a_path\]\.ToString\(\) AS \[a_path\], CAST\(\[path_bytes\] AS varbinary\(max\)\) AS \[path_bytes\], "
    r"CAST\(\[a_shape\] AS varbinary\(max\)\) AS \[a_shape\], \[shape_wkb\]\.AsBinaryZM\(\) AS \[shape_wkb\], "
    r"\[place_text\]\.AsTextZM\(\) AS \[place_text\], " + VARIANT_TEXT + ", "
    r"CAST\(\[a_json\] AS nvarchar\(max\)\) AS \[a_json\], CAST\(\[a_vector\] AS nvarchar\(max\)\) AS \[a_vector\], "
    r"CAST\(\[own_clr\] AS varbinary\(max\)\) AS \[own_clr\], \[an_alias\], "
    r"CAST\(\[cyrillic\] AS nvarchar\(20\)\) AS \[cyrillic\], CAST\(\[japanese\] AS nvarchar\(20\)\) AS \[japanese\], \[utf8\], "
    r"CAST\(\[an_xml\] AS nvarchar\(max\)\) AS \[an_xml\], CAST\(\[halves\] AS varbinary\(40\)\) AS \[halves\] "
    r"FROM \[{s}\]\.\[odd\]"
)
DIGEST = r"SELECT COUNT_BIG\(\*\) AS n, .*HASHBYTES.*FROM \[{s}\]\.\[{t}\]\) AS x\) AS h"
DIGEST_COLUMNS = {"n": canned.BIGINT, "s1": canned.varchar(50), "s2": canned.varchar(50)}

SENT: dict[str, tuple[bytes, bytes, bytes]] = {
    "id": (canned.INT, canned.integer(1), canned.integer(2)),
    "a_path": (
        canned.nvarchar(4000),
        canned.short(canned.utf16("/1/2.1/")),
        canned.short(None),
    ),
    "path_bytes": (canned.VARBINARY_MAX, canned.long(b"\x5b\x40"), canned.long(None)),
    "a_shape": (canned.VARBINARY_MAX, canned.long(POINT), canned.long(None)),
    "shape_wkb": (canned.VARBINARY_MAX, canned.long(POINT_WKB), canned.long(None)),
    "place_text": (
        canned.NVARCHAR_MAX,
        canned.long(canned.utf16("POINT (10 1 2 3)")),
        canned.long(None),
    ),
    "a_variant": (
        canned.NVARCHAR_MAX,
        canned.long(canned.utf16(VARIANT)),
        canned.long(None),
    ),
    "a_json": (
        canned.NVARCHAR_MAX,
        canned.long(canned.utf16('{"ł":"😀"}')),
        canned.long(None),
    ),
    "a_vector": (
        canned.NVARCHAR_MAX,
        canned.long(canned.utf16("[1.0000000e-001]")),
        canned.long(None),
    ),
    "own_clr": (canned.VARBINARY_MAX, canned.long(b"\x00\x01"), canned.long(None)),
    "an_alias": (DECIMAL_12_4, b"\x09\x01" + (123456789).to_bytes(8, "little"), b"\0"),
    "cyrillic": (
        canned.nvarchar(20),
        canned.short(canned.utf16("При\0вет\x98")),
        canned.short(None),
    ),
    "japanese": (
        canned.nvarchar(20),
        canned.short(canned.utf16("日本語ｱ～")),
        canned.short(None),
    ),
    "utf8": (
        canned.varchar(20, canned.UTF8),
        canned.short("Łódź😀".encode()),
        canned.short(None),
    ),
    "an_xml": (
        canned.NVARCHAR_MAX,
        canned.long(canned.utf16("<a>ł</a>")),
        canned.long(b""),
    ),
    "halves": (
        canned.VARBINARY_MAX[:1] + b"\x28\x00",
        canned.short(canned.utf16("a\ud83d")),
        canned.short(b""),
    ),
}
FOUND: dict[str, tuple[Any, Any]] = {
    "id": (1, 2),
    "a_path": ("/1/2.1/", None),
    "path_bytes": (b"\x5b\x40", None),
    "a_shape": (POINT, None),
    "shape_wkb": (POINT_WKB, None),
    "place_text": ("POINT (10 1 2 3)", None),
    "a_variant": ("decimal:1.50", None),
    "a_json": ('{"ł":"😀"}', None),
    "a_vector": ("[1.0000000e-001]", None),
    "own_clr": (b"\x00\x01", None),
    "an_alias": ("12345.6789", None),
    "cyrillic": ("При\0вет\x98", None),
    "japanese": ("日本語ｱ～", None),
    "utf8": ("Łódź😀", None),
    "an_xml": ("<a>ł</a>", ""),
    "halves": (b"a\x00\x3d\xd8", b""),
}


def test_every_type_arrives_as_its_bytes_say(canned_house: TypeTables) -> None:
    house = canned_house
    house.create(
        "odd",
        f"id int NOT NULL PRIMARY KEY, {PLACEHOLDERS}, an_xml xml NULL, halves nvarchar(20) NULL",
        column_representation=KEPT,
    )
    house.execute("INSERT INTO {s}.odd (id) VALUES (1), (2)")
    select = canned.answer(
        SELECT.replace("{s}", house.schema),
        {name: sent[0] for name, sent in SENT.items()},
        *[[sent[row] for sent in SENT.values()] for row in (1, 2)],
        is_pattern=True,
    )
    digest = canned.answer(
        DIGEST.replace("{s}", house.schema).replace("{t}", "odd"),
        DIGEST_COLUMNS,
        [canned.bigint(2), canned.short(b"17"), canned.short(b"-4")],
        is_pattern=True,
    )
    canned.put_up(
        house.connection,
        answers=[select, digest],
        columns={f"{house.schema}.odd": COLUMNS},
        rows={"sys.types": TYPES},
    )
    result = house.run()
    assert errors(result) == []
    items = ", ".join("CAST(an_alias AS VARCHAR)" if name == "an_alias" else f'"{name}"' for name in SENT)
    for rows in (house.lake("odd", items), house.warehouse("odd", items)):
        assert rows == [tuple(FOUND[name][row] for name in SENT) for row in (0, 1)]
    (footer,) = house.footers("odd")
    contracts = json.loads(footer[b"dltsync.contracts"])
    lossy = {
        name: contract["lost"].split(",")[0].split(":")[0] for name, contract in contracts.items() if contract["lost"]
    }
    assert lossy == {
        "shape_wkb": "the SRID",
        "place_text": "the SRID",
        "a_variant": "each value's declared length",
        "a_vector": "digits",
    }
    assert contracts["an_alias"]["origin"] == "declared as Money2"


def test_what_the_driver_does_to_text_it_cannot_read(canned_house: TypeTables) -> None:
    """The two reasons for what we do with text. Should a driver answer otherwise one day, that can become simpler."""
    house = canned_house
    house.tables["any"] = {}
    undefined = canned.answer("SELECT code_page", {"x": canned.varchar(9)}, [canned.short(b"a\x81\x9db")])
    half = canned.answer("SELECT half_pair", {"x": canned.nvarchar(9)}, [canned.short(canned.utf16("a\ud83db"))])
    canned.put_up(house.connection, answers=[undefined, half])
    with closing(open_data_session(house.config().database)) as session:

        def read(statement: str) -> list[Any]:
            batch = session.rows(statement, (), "looking").next_batch(10)
            assert batch is not None
            return batch.column(0).to_pylist()

        assert read("SELECT code_page") == ["a??b"]
        assert read("SELECT half_pair") == ["a\ufffdb"]


def test_half_of_a_surrogate_pair_stops_the_load_and_names_the_row(canned_house: TypeTables) -> None:
    """The driver hands U+FFFD over for it, without a word. The server stores none, so it cannot be the text itself."""
    house = canned_house
    house.create("halves", "id int NOT NULL PRIMARY KEY, t nvarchar(20) NULL")
    house.execute("INSERT INTO {s}.halves VALUES (41, N'ok'), (42, N'whole')")
    rows = [
        [canned.integer(41), canned.short(canned.utf16("ok"))],
        [canned.integer(42), canned.short(canned.utf16("a\ud83db"))],
    ]
    select = canned.answer(
        f"SELECT [id], [t] FROM [{house.schema}].[halves]",
        {"id": canned.INT, "t": canned.nvarchar(20)},
        *rows,
    )
    canned.put_up(house.connection, answers=[select])
    (said,) = errors(house.run())
    assert f"{house.schema}.halves: column t holds 1 characters that are not Unicode text" in said
    assert "row id = 42" in said
    assert "column_representation: {t: bytes}" in said
    assert house.lake_files("halves") == []


@pytest.mark.parametrize(("stored", "stops"), [(1, False), (0, True), (None, True)])
def test_half_of_a_surrogate_pair_in_a_variant_stops_the_load_as_well(
    canned_house: TypeTables, stored: int | None, stops: bool
) -> None:
    """A variant of nvarchar comes as text like any other, and was loaded with U+FFFD in place of the half."""
    house = canned_house
    house.create(
        "varied", "id int NOT NULL PRIMARY KEY, a_variant int NULL", column_representation={"a_variant": "text"}
    )
    house.execute("INSERT INTO {s}.varied (id) VALUES (41)")
    select = canned.answer(
        r"SELECT \[id\], " + VARIANT_TEXT + rf" FROM \[{house.schema}\]\.\[varied\]",
        {"id": canned.INT, "a_variant": canned.NVARCHAR_MAX},
        [canned.integer(41), canned.long(canned.utf16("nvarchar:a\ud83db"))],
        is_pattern=True,
    )
    digest = canned.answer(
        DIGEST.replace("{s}", house.schema).replace("{t}", "varied"),
        DIGEST_COLUMNS,
        [canned.bigint(1), canned.short(b"17"), canned.short(b"-4")],
        is_pattern=True,
    )
    count = canned.answer(
        r"SELECT SUM\(CAST\(DATALENGTH\(x\.\[c1\]\) - .* AS \[n1\] FROM \( SELECT CAST\(\(SELECT t\.base .* AS \[c1\] "
        rf"FROM \[{house.schema}\]\.\[varied\]\) AS x",
        {"n1": canned.BIGINT},
        [canned.bigint(stored) if stored is not None else b"\0"],
        is_pattern=True,
    )
    variant = {"a_variant": of_type(98, 98, 8016)}
    canned.put_up(
        house.connection,
        answers=[select, digest, count],
        columns={f"{house.schema}.varied": variant},
        rows={"sys.types": TYPES},
    )
    said = errors(house.run())
    if not stops:
        assert said == []
        assert house.warehouse("varied", "a_variant") == [("nvarchar:a\ufffdb",)]
        return
    assert len(said) == 1
    assert f"{house.schema}.varied: column a_variant holds 1 characters that are not Unicode text" in said[0]
    assert "row id = 41" in said[0]
    assert "exclude_columns" in said[0]
    assert house.lake_files("varied") == []


def test_u_fffd_that_is_really_stored_is_loaded(canned_house: TypeTables) -> None:
    house = canned_house
    house.create("mojibake", "id int NOT NULL PRIMARY KEY, t nvarchar(20) NULL")
    house.execute("INSERT INTO {s}.mojibake VALUES (1, N'M\ufffdller \ufffd'), (2, N'plain')")
    assert errors(house.run()) == []
    assert house.warehouse("mojibake", "t") == [("M\ufffdller \ufffd",), ("plain",)]


@pytest.mark.parametrize(
    ("value", "kept", "instruction"),
    [
        ("9999-12-31T23:59:59.9999999", None, "column_representation: {EndDate: open_end}"),
        ("9999-12-31T00:00:00", None, "column_representation: {EndDate: microseconds}"),
        ("2024-01-01T00:00:00.1234567", "microseconds", "column_representation: {EndDate: nanoseconds}"),
    ],
)
def test_an_end_of_time_stops_with_one_instruction_that_helps(
    canned_house: TypeTables, value: str, kept: str | None, instruction: str
) -> None:
    house = canned_house
    house.create(
        "terms",
        "id int NOT NULL PRIMARY KEY, EndDate datetime2(7) NULL",
        column_representation={"EndDate": kept} if kept else {},
    )
    house.execute(f"INSERT INTO {{s}}.terms VALUES (6, '2024-01-01'), (7, '{value}')")
    (said,) = errors(house.run())
    assert "row id = 7" in said
    assert instruction in said
    house.tables["terms"] = {"column_representation": {"EndDate": instruction.rpartition(" ")[2].strip("}")}}
    assert errors(house.run()) == []
    (shown,) = house.warehouse("terms", "CAST(EndDate AS VARCHAR)", "id DESC")[0]
    stored = value[:-1] if "open_end" in instruction else value  # the type's last moment, to the microsecond
    assert str(shown).replace(" ", "T") in (stored, f"{stored}.0000000")
