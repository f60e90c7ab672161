"""What each type becomes, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

from dltsync_core.catalog.facts import PartitioningFacts, TableFacts
from dltsync_core.config import PartitionTableConfig, RepresentationConfig, SCDTableConfig, StaticTableConfig
from dltsync_core.errors import CatalogError, ColumnNotFound, ConfigError, UnsupportedColumn
from dltsync_core.typemap import ColumnMapping, SourceForm, map_columns
from tests.support.table_facts import column, partitioned, table


def _one(type_name: str, representation: str | None = None, **facts: Any) -> ColumnMapping:
    config = StaticTableConfig(table_name="t", column_representation={"c": representation} if representation else {})
    return map_columns(table(column("c", type_name, **facts)), config).columns[0]


@pytest.mark.parametrize(
    ("type_name", "facts", "arrow"),
    [
        ("bit", {}, pa.bool_()),
        ("tinyint", {}, pa.int16()),
        ("smallint", {}, pa.int16()),
        ("int", {}, pa.int32()),
        ("bigint", {}, pa.int64()),
        ("decimal", {}, pa.decimal128(38, 10)),
        (
            "numeric",
            {"precision": 5, "scale": 0},
            pa.decimal128(5, 0),
        ),
        ("money", {}, pa.decimal128(19, 4)),
        ("smallmoney", {}, pa.decimal128(10, 4)),
        ("float", {}, pa.float64()),
        ("real", {}, pa.float32()),
        ("date", {}, pa.date32()),
        ("datetime", {}, pa.timestamp("ms")),
        ("smalldatetime", {}, pa.timestamp("ms")),
        ("datetime2", {"scale": 6}, pa.timestamp("us")),
        ("datetime2", {"scale": 7}, pa.timestamp("ns")),
        ("time", {"scale": 6}, pa.time64("us")),
        ("time", {"scale": 7}, pa.string()),
        ("datetimeoffset", {}, pa.string()),
        ("char", {}, pa.string()),
        ("nvarchar", {}, pa.string()),
        ("nvarchar", {"max_length": -1}, pa.large_string()),
        ("binary", {}, pa.binary()),
        ("varbinary", {"max_length": -1}, pa.large_binary()),
        ("rowversion", {}, pa.binary()),
        ("uniqueidentifier", {}, pa.uuid()),
        ("xml", {"max_length": -1}, pa.large_string()),
        ("image", {"max_length": 16}, pa.large_binary()),
        ("json", {"max_length": -1}, pa.large_string()),
        ("hierarchyid", {"max_length": 892, "is_clr": True}, pa.string()),
        ("geometry", {"max_length": -1, "is_clr": True}, pa.large_binary()),
        ("geography", {"max_length": -1, "is_clr": True}, pa.large_binary()),
        ("point", {"max_length": 17, "is_clr": True}, pa.large_binary()),
        ("datetime2", {"scale": 7, "generated": "row_end"}, pa.string()),
    ],
)
def test_every_type_has_one_exact_form(type_name: str, facts: dict[str, Any], arrow: pa.DataType) -> None:
    mapping = _one(type_name, **facts)
    assert mapping.field.type == arrow
    assert mapping.lossless


@pytest.mark.parametrize(
    ("type_name", "representation", "arrow", "source", "lossless"),
    [
        ("datetime2", "nanoseconds", pa.timestamp("ns"), SourceForm.WITH_NANOSECONDS, True),
        ("datetime2", "microseconds", pa.timestamp("us"), SourceForm.CHECKED_MICROSECONDS, True),
        ("datetime2", "text", pa.string(), SourceForm.SERVER_TEXT, True),
        ("time", "microseconds", pa.time64("us"), SourceForm.CHECKED_MICROSECONDS, True),
        ("datetimeoffset", "utc", pa.timestamp("us", tz="UTC"), SourceForm.CHECKED_MICROSECONDS, False),
        ("varchar", "bytes", pa.binary(), SourceForm.AS_BYTES, True),
        ("ntext", "bytes", pa.large_binary(), SourceForm.AS_BYTES, True),
        ("uniqueidentifier", "uuid", pa.uuid(), SourceForm.PLAIN, True),
        ("uniqueidentifier", "text", pa.string(), SourceForm.PLAIN, True),
        ("hierarchyid", "bytes", pa.large_binary(), SourceForm.AS_BYTES, True),
        ("geometry", "wkb", pa.large_binary(), SourceForm.AS_WKB, False),
        ("geography", "text", pa.large_string(), SourceForm.AS_WKT, False),
        ("sql_variant", "text", pa.large_string(), SourceForm.SERVER_TEXT, False),
        ("vector", "text", pa.large_string(), SourceForm.AS_MAX, False),
        ("datetimeoffset", "text", pa.string(), SourceForm.OFFSET_TEXT, True),
        ("datetime2", "open_end", pa.timestamp("us"), SourceForm.OPEN_END, True),
        ("datetimeoffset", "utc_open_end", pa.timestamp("us", tz="UTC"), SourceForm.OPEN_END, False),
    ],
)
def test_a_representation_can_be_chosen(
    type_name: str, representation: str, arrow: pa.DataType, source: SourceForm, lossless: bool
) -> None:
    mapping = _one(type_name, representation)
    assert (mapping.field.type, mapping.source, mapping.lossless) == (arrow, source, lossless)
    assert mapping.contract["lossless"] is lossless


@pytest.mark.parametrize(
    ("type_name", "representation"),
    [
        ("datetime2", "utc"),
        ("time", "nanoseconds"),
        ("date", "text"),
        ("int", "text"),
        ("decimal", "text"),
        ("varbinary", "text"),
        ("varchar", "microseconds"),
        ("xml", "bytes"),
        ("geometry", "utc"),
        ("datetimeoffset", "nanoseconds"),
    ],
)
def test_a_representation_must_fit_the_type(type_name: str, representation: str) -> None:
    with pytest.raises(ConfigError, match="column_representation"):
        _one(type_name, representation)


@pytest.mark.parametrize(
    ("type_name", "facts", "said"),
    [
        ("sql_variant", {}, "different type in every row"),
        ("vector", {}, "eight of a number"),
        ("madeup", {}, "does not know"),
        ("int", {"is_masked": True}, "grant UNMASK"),
        ("int", {"is_encrypted": True}, "ciphertext"),
    ],
)
def test_what_cannot_be_exact_is_refused_with_a_way_out(type_name: str, facts: dict[str, Any], said: str) -> None:
    with pytest.raises(UnsupportedColumn) as caught:
        _one(type_name, **facts)
    assert said in str(caught.value)
    assert "exclude_columns" in str(caught.value)
    rest = table(column("c", type_name, **facts), column("other", "int", 2))
    config = StaticTableConfig(table_name="t", exclude_columns=["C"])
    assert map_columns(rest, config).schema.names == ["other"]


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"type_name": "xml", "is_column_set": True}, "sparse columns, which are loaded one by one"),
        ({"type_name": "bigint", "is_graph_internal": True, "is_hidden": True}, "cannot be selected"),
        ({"type_name": "datetime2", "is_hidden": True}, "name it in include_columns"),
    ],
)
def test_what_needs_nobody_s_decision_is_left_out_and_said(facts: dict[str, Any], reason: str) -> None:
    mapping = map_columns(table(column("c", **facts), column("a", "int", 2)), StaticTableConfig(table_name="t"))
    assert mapping.schema.names == ["a"]
    assert [(left.name, reason in left.reason) for left in mapping.left_out] == [("c", True)]


def test_a_column_set_or_graph_internal_that_is_asked_for_is_refused() -> None:
    for facts in ({"is_column_set": True}, {"is_graph_internal": True}):
        shape = table(column("c", "xml", **facts), column("a", "int", 2))
        with pytest.raises(UnsupportedColumn, match="column c"):
            map_columns(shape, StaticTableConfig(table_name="t", include_columns=["c"]))


def test_text_of_a_code_page_is_read_by_the_server_and_other_text_by_the_driver() -> None:
    """The driver makes a question mark of a byte that its own table lacks: it is asked for Unicode instead."""
    forms = {
        "Latin1_General_CI_AS": SourceForm.AS_UNICODE,
        "Japanese_CI_AS": SourceForm.AS_UNICODE,
        "Latin1_General_100_CI_AS_SC_UTF8": SourceForm.PLAIN,
    }
    assert {name: _one("varchar", collation=name).source for name in forms} == forms
    assert _one("nvarchar").source is SourceForm.PLAIN


def test_the_contract_says_where_a_value_comes_from_and_what_is_lost() -> None:
    computed = _one("int", is_computed=True).contract
    assert (computed["origin"], computed["lost"]) == (
        "computed (not persisted: the server computes it at each read)",
        "",
    )
    assert _one("int", is_computed=True, is_persisted=True).contract["origin"] == "computed (persisted)"
    assert _one("nvarchar", alias_name="Phone", is_sparse=True).contract["origin"] == "sparse; declared as Phone"
    assert "9999-12-31 23:59:59.9999999" in _one("datetime2", generated="row_end").contract["origin"]
    assert (
        _one("varbinary", max_length=-1, is_filestream=True).contract["origin"] == "FILESTREAM, read as varbinary(max)"
    )
    utc = _one("datetimeoffset", "utc").contract
    assert (utc["lossless"], utc["lost"]) == (False, "the offset")


def test_nullability_declared_type_and_collation_stay_with_the_field() -> None:
    schema = map_columns(
        table(column("a", "decimal", is_nullable=False), column("b", "nvarchar", 2)), StaticTableConfig(table_name="t")
    ).schema
    assert [field.nullable for field in schema] == [False, True]
    assert schema.field("a").metadata == {b"dltsync.sql_type": b"decimal(38,10)"}
    assert schema.field("b").metadata == {
        b"dltsync.sql_type": b"nvarchar(50)",
        b"dltsync.collation": b"Latin1_General_CI_AS",
    }


def test_hidden_columns_come_only_by_name() -> None:
    facts = table(column("a", "int"), column("valid_from", "datetime2", 2, is_hidden=True))
    assert map_columns(facts, StaticTableConfig(table_name="t")).schema.names == ["a"]
    named = StaticTableConfig(table_name="t", include_columns=["A", "Valid_From"])
    assert map_columns(facts, named).schema.names == ["a", "valid_from"]


def test_a_wrong_column_name_suggests_the_nearest() -> None:
    with pytest.raises(ColumnNotFound, match="did you mean LastModified"):
        map_columns(
            table(column("LastModified", "datetime2")),
            StaticTableConfig(table_name="t", exclude_columns=["LastModfied"]),
        )


def _versions() -> TableFacts:
    return table(
        column("k", "int"),
        column("EffectiveDate", "datetime2", 2),
        column("EndDate", "datetime2", 3),
        column("IsLatest", "bit", 4),
        column("LastModified", "datetime2", 5),
    )


def test_the_end_date_of_versions_reaches_year_9999() -> None:
    config = SCDTableConfig(table_name="t", last_modified_column="LastModified")
    types = {m.name: m.field.type for m in map_columns(_versions(), config).columns}
    assert types["EndDate"] == pa.timestamp("us")
    assert types["EffectiveDate"] == pa.timestamp("ns")
    end = map_columns(_versions(), config).contracts()["EndDate"]
    assert (end["lossless"], end["representation"]) == (True, "open_end")
    assert end["note"].startswith(
        "open end: the type's maximum 9999-12-31 23:59:59.9999999 is stored as 9999-12-31 23:59:59.999999"
    )
    chosen = SCDTableConfig(
        table_name="t", last_modified_column="LastModified", column_representation={"enddate": "text"}
    )
    ours = map_columns(_versions(), chosen).column("ENDDATE")
    assert ours is not None
    assert ours.field.type == pa.string()


@pytest.mark.parametrize(
    ("kind", "scale", "generated", "asked", "kept"),
    [
        ("datetime2", 7, "", {}, "open_end"),
        ("datetime2", 7, "", {"datetime2": "text"}, "open_end"),
        ("datetime2", 7, "row_end", {}, "open_end"),
        ("datetime2", 6, "", {}, "plain"),
        ("datetimeoffset", 7, "", {}, "offset_text"),
        ("datetimeoffset", 7, "", {"datetimeoffset": "utc"}, "open_end"),
        ("datetimeoffset", 3, "", {"datetimeoffset": "utc"}, "plain"),
        ("date", 0, "", {}, "plain"),
    ],
)
def test_every_type_of_an_end_date_keeps_its_maximum(
    kind: str, scale: int, generated: Any, asked: dict[str, Any], kept: str
) -> None:
    end = column("EndDate", kind, 3, scale=scale, generated=generated)
    facts = replace(_versions(), columns=(*_versions().columns[:2], end, *_versions().columns[3:]))
    config = SCDTableConfig(table_name="t", last_modified_column="LastModified")
    assert map_columns(facts, config, RepresentationConfig(**asked)).contracts()["EndDate"]["representation"] == kept


@pytest.mark.parametrize(("kind", "kept"), [("datetime2", "open_end"), ("datetimeoffset", "utc_open_end")])
def test_a_partition_column_has_no_open_end(kind: str, kept: str) -> None:
    """The type's maximum may be a boundary: as it is stored it lies below that."""
    at = column("at", kind)
    facts = replace(table(at), partitioning=PartitioningFacts("pf", "ps", at, "right", ()))
    with pytest.raises(ConfigError, match="partitioned by at, which cannot have the representation"):
        map_columns(facts, PartitionTableConfig(table_name="t", column_representation={"at": kept}))
    whole = StaticTableConfig(table_name="t", column_representation={"at": kept})
    assert map_columns(facts, whole).contracts()["at"]["representation"] == "open_end"


@pytest.mark.parametrize(
    ("kind", "scale", "asked", "form", "lossless"),
    [
        ("datetime2", 7, {"datetime2": "microseconds"}, pa.timestamp("us"), True),
        ("datetime2", 7, {"datetime2": "text"}, pa.string(), True),
        ("datetime2", 3, {"datetime2": "text"}, pa.timestamp("us"), True),
        ("datetime2", 7, {"time": "microseconds"}, pa.timestamp("ns"), True),
        ("time", 7, {"time": "microseconds"}, pa.time64("us"), True),
        ("time", 0, {"time": "text"}, pa.time64("us"), True),
        ("datetimeoffset", 7, {"datetimeoffset": "utc"}, pa.timestamp("us", tz="UTC"), False),
        ("datetimeoffset", 0, {"datetimeoffset": "utc"}, pa.timestamp("us", tz="UTC"), False),
        ("geography", 0, {"geography": "wkb", "geometry": "text"}, pa.large_binary(), False),
        ("sql_variant", 0, {"sql_variant": "text"}, pa.large_string(), False),
        ("vector", 0, {"vector": "text"}, pa.large_string(), False),
    ],
)
def test_a_choice_for_all_tables_holds_for_every_column_of_its_type(
    kind: str, scale: int, asked: dict[str, Any], form: pa.DataType, lossless: bool
) -> None:
    facts = table(column("c", kind, scale=scale))
    config = StaticTableConfig(table_name="t")
    (mapping,) = map_columns(facts, config, RepresentationConfig(**asked)).columns
    assert (mapping.field.type, mapping.lossless) == (form, lossless)


def test_what_is_said_of_a_column_wins_over_what_is_said_of_its_type() -> None:
    defaults = RepresentationConfig(datetime2="text", datetimeoffset="utc")
    facts = table(
        column("a", "datetime2"),
        column("b", "datetime2", 2),
        column("c", "datetimeoffset", 3),
        column("until", "datetime2", 4, generated="row_end"),
    )
    config = StaticTableConfig(table_name="t", column_representation={"A": "nanoseconds", "C": "text"})
    found = {m.name: str(m.field.type) for m in map_columns(facts, config, defaults).columns}
    assert found == {"a": "timestamp[ns]", "b": "string", "c": "string", "until": "string"}
    (*_, until) = map_columns(facts, config, RepresentationConfig(datetime2="nanoseconds")).columns
    assert until.field.type == pa.string()
    same = map_columns(
        facts, config.model_copy(update={"column_representation": {"a": "nanoseconds", "b": "text", "c": "text"}})
    )
    assert same.schema_digest == map_columns(facts, config, defaults).schema_digest, "wherever it is written"


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("text", "timestamp[ns]", "timestamp[us]"),
        ("microseconds", "timestamp[us]", "timestamp[us]"),
        ("nanoseconds", "timestamp[ns]", "timestamp[us]"),
    ],
)
def test_the_dates_of_versions_stay_dates_and_reach_year_9999(asked: Any, start: str, end: str) -> None:
    config = SCDTableConfig(table_name="t", last_modified_column="LastModified")
    mapping = map_columns(_versions(), config, RepresentationConfig(datetime2=asked))
    found = {m.name: str(m.field.type) for m in mapping.columns}
    assert (found["EffectiveDate"], found["EndDate"]) == (start, end)
    own = config.model_copy(update={"column_representation": {"EffectiveDate": "text"}})
    effective = map_columns(_versions(), own, RepresentationConfig(datetime2=asked)).column("EffectiveDate")
    assert effective is not None
    assert effective.field.type == pa.string()


def test_what_a_kind_needs_cannot_be_left_out() -> None:
    with pytest.raises(ConfigError, match=r"IsLatest \(is_latest_column\) is left out"):
        map_columns(
            _versions(),
            SCDTableConfig(table_name="t", last_modified_column="LastModified", exclude_columns=["IsLatest"]),
        )
    by = column("d", "date")
    facts = table(by, column("x", "int", 2), partitioning=partitioned(by, ["2024-01-01"], "right"))
    with pytest.raises(ConfigError, match="the partition column"):
        map_columns(facts, PartitionTableConfig(table_name="t", include_columns=["x"]))
    with pytest.raises(ConfigError, match="no column is left"):
        map_columns(table(column("a", "int")), StaticTableConfig(table_name="t", exclude_columns=["a"]))


def test_columns_that_differ_in_case_alone_are_refused() -> None:
    with pytest.raises(CatalogError, match="differ only in case"):
        map_columns(table(column("a", "int"), column("A", "int", 2)), StaticTableConfig(table_name="t"))


def test_the_schema_digest_sees_every_change_of_shape() -> None:
    config = StaticTableConfig(table_name="t")
    shapes = [
        table(column("a", "int")),
        table(column("b", "int")),
        table(column("a", "bigint")),
        table(column("a", "int", is_nullable=False)),
        table(column("a", "int"), column("b", "int", 2)),
        table(column("b", "int"), column("a", "int", 2)),
        table(column("a", "nvarchar")),
        table(column("a", "nvarchar", max_length=102)),
        table(column("a", "nvarchar", collation="Latin1_General_CS_AS")),
    ]
    digests = {map_columns(shape, config).schema_digest for shape in shapes}
    assert len(digests) == len(shapes)
    assert map_columns(shapes[0], config).schema_digest in digests


def test_the_schema_digest_sees_another_representation_and_nothing_else() -> None:
    """A file written with another form is another shape; the reason a column is left out is not."""
    shape = table(column("a", "datetime2"), column("g", "geometry", 2, is_clr=True), column("n", "nvarchar", 3))
    chosen: list[dict[str, Any]] = [
        {},
        {"a": "text"},
        {"a": "microseconds"},
        {"g": "wkb"},
        {"g": "text"},
        {"n": "bytes"},
    ]
    digests = [
        map_columns(shape, StaticTableConfig(table_name="t", column_representation=kept)).schema_digest
        for kept in chosen
    ]
    assert len(set(digests)) == len(chosen)
    wider = table(*shape.columns, column("h", "int", 4, is_hidden=True))
    assert map_columns(wider, StaticTableConfig(table_name="t")).schema_digest == digests[0]
