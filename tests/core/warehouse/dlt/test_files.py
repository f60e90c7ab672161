"""Files go through dlt as they are."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dltsync_core.warehouse.dlt.files import TableFiles, deliver

AWKWARD = pa.table(
    {
        " b ": pa.array(["x"]),
        "o'r\"d]er[s": pa.array([1], pa.int16()),
        "naive": pa.array([0], pa.timestamp("ns")),
        "utc": pa.array([0], pa.timestamp("us", tz="UTC")),
        "exact": pa.array(["1.5"]).cast(pa.decimal128(38, 10)),
        "bytes": pa.array([b"x"], pa.large_binary()),
        "Case": pa.array([True]),
        "uuid": pa.array([b"x" * 16], pa.binary(16)).cast(pa.uuid()),
    }
)


def test_a_file_reaches_the_sink_unwritten_in_the_thread_that_called(tmp_path: Path) -> None:
    """A file that dlt writes anew would cost its reading, and could lose what dlt does not know of."""
    published = [tmp_path / f"{number}.parquet" for number in range(3)]
    for path in published:
        pq.write_table(AWKWARD, path, version="2.6")
    seen: list[tuple[str, Path]] = []
    handler = signal.getsignal(signal.SIGINT)

    def sink(name: str, path: Path) -> None:
        assert threading.current_thread() is threading.main_thread()
        assert signal.getsignal(signal.SIGINT) is handler, "Ctrl-C stays the run's own"
        seen.extend((name, original) for original in published if original.samefile(path))

    tables = {"one": TableFiles(AWKWARD.schema, published[:2]), "two": TableFiles(AWKWARD.schema, published[2:])}
    deliver(tables, sink, tmp_path / "work")
    assert sorted(seen) == [("one", published[0]), ("one", published[1]), ("two", published[2])]


def test_what_the_sink_raises_is_what_the_caller_sees(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(AWKWARD, path, version="2.6")

    def sink(name: str, path: Path) -> None:
        raise ZeroDivisionError("in the sink")

    with pytest.raises(ZeroDivisionError, match="in the sink"):
        deliver({"one": TableFiles(AWKWARD.schema, [path])}, sink, tmp_path / "work")
