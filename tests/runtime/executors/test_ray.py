"""What Ray alone has: workers that are killed, machines that aren't alike, a cluster that isn't there."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pyarrow as pa
import pytest

from engine.errors import UserError
from engine.pipeline import Pipeline
from engine.runtime.batch import plan_batch
from engine.runtime.executors.ray import RayTasks
from engine.runtime.executors.recipe import Recipe, open_recipe, recipe_of
from engine.runtime.io import open_sink, open_source
from engine.runtime.rejects import Rejects
from engine.runtime.shards.drive import FailedShardsError
from engine.runtime.shards.work import Stated
from engine.testing.rows import difference

from .conftest import Batches
from .made import write_file, write_parts
from .test_conformance import flaky, read_parts, reads, receipts

# -- workers that are killed


def kill_readers(notes: Path, times: int, name: str = "*") -> list[int]:
    """Kill whoever reads a part of that name, so many times; the ids of the processes, as they are killed."""
    killed: list[int] = []

    def watch() -> None:
        deadline = time.monotonic() + 60
        while len(killed) < times and time.monotonic() < deadline:
            for note in notes.glob(f"{name} *"):
                pid = int(note.name.split()[1])
                if pid not in killed and len(killed) < times:
                    killed.append(pid)
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)

    threading.Thread(target=watch, daemon=True).start()
    return killed


@pytest.mark.slow
def test_a_killed_worker_loses_and_doubles_nothing(
    ray: None, batches: Batches, table: pa.Table, answers: pa.Table, tmp_path: Path
) -> None:
    source = write_parts(tmp_path / "in", table, 8)
    stated = flaky(source, seconds=0.3)
    killed = kill_readers(tmp_path / "notes", 2)
    summary = batches.run(RayTasks(), stated, {"path": str(tmp_path / "out")}, shard_rows=250)
    assert len(killed) == 2
    assert os.getpid() not in killed
    assert (summary.rows_in, summary.rows_out, summary.shards) == (2000, 2000, 8)
    assert difference(read_parts(tmp_path / "out"), answers) is None
    assert reads(source) == 10


@pytest.mark.slow
def test_a_shard_whose_worker_always_dies_is_named_and_the_others_are_done(
    ray: None, batches: Batches, table: pa.Table, tmp_path: Path
) -> None:
    source = write_parts(tmp_path / "in", table, 4)
    stated = flaky(source, seconds=0.3)
    killed = kill_readers(tmp_path / "notes", 2, "02.parquet")
    with pytest.raises(
        FailedShardsError, match=r"shard 2 \(.*02\.parquet\): its worker was lost: .* 2 times"
    ):
        batches.run(RayTasks(attempts=2), stated, {"path": str(tmp_path / "out")}, shard_rows=500)
    assert len(killed) == reads(source, "02.parquet") == 2
    assert receipts(tmp_path / "out") == {0, 1, 3}


# -- the command line, with a Ray of its own


def processes_of(folder: Path) -> list[str]:
    """The commands of processes that have a folder in them."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(entry.read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return [command for command in found if str(folder) in command]


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A folder of a short name, as the sockets in it need."""
    with tempfile.TemporaryDirectory(prefix="t") as folder:
        yield Path(folder)


@pytest.fixture
def stopped_run(pipeline: Pipeline, plugins: Path, table: pa.Table, tmp_path: Path) -> list[str]:
    """The words of a batch on Ray that takes some seconds."""
    pipeline.save(tmp_path / "bundle")
    source = flaky(write_parts(tmp_path / "in", table, 8), seconds=0.7)
    return [
        sys.executable, "-m", "engine", "batch", f"bundle={tmp_path / 'bundle'}", f"plugins=[{plugins}]",
        *(f"source.{key}={value}" for key, value in source.items()), f"sink.path={tmp_path / 'out'}",
        "executor=ray", "executor.cpus=2", "executor.shard_rows=250",
    ]  # fmt: skip


@pytest.mark.slow
def test_a_run_that_is_stopped_leaves_no_process_and_is_continued(
    stopped_run: list[str], answers: pa.Table, temporary: Path, tmp_path: Path
) -> None:
    environment = {**os.environ, "TMPDIR": str(temporary)}
    began = subprocess.Popen(stopped_run, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        deadline = time.monotonic() + 60
        while not receipts(tmp_path / "out") and began.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        assert processes_of(temporary)
        began.send_signal(signal.SIGTERM)
        said = began.communicate(timeout=60)[1]
    finally:
        began.kill()
    assert began.returncode == 75
    *pace, last = said.splitlines()
    assert last == "stopped by SIGTERM; the same command goes on where this one ended"
    assert all(line.startswith("batch: ") for line in pace)
    assert processes_of(temporary) == []
    assert list(temporary.iterdir()) == []
    done = len(receipts(tmp_path / "out"))
    assert 1 <= done < 8
    again = subprocess.run([*stopped_run, "resume=require"], capture_output=True, text=True, env=environment)
    assert again.returncode == 0, again.stderr
    assert f"{done} of 8 shards were done before" in again.stderr
    assert "ray" not in again.stderr.lower()
    assert difference(read_parts(tmp_path / "out"), answers) is None
    assert list(temporary.iterdir()) == []


@pytest.mark.slow
def test_a_cluster_that_is_joined_goes_on(
    ray: None, stopped_run: list[str], answers: pa.Table, tmp_path: Path
) -> None:
    import ray as library

    address = library.get_runtime_context().gcs_address
    words = [word for word in stopped_run if word != "executor.cpus=2"]
    ended = subprocess.run(
        [*words, f"executor.address={address}"], capture_output=True, text=True, timeout=120
    )
    assert ended.returncode == 0, ended.stderr
    assert difference(read_parts(tmp_path / "out"), answers) is None
    assert library.get(library.remote(lambda: 3).remote()) == 3


# -- what can't be


def test_a_batch_without_a_config_is_refused(batches: Batches, table: pa.Table, tmp_path: Path) -> None:
    source = write_parts(tmp_path / "in", table, 2)
    with pytest.raises(UserError, match="only if source and sink come from a config"):
        batches.run(RayTasks(), {"path": str(source)}, {"path": str(tmp_path / "out")}, stated=None)


def test_without_ray_the_extra_is_named(
    batches: Batches, table: pa.Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    source = write_parts(tmp_path / "in", table, 2)
    with pytest.raises(UserError, match=r"pip install 'inference-engine\[ray\]'"):
        batches.run(RayTasks(), {"path": str(source)}, {"path": str(tmp_path / "out")})


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("127.0.0.1:{port}", "there is no Ray at executor.address=127.0.0.1:{port}: Connection refused"),
        ("ray://127.0.0.1:{port}", "there is no Ray at executor.address=ray://127.0.0.1:{port}: Connection"),
        ("localhost", "executor.address=localhost: a port is due: localhost:6379"),
        ("http://a/b", "executor.address: expected auto, ray://HOST:10001 or HOST:PORT, found 'http://a/b'"),
    ],
)
def test_an_address_where_no_ray_is(
    pipeline: Pipeline, plugins: Path, table: pa.Table, tmp_path: Path, address: str, message: str
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    pipeline.save(tmp_path / "bundle")
    write_file(tmp_path / "in.parquet", table)
    began = time.monotonic()
    ended = subprocess.run(
        [
            sys.executable, "-m", "engine", "batch", f"bundle={tmp_path / 'bundle'}", f"plugins=[{plugins}]",
            f"source.path={tmp_path / 'in.parquet'}", f"sink.path={tmp_path / 'out'}", "executor=ray",
            f"executor.address='{address.format(port=port)}'",
        ],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert ended.returncode == 2
    assert ended.stderr.startswith(message.format(port=port)), ended.stderr
    assert ended.stderr.count("\n") == 1
    assert time.monotonic() - began < 30


def test_cpus_are_of_a_ray_of_its_own(batches: Batches, table: pa.Table, tmp_path: Path) -> None:
    source = write_parts(tmp_path / "in", table, 2)
    with pytest.raises(UserError, match=r"executor\.cpus is of a Ray on this machine"):
        batches.run(RayTasks("auto", 2), {"path": str(source)}, {"path": str(tmp_path / "out")})


# -- machines that aren't alike


@pytest.fixture
def recipe(pipeline: Pipeline, plugins: Path, table: pa.Table, tmp_path: Path) -> Recipe:
    """Of a run that was begun."""
    source, sink = {"path": str(write_file(tmp_path / "in.parquet", table))}, {"path": str(tmp_path / "out")}
    batch = plan_batch(pipeline, open_source(source), open_sink(sink))
    assert batch is not None
    assert batch.plan is not None
    assert batch.state is not None
    batch.state.begin(batch.plan)
    made = recipe_of(batch.job, Stated(source, sink, (str(plugins),)))
    return msgspec.msgpack.decode(msgspec.msgpack.encode(made), type=Recipe)


def test_a_recipe_makes_the_same_pipeline(recipe: Recipe, pipeline: Pipeline, table: pa.Table) -> None:
    job, state = open_recipe(recipe)
    assert isinstance(job.pipeline, Pipeline)
    assert job.pipeline.digest == pipeline.digest
    assert job.pipeline.predict_many(table).equals(pipeline.predict_many(table))
    assert recipe.run_id in state.unfinished()


def test_other_packages_are_refused(recipe: Recipe) -> None:
    packages = {**recipe.packages, "numpy": "1.0"}
    with pytest.raises(UserError, match=r"has other packages than where the run was begun: numpy is .* 1\.0"):
        open_recipe(msgspec.structs.replace(recipe, packages=packages))


def test_other_plugins_are_refused(recipe: Recipe, plugins: Path, tmp_path: Path) -> None:
    copy = tmp_path / "plugins"
    copy.mkdir()
    (copy / "triple.py").write_text((plugins / "double.py").read_text())
    with pytest.raises(UserError, match=r"has other files in .*plugins than where the run was begun"):
        open_recipe(msgspec.structs.replace(recipe, plugins=(str(copy),)))


def test_a_sink_that_is_not_shared_is_refused(recipe: Recipe, tmp_path: Path) -> None:
    elsewhere = {"path": str(tmp_path / "another" / "out")}
    with pytest.raises(UserError, match="the sink is to be a place that all machines share"):
        open_recipe(msgspec.structs.replace(recipe, sink=elsewhere))


def test_rejects_that_go_to_a_table_keep_its_name(pipeline: Pipeline, recipe: Recipe, tmp_path: Path) -> None:
    """A file's path is made absolute, for workers have a working folder of their own."""
    source, sink = {"path": str(tmp_path / "in.parquet")}, {"path": str(tmp_path / "out")}
    batch = plan_batch(pipeline, open_source(source), open_sink(sink), rejects=Rejects("odd.csv", None))
    assert batch is not None
    assert recipe_of(batch.job, Stated(source, sink)).rejects.path == str(Path("odd.csv").absolute())
    table = {"use": "postgres", "url": "postgresql://localhost/db", "table": "scores"}
    assert recipe_of(batch.job, Stated(source, table)).rejects.path == "odd.csv"
