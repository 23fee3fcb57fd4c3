"""The prediction log of a running server: what was asked and answered, whichever way it came."""

from __future__ import annotations

import hmac
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from engine.bundle import set_current
from engine.pipeline import Pipeline

pytest.importorskip("tritonclient.grpc")

import tritonclient.grpc as client

from .conftest import fit_homes
from .rpc import wire
from .running import Server, serving, until
from .test_predictions import small_disk

ROW = {
    "id": "x",
    "size": 80.5,
    "rooms": 3,
    "age": 12,
    "city": "Bath",
    "sold": 1_600_000_000_000_000,
    "note": "ünï",
}
BAD = {"id": "bad", "size": 1}
INPUTS = ("size", "rooms", "age", "city", "sold", "note")


@contextmanager
def logging(bundle: Path, folder: Path, *more: str) -> Iterator[Server]:
    options = (f"server.predictions.path={folder}", "server.predictions.seconds=0.1", "server.grpc_port=0")
    with serving(f"bundle={bundle}", *options, *more) as server:
        yield server


def rows_of(folder: Path) -> list[dict[str, Any]]:
    """All rows of all files, the oldest first."""
    found = [row for path in folder.glob("*.parquet") for row in pq.read_table(path).to_pylist()]
    return sorted(found, key=lambda row: row["time"])


def logged(server: Server, outcome: str = "written") -> float:
    return server.metrics().get(f'engine_predictions_logged_total{{outcome="{outcome}"}}', 0)


def tensors(rows: list[dict[str, Any]]) -> dict[str, tuple[str, list[Any]]]:
    kinds = {
        "size": "FP64",
        "rooms": "INT16",
        "age": "FP32",
        "city": "BYTES",
        "sold": "INT64",
        "note": "BYTES",
    }
    return {name: (kind, [row[name] for row in rows]) for name, kind in kinds.items()}


def infer(server: Server, rows: list[dict[str, Any]], **headers: str) -> Any:
    inputs = [
        {"name": name, "datatype": kind, "shape": [len(rows)], "data": values}
        for name, (kind, values) in tensors(rows).items()
    ]
    return server.ask("POST", "/v2/models/homes/infer", {"inputs": inputs}, headers)


def wanted(pipeline: Pipeline, row: dict[str, Any], protocol: str, request: str | None) -> dict[str, Any]:
    """A row of the file, but for its time."""
    answer = pipeline.predict_one(row)
    sold = datetime.fromtimestamp(row["sold"] / 1e6, UTC)
    return {
        "request": request,
        "version": pipeline.version,
        "protocol": protocol,
        **{f"in_{name}": sold if name == "sold" else row[name] for name in INPUTS},
        **{f"out_{name}": value for name, value in answer.items()},
    }


def plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "time"}


def test_what_was_asked_and_answered(bundle: Path, pipeline: Pipeline, tmp_path: Path) -> None:
    """Each answered row is there once, from every protocol; refused ones and refused requests aren't."""
    many = [{**ROW, "size": float(size), "id": None} for size in range(20)]
    without = {**ROW, "id": None}
    before = datetime.now(UTC)
    with logging(bundle, tmp_path / "log") as server:
        assert server.predict(ROW, **{"x-request-id": "one"}).status == 200
        assert server.predict([ROW, BAD, {**ROW, "rooms": 4}], **{"x-request-id": "array"}).status == 200
        assert server.predict([*many, BAD], **{"x-request-id": "long"}).status == 200
        assert server.ask("POST", "/invocations", ROW, {"x-request-id": "platform"}).status == 200
        assert infer(server, [without] * 2, **{"x-request-id": "few"}).status == 200
        assert infer(server, many, **{"x-request-id": "table"}).status == 200
        assert server.predict(BAD).status == 422
        assert infer(server, [without, {**without, "rooms": None}]).status == 400
        with client.InferenceServerClient(server.grpc) as asking:
            given = tensors([without])
            given |= {name: ("BYTES", [given[name][1][0].encode()]) for name in ("city", "note")}
            for request, count in (("call", 1), ("calls", 20)):
                repeated = {name: (kind, values * count) for name, (kind, values) in given.items()}
                asking.infer("homes", wire.raw(repeated), headers={"x-request-id": request})
        until(lambda: logged(server) >= 1 + 2 + 20 + 1 + 2 + 20 + 1 + 20)
        assert (logged(server, "dropped"), logged(server, "failed")) == (0, 0)
    after = datetime.now(UTC)
    found = rows_of(tmp_path / "log")
    by_request = {
        name: [row for row in found if row["request"] == name] for name in {r["request"] for r in found}
    }
    assert all(before <= row["time"] <= after for row in found)

    def expected(rows: list[dict[str, Any]], protocol: str, request: str) -> list[dict[str, Any]]:
        return [wanted(pipeline, row, protocol, request) for row in rows]

    assert {name: [plain(row) for row in rows] for name, rows in by_request.items()} == {
        "one": expected([ROW], "predict", "one"),
        "array": expected([ROW, {**ROW, "rooms": 4}], "predict", "array"),
        "long": expected(many, "predict", "long"),
        "platform": expected([ROW], "invocations", "platform"),
        "few": expected([without] * 2, "infer", "few"),
        "table": expected(many, "infer", "table"),
        "call": expected([without], "grpc", "call"),
        "calls": expected([without] * 20, "grpc", "calls"),
    }


def test_omitted_and_hashed(bundle: Path, pipeline: Pipeline, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("0123456789abcdef0123456789abcdef")
    options = ("omit=[size,id]", "hash=[note,city]", f"hash_key={key}")
    with logging(bundle, tmp_path / "log", *(f"server.predictions.{each}" for each in options)) as server:
        server.predict(ROW)
        infer(server, [ROW] * 12)
        until(lambda: logged(server) == 13)
    found = rows_of(tmp_path / "log")
    hashed = {
        name: hmac.new(key.read_bytes(), str(ROW[name]).encode(), "sha256").hexdigest()[:32]
        for name in ("note", "city")
    }
    for row in found:
        assert not row.keys() & {"in_size", "out_size", "in_id", "out_id"}
        assert (row["in_city"], row["in_note"], row["out_note"]) == (
            hashed["city"],
            hashed["note"],
            hashed["note"],
        )
        assert row["out_score"] == pipeline.predict_one(ROW)["score"]
    assert len(found) == 13
    for path in (tmp_path / "log").glob("*"):
        assert b"Bath" not in path.read_bytes()


def test_a_version_has_files_of_its_own(tmp_path: Path) -> None:
    old, new = fit_homes(3), fit_homes(4)
    for pipeline in (new, old):  # the last that is saved is in use
        pipeline.save(tmp_path / "homes")
    more = ("server.predictions.seconds=600", "server.poll_seconds=0.1")
    with logging(tmp_path / "homes", tmp_path / "log", *more) as server:
        for _ in range(3):
            assert server.predict(ROW).version == old.version
        set_current(tmp_path / "homes", new.version)
        server.send(signal.SIGHUP)
        until(lambda: server.predict(ROW).version == new.version)
        for _ in range(5):
            server.predict(ROW)
        assert server.stop() == 0
    tables = [pq.read_table(path) for path in (tmp_path / "log").glob("*.parquet")]
    versions = [set(table["version"].to_pylist()) for table in tables]
    assert sorted(versions, key=str) == sorted([{old.version}, {new.version}], key=str)
    for pipeline in (old, new):
        rows = [row for row in rows_of(tmp_path / "log") if row["version"] == pipeline.version]
        assert {row["out_score"] for row in rows} == {pipeline.predict_one(ROW)["score"]}


def test_what_waits_is_written_before_it_stops(bundle: Path, tmp_path: Path) -> None:
    more = ("server.predictions.seconds=600", "server.workers=2")
    with logging(bundle, tmp_path / "log", *more) as server:
        until(lambda: len(server.workers()) == 2)
        for _ in range(40):
            assert server.predict(ROW).status == 200
        assert list((tmp_path / "log").glob("*.parquet")) == []
        assert server.stop() == 0
    assert len(rows_of(tmp_path / "log")) == 40
    assert list((tmp_path / "log").glob(".*")) == []


def test_a_full_disk_is_not_felt(bundle: Path, tmp_path: Path) -> None:
    """Answers go on, what is lost is counted and told once, and it is logged again when there is room."""
    folder = tmp_path / "log"
    with small_disk(folder), logging(bundle, folder) as server:
        wanted = server.predict(ROW).json
        until(lambda: logged(server) == 1)
        filler = folder / "filler"
        with pytest.raises(OSError, match="No space left"), filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        asked = 0

        def lost() -> bool:
            nonlocal asked
            assert server.predict(ROW).json == wanted
            asked += 1
            return logged(server, "failed") > 0

        until(lost)
        assert "No space left" in server.event("predictions.failed")["error"]
        filler.unlink()

        def back() -> bool:
            nonlocal asked
            assert server.predict(ROW).json == wanted
            asked += 1
            return logged(server) > 1

        until(back)
        until(lambda: logged(server) + logged(server, "failed") == 1 + asked)
        assert logged(server, "dropped") == 0
        assert sum(event["event"] == "predictions.failed" for event in server.events) == 1
