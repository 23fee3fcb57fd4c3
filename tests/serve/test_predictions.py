"""The prediction log: what was asked and answered is in the files, and nothing that goes wrong is felt."""

from __future__ import annotations

import fcntl
import hmac
import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.answer.live import Live
from engine.api import build
from engine.config.bind import Place, bind
from engine.config.config import Config
from engine.decode import json_cells
from engine.errors import ConfigError, RowError
from engine.pipeline import Pipeline
from engine.runtime.serve.predictions.log import Log, open_log
from engine.runtime.serve.predictions.settings import PredictionLog

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
IN, OUT = {"n": "number"}, {"score": "float32"}


class Seen:
    """What a log counted and reported."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.events: list[tuple[str, dict[str, Any]]] = []

    def count(self, what: str, rows: int) -> None:
        self.counts[what] += rows

    def report(self, event: str, known: dict[str, Any]) -> None:
        self.events.append((event, known))

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.events]

    def open(
        self,
        given: PredictionLog,
        inputs: Mapping[str, str] = IN,
        outputs: Mapping[str, str] = OUT,
        version: str = "v1",
    ) -> Log:
        log = open_log(given, version, inputs, outputs, 0, self.count, self.report)
        assert log is not None
        return log


def until(holds: Callable[[], Any], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.005)


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.parquet"), key=lambda path: (len(path.name), path.name))


def rows_of(folder: Path) -> list[dict[str, Any]]:
    """The rows of all files of a folder, the oldest first."""
    tables = [pq.read_table(path, page_checksum_verification=True) for path in files(folder)]
    rows = [row for table in tables for row in table.to_pylist()]
    return sorted(rows, key=lambda row: row["time"])


def give(log: Log, rows: range, version: str = "v1") -> None:
    for i in rows:
        log.row(f"r{i}", version, "predict", {"n": i}, {"score": i / 2})


# -- contents


@pytest.fixture(scope="module")
def live() -> Live:
    stages = {
        "flag": {"use": "expr", "value": "m > 0"},
        "double": {"use": "expr", "value": "n * 2 + z"},
        "band": {"use": "label", "columns": ["flag"], "labels": ["low", "high"], "into": "band"},
    }
    config = {
        "name": "p",
        "inputs": {
            "n": "number",
            "m": {"kind": "number", "missing": "reject"},
            "z": {"kind": "number", "invalid": "null"},
            "c": "category",
            "w": "text",
            "t": "timestamp",
        },
        "keep": ["key", "t", "n"],
        "stages": stages,
        "outputs": ["flag", "double", "band", "w"],
    }
    made = build(Config(config))
    return Pipeline(made.plan, made.learned, interpreted=True).live()


MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1))
ZONES = st.integers(-12 * 60, 12 * 60)


def in_zone(moment: datetime, minutes: int) -> str:
    sign, hours, rest = "-" if minutes < 0 else "+", abs(minutes) // 60, abs(minutes) % 60
    return f"{moment.isoformat()}{sign}{hours:02}:{rest:02}"


NUMBERS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["inf", "-inf"]),
)
TIMES = st.one_of(
    st.none(),
    MOMENTS.map(lambda moment: moment.isoformat() + "Z"),
    MOMENTS.map(lambda moment: moment.isoformat(" ")),
    st.builds(in_zone, MOMENTS, ZONES),
    st.integers(-(10**15), 4 * 10**15),
    st.integers(-(10**9), 10**9).map(float),
)
# beyond int64 a whole number of a JSON column is rounded
KEYS = st.one_of(
    st.none(), st.integers(-(2**63) + 1, 2**63 - 1), st.text(max_size=5), st.lists(st.booleans(), max_size=3)
)
ROWS = st.fixed_dictionaries(
    {"m": NUMBERS, "key": KEYS},
    optional={
        "n": NUMBERS,
        "z": st.one_of(NUMBERS, st.just("no number"), st.lists(st.integers())),
        "c": st.one_of(st.none(), st.text(max_size=5)),
        "w": st.one_of(st.none(), st.text(max_size=5)),
        "t": TIMES,
        "no input": st.integers(),
    },
)


def number(value: Any) -> float | None:
    if value in ("inf", "-inf") or (isinstance(value, int | float) and not math.isnan(value)):
        return float(value)
    return None


def moment(value: Any) -> datetime | None:
    if isinstance(value, int | float):
        return EPOCH + timedelta(microseconds=int(value))
    if not isinstance(value, str):
        return None
    found = datetime.fromisoformat(value)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def kept(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)


def expected(row: Mapping[str, Any], answer: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **{f"in_{name}": number(row.get(name)) for name in "nmz"},
        **{f"in_{name}": row.get(name) for name in "cw"},
        "in_t": moment(row.get("t")),
        "out_key": kept(row["key"]),
        "out_t": moment(row.get("t")),
        "out_n": number(row.get("n")),
        "out_flag": answer["flag"],
        "out_double": number(answer["double"]),
        "out_band": answer["band"],
        "out_w": answer["w"],
    }


def own(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return row["request"], row["version"], row["protocol"]


def values(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name.startswith(("in_", "out_"))}


@settings(max_examples=60, deadline=None)
@given(st.lists(ROWS, min_size=1, max_size=12))
def test_rows_are_in_the_files_as_the_pipeline_read_them(live: Live, rows: list[dict[str, Any]]) -> None:
    seen, wanted = Seen(), []
    before = datetime.now(UTC)
    with TemporaryDirectory() as folder:
        log = seen.open(PredictionLog(folder), live.pipeline.inputs, live.pipeline.outputs, live.version)
        for i, (row, answer) in enumerate(zip(rows, live.many(rows), strict=True)):
            if not isinstance(answer, RowError):
                log.row(f"r{i}", live.version, "predict", row, answer)
                wanted.append((i, expected(row, answer)))
        assert log.close(30)
        found = rows_of(Path(folder))
    assert [values(row) for row in found] == [row for _, row in wanted]
    assert [own(row) for row in found] == [(f"r{i}", live.version, "predict") for i, _ in wanted]
    assert all(before <= row["time"] <= datetime.now(UTC) for row in found)
    assert seen.counts == Counter({"written": len(wanted)} if wanted else {}) and not seen.events


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(ROWS, min_size=1, max_size=6), min_size=1, max_size=4))
def test_columns_are_in_the_files_as_rows_are(live: Live, requests: list[list[dict[str, Any]]]) -> None:
    seen, wanted = Seen(), []
    names = [*live.pipeline.inputs, "key"]
    with TemporaryDirectory() as folder:
        log = seen.open(PredictionLog(folder), live.pipeline.inputs, live.pipeline.outputs, live.version)
        for i, rows in enumerate(requests):
            arrays = [json_cells.column([row.get(name) for row in rows]) for name in names]
            fields = [
                json_cells.marked(pa.field(name, a.type)) for name, a in zip(names, arrays, strict=True)
            ]
            batch = pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))
            log.table(f"r{i}", live.version, "oip", batch, *live.table(batch))
            for row, answer in zip(rows, live.many(rows), strict=True):
                if not isinstance(answer, RowError):
                    wanted.append((f"r{i}", expected(row, answer)))
        assert log.close(30)
        found = rows_of(Path(folder))
    # a list that is kept has lost its form on the way: columns of JSON know it as text
    for row in (*found, *(row for _, row in wanted)):
        text = values(row)["out_key"]
        row["out_key"] = None if text is None else text.lower()
    assert [values(row) for row in found] == [row for _, row in wanted]
    assert [row["request"] for row in found] == [request for request, _ in wanted]
    assert seen.counts["written"] == len(wanted) and not seen.events


def test_typed_columns(tmp_path: Path) -> None:
    seen = Seen()
    kinds = {"n": "number", "c": "category", "t": "timestamp", "gone": "number", "odd": "timestamp"}
    log = seen.open(PredictionLog(str(tmp_path)), kinds, {"id": "any", "rank": "int64", "score": "float32"})
    asked = pa.record_batch(
        {
            "n": pa.array([1, None, 3], pa.int32()),
            "c": pa.array(["a", "b", None]).dictionary_encode(),
            "t": pa.array([0, 1, 1500], pa.timestamp("ms")),
            "odd": pa.array([b"x", b"y", None]),  # nobody reads it: it may be of any type
        }
    )
    answered = pa.record_batch(
        {
            "id": pa.array([7, None, 9]),
            "rank": pa.array([1, None, 3], pa.int64()),
            "score": pa.array([0.1, math.nan, math.inf], pa.float32()),
        }
    )
    log.table("r", "v1", "oip", asked, answered)
    assert log.close(30)
    found = [values(row) for row in rows_of(tmp_path)]
    at = [EPOCH, EPOCH + timedelta(milliseconds=1), EPOCH + timedelta(seconds=1.5)]
    assert [row["in_t"] for row in found] == at
    assert [row["in_n"] for row in found] == [1.0, None, 3.0]
    assert [row["in_c"] for row in found] == ["a", "b", None]
    assert [row["in_gone"] for row in found] == [row["in_odd"] for row in found] == [None] * 3
    assert [row["out_id"] for row in found] == ["7", None, "9"]
    assert [row["out_rank"] for row in found] == [1, None, 3]
    assert [row["out_score"] for row in found] == [pa.scalar(0.1, pa.float32()).as_py(), None, math.inf]
    assert pq.read_schema(files(tmp_path)[0]).field("out_score").type == pa.float32()


# -- personal data


KEY = b"0123456789abcdef0123456789abcdef"


def test_omitted_and_hashed(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(KEY + b"\n")
    given = PredictionLog(
        str(tmp_path / "log"), omit=("name",), hash=("born", "id", "n"), hash_key=str(tmp_path / "key")
    )
    seen = Seen()
    log = seen.open(
        given,
        {"name": "text", "born": "timestamp", "n": "number"},
        {"name": "string", "born": "timestamp[us, UTC]", "id": "any", "score": "float64"},
    )
    for born in ("1980-05-17", "1980-05-17T02:00:00+02:00", None):
        row = {"name": "Ann", "born": born, "id": "A7", "n": 1}
        log.row("r", "v1", "predict", row, row | {"score": 0.5})
    assert log.close(30)
    found = rows_of(tmp_path / "log")

    def hashed(text: str) -> str:
        return hmac.new(KEY, text.encode(), "sha256").hexdigest()[:32]

    assert not {"in_name", "out_name"} & set(found[0])
    born = hashed("1980-05-17T00:00:00.000000Z")
    assert [row["in_born"] for row in found] == [row["out_born"] for row in found] == [born, born, None]
    assert {row["out_id"] for row in found} == {hashed("A7")}
    assert {row["in_n"] for row in found} == {hashed("1")}
    assert {row["out_score"] for row in found} == {0.5}
    content = b"".join(path.read_bytes() for path in files(tmp_path / "log"))
    assert b"Ann" not in content and b"A7" not in content


def bound(given: dict[str, Any]) -> PredictionLog:
    found = bind(
        PredictionLog, given, Place("server.predictions", "server.predictions", lambda key: "the test")
    )
    if found.value is None:
        raise ConfigError(found.mistakes)
    return found.value


def test_settings_are_bound() -> None:
    assert bound({}) == PredictionLog()
    found = bound({"path": "log", "omit": ["a"], "share": 0.5, "seconds": 5, "keep_files": None})
    assert found == PredictionLog("log", omit=("a",), share=0.5, seconds=5.0)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"hash": ["a"]}, "server.predictions.hash_key: hash needs a key"),
        ({"hash": ["a"], "omit": ["a"], "hash_key": "k"}, "server.predictions.hash: 'a': in omit, too"),
        ({"share": 0}, "server.predictions.share: 'share' of 'server.predictions' must be above 0"),
        ({"share": 1.5}, "at most 1, not 1.5"),
        ({"keep_files": 0}, "must be at least 1"),
        ({"pth": "x"}, "Did you mean 'path'?"),
    ],
)
def test_mistakes_in_settings(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        bound(given)
    assert said in str(caught.value)


def test_mistakes_that_show_when_it_is_opened(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("short")
    for wrong, said in (
        (PredictionLog(str(tmp_path), omit=("scroe",)), "no input or output 'scroe'. Did you mean 'score'?"),
        (PredictionLog(str(tmp_path), hash=("n",), hash_key=str(key)), "5 bytes; a key of 16 or more"),
        (PredictionLog(str(tmp_path), hash=("n",), hash_key=str(tmp_path / "none")), "No such file"),
        (PredictionLog(str(key)), "is no folder"),
    ):
        with pytest.raises(ConfigError, match=said):
            Seen().open(wrong)
    seen = Seen()
    assert open_log(PredictionLog(), "v1", IN, OUT, 0, seen.count, seen.report) is None


def test_a_new_version_without_a_column_to_omit_is_told(tmp_path: Path) -> None:
    log = Seen().open(PredictionLog(str(tmp_path), omit=("n",)))
    with pytest.raises(ConfigError, match="no input or output 'n'"):
        log.begin("v2", {"full_name": "text"}, OUT)
    assert log.close(30)


# -- files


def test_a_file_is_full_after_so_many_rows(tmp_path: Path) -> None:
    seen = Seen()
    log = seen.open(PredictionLog(str(tmp_path), rows=10))
    give(log, range(25))
    assert log.close(30)
    assert sorted(pq.read_metadata(path).num_rows for path in files(tmp_path)) == [5, 10, 10]
    assert [row["in_n"] for row in rows_of(tmp_path)] == list(range(25))
    assert seen.counts == {"written": 25}


def test_a_file_is_closed_after_so_many_seconds(tmp_path: Path) -> None:
    seen = Seen()
    log = seen.open(PredictionLog(str(tmp_path), seconds=0.02))
    for part in range(3):
        give(log, range(part, part + 1))
        until(lambda part=part: len(files(tmp_path)) == part + 1)
    assert log.close(30)
    assert [pq.read_metadata(path).num_rows for path in files(tmp_path)] == [1, 1, 1]
    parts = [path.name.split("-") for path in files(tmp_path)]
    assert all(datetime.strptime(part[1] + "Z", "%Y%m%dT%H%M%S%z") <= datetime.now(UTC) for part in parts)
    assert {(part[0], part[2]) for part in parts} == {("predictions", "w0")}


def test_only_the_newest_files_are_kept(tmp_path: Path) -> None:
    other = tmp_path / "predictions-of-mine.parquet"
    other.write_bytes(b"not the log's")
    log = Seen().open(PredictionLog(str(tmp_path), rows=1, keep_files=3))
    give(log, range(15))
    assert log.close(30)
    assert other.read_bytes() == b"not the log's"
    other.unlink()
    assert [row["in_n"] for row in rows_of(tmp_path)] == [12, 13, 14]


def test_versions_have_files_of_their_own(tmp_path: Path) -> None:
    seen = Seen()
    log = seen.open(PredictionLog(str(tmp_path)))
    log.begin("v2", {"n": "text", "more": "number"}, {"chance": "float64"})
    for i in range(100):  # while one takes the other's place, both answer
        if i % 2:
            log.row(f"r{i}", "v2", "predict", {"n": str(i), "more": 1}, {"chance": 0.25})
        else:
            give(log, range(i, i + 1))
    assert log.close(30)
    first, second = sorted(map(pq.read_table, files(tmp_path)), key=lambda t: t["version"][0].as_py())
    assert set(first["version"].to_pylist()) == {"v1"} and set(second["version"].to_pylist()) == {"v2"}
    assert first["in_n"].to_pylist() == [float(i) for i in range(0, 100, 2)]
    assert second["in_n"].to_pylist() == [str(i) for i in range(1, 100, 2)]
    assert second.schema.names[4:] == ["in_n", "in_more", "out_chance"]
    assert seen.counts == {"written": 100}


def test_a_reader_sees_whole_files_at_all_times(tmp_path: Path) -> None:
    log = Seen().open(PredictionLog(str(tmp_path), rows=50, queue=100_000))
    most, broken, done = [0], [], threading.Event()

    def read() -> None:
        while not done.is_set():
            try:
                most[0] = max(most[0], len(rows_of(tmp_path)))
                assert ds.dataset(tmp_path, format="parquet").count_rows() >= most[0]
            except Exception as error:
                broken.append(error)
                return

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for part in range(20):
            give(log, range(part * 100, part * 100 + 100))
            until(lambda part=part: most[0] >= part * 100 - 100 or broken)
        assert log.close(30)
        until(lambda: most[0] == 2000 or broken)
    finally:
        done.set()
        reader.join()
    assert not broken


KILLED = """
import sys
from engine.runtime.serve.predictions.log import open_log
from engine.runtime.serve.predictions.settings import PredictionLog
settings = PredictionLog(sys.argv[1])
log = open_log(settings, "v1", {"n": "number"}, {"score": "float32"}, 0, lambda *_: None, lambda *_: None)
log.row("r", "v1", "predict", {"n": 1}, {"score": 0.5})
log.close(30)
"""


def test_what_a_killed_worker_left_is_removed(tmp_path: Path) -> None:
    environment = {**os.environ, "ENGINE_FAILPOINT": "predictions.written"}
    ended = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], env=environment, timeout=120)
    assert ended.returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert left.suffix == ".part" and left.name.startswith(".")
    alive = tmp_path / ".predictions-20200101T000000-w0-0.part"
    with alive.open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # another server is writing it
        seen = Seen()
        log = seen.open(PredictionLog(str(tmp_path)))
        give(log, range(3))
        assert log.close(30)
        assert not left.exists() and alive.exists()
    assert seen.events == [("predictions.leftovers_removed", {"files": 1, "path": str(tmp_path)})]
    assert len(rows_of(tmp_path)) == 3


def test_logs_of_one_folder_and_one_number_share_no_file(tmp_path: Path) -> None:
    seen = Seen()
    logs = [seen.open(PredictionLog(str(tmp_path), rows=1)) for _ in range(4)]
    threads = [threading.Thread(target=give, args=(log, range(25))) for log in logs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(log.close(30) for log in logs)
    assert Counter(row["in_n"] for row in rows_of(tmp_path)) == dict.fromkeys(range(25), 4)


# -- the queue


def test_what_there_is_no_room_for_is_dropped_and_counted(tmp_path: Path) -> None:
    seen = Seen()
    log = seen.open(PredictionLog(str(tmp_path), queue=50))
    batch = pa.record_batch({"n": [float(i) for i in range(80)]})
    log.table("r", "v1", "oip", batch, pa.record_batch({"score": pa.array(range(80), pa.float32())}))
    assert log.close(30)
    assert seen.counts == {"written": 50, "dropped": 30}
    assert [(row["in_n"], row["out_score"]) for row in rows_of(tmp_path)] == [(i, i) for i in range(50)]
    assert seen.events == [("predictions.dropped", {"queue": 50, "rows": 30})]


def test_every_row_is_counted_once(tmp_path: Path) -> None:
    seen = Seen()
    log = seen.open(PredictionLog(str(tmp_path), rows=500, queue=200))

    def ask(worker: int) -> None:
        for i in range(5000):
            log.row(f"{worker}-{i}", "v1", "predict", {"n": i}, {"score": 0.5}, 100)

    threads = [threading.Thread(target=ask, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert log.close(30)
    log.row("late", "v1", "predict", {"n": 1}, {"score": 0.5})
    assert log.close(30)
    assert seen.counts["written"] + seen.counts["dropped"] == 20_001 and seen.counts["dropped"]
    found = [row["request"] for row in rows_of(tmp_path)]
    assert len(found) == len(set(found)) == seen.counts["written"]
    assert seen.names.count("predictions.dropped") == 1  # not one for each row


def test_large_rows_wait_within_so_many_bytes(tmp_path: Path) -> None:
    seen = Seen()
    log = seen.open(PredictionLog(str(tmp_path), queue_bytes=1 << 20))
    for i in range(2000):  # in far less time than it takes to write a thousand
        log.row(f"r{i}", "v1", "predict", {"n": i}, {"score": 0.5}, 1 << 20)
    batch = pa.record_batch({"n": pa.array(range(1 << 17), pa.float64())})
    for i in range(50):
        log.table(f"t{i}", "v1", "oip", batch.slice(i, 1), batch.slice(i, 1).rename_columns(["score"]))
    assert log.close(30)
    assert seen.counts["written"] + seen.counts["dropped"] == 2050
    assert seen.counts["dropped"] > 1000
    assert len(rows_of(tmp_path)) == seen.counts["written"]


def test_closing_writes_what_waits(tmp_path: Path) -> None:
    seen = Seen()
    log = seen.open(PredictionLog(str(tmp_path / "made" / "here")))
    give(log, range(5000))
    assert log.close(30)
    assert seen.counts == {"written": 5000}
    assert [row["in_n"] for row in rows_of(tmp_path / "made" / "here")] == list(range(5000))


def test_a_share_is_of_whole_requests_and_the_same_everywhere(tmp_path: Path) -> None:
    logged = {}
    for share in (0.1, 0.3, 0.3):
        with TemporaryDirectory(dir=tmp_path) as folder:
            log = Seen().open(PredictionLog(folder, share=share))
            for i in range(4000):
                for place in range(2):
                    log.row(f"r{i}", "v1", "predict", {"n": place}, {"score": 0.5})
            assert log.close(30)
            found = Counter(row["request"] for row in rows_of(Path(folder)))
        assert set(found.values()) == {2}
        assert abs(len(found) / 4000 - share) < 5 * math.sqrt(share * (1 - share) / 4000)
        assert logged.setdefault(share, set(found)) == set(found)
    assert logged[0.1] < logged[0.3]


def test_rows_that_cannot_become_columns_are_counted(tmp_path: Path) -> None:
    seen = Seen()
    log = seen.open(PredictionLog(str(tmp_path)))
    give(log, range(3), "never begun")
    give(log, range(4))
    batch = pa.record_batch({"n": [1.0, 2.0]})
    log.table("r", "v1", "oip", batch, pa.record_batch({"score": pa.array([0.5], pa.float32())}))
    assert log.close(30)
    assert seen.counts == {"written": 4, "failed": 4}
    assert seen.names == ["predictions.unreadable"]


# -- outages


def ask_through_an_outage(
    seen: Seen, log: Log, folder: Path, broken: Callable[[], Any], mended: Callable[[], Any]
) -> None:
    """Rows before, while and after a folder can't be written to: all are counted, none waited."""
    given = 0

    def some() -> None:
        nonlocal given
        give(log, range(given, given + 1000))
        given += 1000

    some()
    until(lambda: seen.counts["written"] == 1000)
    broken()
    for part in range(1, 4):
        some()
        until(lambda part=part: seen.counts["failed"] + seen.counts["dropped"] >= 1000 * part)
    assert seen.counts["written"] == 1000
    mended()
    some()
    until(lambda: seen.counts["written"] == 2000)
    assert log.close(30)
    assert sum(seen.counts.values()) == given == 5000 and not seen.counts["dropped"]
    assert seen.names == ["predictions.failed", "predictions.resumed"]
    assert seen.events[0][1]["path"] == str(folder) and "Error" in seen.events[0][1]["error"]
    assert seen.events[1][1] == {"after": "predictions.failed", "rows": 3000}
    assert [row["in_n"] for row in rows_of(folder)] == [*range(1000), *range(4000, 5000)]
    assert not list(folder.glob(".*"))  # nothing of what failed is left


def test_a_folder_that_is_gone_and_comes_back(tmp_path: Path) -> None:
    folder, aside, seen = tmp_path / "log", tmp_path / "aside", Seen()
    log = seen.open(PredictionLog(str(folder), rows=1000))

    def broken() -> None:
        folder.rename(aside)
        folder.write_text("no folder")

    def mended() -> None:
        folder.unlink()
        aside.rename(folder)

    ask_through_an_outage(seen, log, folder, broken, mended)


def test_a_folder_that_cannot_be_made_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    seen = Seen()
    log = seen.open(PredictionLog(str(tmp_path / "file" / "log")))
    give(log, range(3))
    assert log.close(30)
    assert seen.counts == {"failed": 3}
    assert seen.names == ["predictions.failed"]


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A file system of 256 KiB; skips, with the reason, where this process may mount none."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no file system can be mounted here ({getattr(error, 'stderr', error)})")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True, timeout=30)


def test_a_full_disk_that_has_room_again(tmp_path: Path) -> None:
    folder, seen = tmp_path / "log", Seen()
    with small_disk(folder):
        log = seen.open(PredictionLog(str(folder), rows=1000))
        filler = folder / "filler"

        def broken() -> None:
            with pytest.raises(OSError, match="No space left"), filler.open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(4096))

        ask_through_an_outage(seen, log, folder, broken, filler.unlink)
        assert "No space left" in seen.events[0][1]["error"]


LIMITED = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_predictions import Seen, PredictionLog, ask_through_an_outage

folder, seen = Path(sys.argv[1]), Seen()
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
log = seen.open(PredictionLog(str(folder), rows=1000))
limit = lambda bytes: resource.setrlimit(resource.RLIMIT_FSIZE, (bytes, hard))
ask_through_an_outage(seen, log, folder, lambda: limit(2048), lambda: limit(hard))
assert "File too large" in seen.events[0][1]["error"], seen.events
"""


def test_a_file_that_is_cut_short(tmp_path: Path) -> None:
    """As on a full disk a part is written before the rest fails; this needs no rights."""
    command = [sys.executable, "-c", LIMITED, str(tmp_path / "log"), str(Path(__file__).parent)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr


def test_a_logger_that_fails_stops_nothing(tmp_path: Path) -> None:
    def broken(what: str, known: Any) -> None:
        raise BrokenPipeError

    log = open_log(PredictionLog(str(tmp_path), rows=5), "v1", IN, OUT, 0, broken, broken)
    assert log is not None
    give(log, range(2), "never begun")
    give(log, range(10))
    assert log.close(30)
    assert len(rows_of(tmp_path)) == 10


# -- cost


def test_the_cost_of_a_row(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    log = Seen().open(PredictionLog(str(tmp_path), queue=100_000))
    row, answer = {"n": 1.0}, {"score": 0.5}
    best = math.inf
    for _ in range(10):
        begin = time.perf_counter()
        for _ in range(1000):
            log.row("0123456789abcdef", "v1", "predict", row, answer, 100)
        best = min(best, (time.perf_counter() - begin) / 1000)
    assert log.close(30)
    record_property("microseconds", round(best * 1e6, 3))
    print(f"{best * 1e6:.2f} µs a row")
