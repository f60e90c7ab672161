"""UUIDs between the text that drivers return and the sixteen bytes of lake and warehouse."""

from __future__ import annotations

import uuid
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dltsync_core.typemap.uuids import UUID, is_uuid, storage, texts_of, type_name, uuids_of

KNOWN = "6F9619FF-8B86-D011-B42D-00C04FC964FF"
"""SQL Server stores it as FF19966F868B11D0B42D00C04FC964FF: the first three groups reversed."""

some_uuids = st.lists(st.one_of(st.none(), st.uuids()), max_size=40)
cuts = st.tuples(st.integers(0, 40), st.integers(0, 40))


def _texts(values: list[uuid.UUID | None], kind: pa.DataType, *, upper: bool) -> pa.Array[Any]:
    written = [None if v is None else str(v).upper() if upper else str(v) for v in values]
    return pa.array(written, kind)


def test_the_bytes_are_in_the_order_of_the_text() -> None:
    found = uuids_of(pa.array([KNOWN, None], pa.string()))
    assert found.type == UUID
    assert storage(found).to_pylist() == [bytes.fromhex(KNOWN.replace("-", "")), None]
    assert found.to_pylist() == [uuid.UUID(KNOWN), None]


@given(some_uuids, cuts, st.sampled_from([pa.string(), pa.large_string()]), st.booleans())
def test_text_becomes_the_uuid_that_python_reads_in_it(
    values: list[uuid.UUID | None], cut: tuple[int, int], kind: pa.DataType, upper: bool
) -> None:
    """Slices too: an Arrow array need not begin where its buffers do."""
    part = slice(cut[0], cut[0] + cut[1])
    texts = _texts(values, kind, upper=upper).slice(*cut)
    assert uuids_of(texts).to_pylist() == values[part]


@given(some_uuids, cuts)
def test_text_and_back_is_the_text_of_the_server(values: list[uuid.UUID | None], cut: tuple[int, int]) -> None:
    uuids = pa.array([None if v is None else v.bytes for v in values], pa.binary(16)).cast(UUID).slice(*cut)
    expected = _texts(values, pa.large_string(), upper=True).slice(*cut)
    assert texts_of(uuids).equals(expected)
    assert uuids_of(texts_of(uuids)).equals(uuids)


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        KNOWN[:-1],
        f"{{{KNOWN[1:-1]}}}",
        KNOWN.replace("-", "+"),
        KNOWN.replace("6F", "6G"),
        KNOWN.replace("6F", "6ł"),
    ],
)
def test_another_text_is_refused(wrong: str) -> None:
    with pytest.raises(pa.ArrowInvalid, match="a UUID"):
        uuids_of(pa.array([KNOWN, wrong, None]))


def test_one_question_recognises_the_type() -> None:
    assert [is_uuid(kind) for kind in (UUID, pa.uuid(), pa.binary(16), pa.string())] == [True, True, False, False]
    assert [type_name(kind) for kind in (UUID, pa.binary(16))] == ["uuid", "fixed_size_binary[16]"]
