"""What may change between two tries at a run, what may not, and what is said of it."""

from __future__ import annotations

import shutil
import signal

import pytest

from .scene import REJECTED, ROWS, SHARDS, Scene, clean, commits, rows_of, touch_again, write_file

PIPELINE_FILE = "conf/pipeline/tiny.yaml"


def begun(scene: Scene, sink: str, *overrides: str) -> int:
    """A run with some shards done."""
    assert scene.killed(sink, "receipt.made@3", *overrides)
    return scene.receipts(sink)


@pytest.mark.parametrize("sink", ["out", "out.csv"])
@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["stages.clip.hi=40"], "the pipeline: version "),
        (["keep=[]"], "the pipeline: version "),
        (["rejects.max=200"], "rejects.max: was None, now 200"),
        (["executor.shard_rows=60"], "executor.shard_rows: was 20, now 60"),
    ],
)
def test_another_run(scene: Scene, sink: str, overrides: list[str], said: str) -> None:
    done = begun(scene, sink)
    for resume in ("auto", "require"):
        ended = scene.run(sink, *overrides, f"resume={resume}")
        assert (ended.code, ended.out) == (2, "")
        path = scene.folder / sink
        assert (
            ended.err.startswith(f"resume: {path}: run ") and "is unfinished there, and this is" in ended.err
        )
        assert f"\n  {said}" in ended.err
    assert "to begin one" in ended.err
    assert scene.receipts(sink) == done  # nothing of it is lost
    told = scene.run(sink, *overrides, "resume=never").told
    assert (told["rows_in"], told["resumed_shards"]) == (ROWS, 0)
    assert scene.litter(sink) == [] and len(scene.rows(sink)) == ROWS - REJECTED
    assert len(commits(scene, sink)) == 1


def test_other_options_of_the_sink(scene: Scene) -> None:
    begun(scene, "out.csv")
    ended = scene.run("out.csv", "sink.use=csv", "sink.delimiter=tab")
    assert ended.code == 2 and "\n  the sink: delimiter was ',', now 'tab'\n" in ended.err


@pytest.mark.parametrize(
    "overrides",
    [["executor.threads=1"], ["executor.threads=7", "executor.batch_rows=3"], ["executor.attempts=1"]],
)
def test_who_runs_it_does_not_matter(scene: Scene, overrides: list[str]) -> None:
    done = begun(scene, "out.parquet")
    told = scene.run("out.parquet", *overrides, "resume=require").told
    assert told["resumed_shards"] == done >= 3
    assert scene.rows("out.parquet") == clean()


def test_discarded_and_begun_anew(scene: Scene) -> None:
    begun(scene, "out")
    assert scene.killed("out", "commit.part@2")
    told = scene.run("out", "resume=never").told
    assert told["resumed_shards"] == 0 and scene.rows("out") == clean()
    assert scene.litter("out") == []


def test_nothing_to_be_resumed(scene: Scene) -> None:
    ended = scene.run("out", "resume=require")
    assert ended.code == 2 and "there is no unfinished run to be resumed" in ended.err
    assert not (scene.folder / "out").exists()
    scene.run("out").done()
    assert scene.run("out", "resume=require").told["nothing_to_do"]


def test_input_that_changed_between_two_tries(scene: Scene) -> None:
    begun(scene, "out")
    touch_again(scene.folder / "in" / "f1.parquet")
    ended = scene.run("out")
    file = scene.folder / "in" / "f1.parquet"
    assert ended.code == 2 and f"files of the source: changed: {file}" in ended.err
    write_file(scene.folder / "in" / "f2.parquet", 500)
    assert f"files of the source: new: {scene.folder / 'in' / 'f2.parquet'}" in scene.run("out").err
    (scene.folder / "in" / "f0.parquet").unlink()
    assert f"files of the source: gone: {scene.folder / 'in' / 'f0.parquet'}" in scene.run("out").err
    assert scene.rows("out") == []
    scene.run("out", "resume=never").done()
    assert scene.rows("out") == [*clean(60, 60), *clean(500, 60)]


@pytest.mark.parametrize("sink", ["out", "out.parquet"])
@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_input_that_changes_during_a_run(scene: Scene, sink: str, kind: str) -> None:
    if kind == "csv":
        for path in (scene.folder / "in").iterdir():
            path.unlink()
        for number in range(2):
            write_file(scene.folder / "in" / f"f{number}.csv", number * 60)
    child = scene.start(sink, "executor.threads=1", point="shard.settled@2:STOP")
    child.wait_for_stop()
    write_file(scene.folder / "in" / f"f1.{kind}", 500)
    child.signal(signal.SIGCONT)
    ended = child.wait()
    assert ended.code == 2, ended
    assert f"f1.{kind}: changed since the run was planned" in ended.err
    assert scene.rows(sink) == [] and commits(scene, sink) == []


def test_an_output_that_was_removed_is_written_again(scene: Scene) -> None:
    for sink in ("out", "one.parquet"):
        scene.run(sink).done()
        for path in [scene.folder / sink] if "." in sink else (scene.folder / sink).glob("part-*"):
            path.unlink()
        scene.folder.joinpath(f"{sink.partition('.')[0]}.rejects.parquet").unlink()
        assert scene.killed(sink, "receipt.made@4")
        done = scene.receipts(sink)
        assert scene.killed(sink, "commit.files")
        told = scene.run(sink).told
        assert told["resumed_shards"] == SHARDS and done >= 4
        assert scene.rows(sink) == clean() and scene.litter(sink) == []
        assert scene.run(sink).told["nothing_to_do"]


def test_appended_to_an_output_that_was_removed(scene: Scene) -> None:
    scene.run("out", "sink.mode=append").done()
    for path in (scene.folder / "out").glob("part-*"):
        path.unlink()
    (scene.folder / "more").mkdir()
    write_file(scene.folder / "more" / "f.parquet", 1000)
    scene.run("out", "sink.mode=append", f"source.path={scene.folder / 'more'}").done()
    assert scene.rows("out") == clean(1000, 60)


def test_an_output_that_lacks_a_part(scene: Scene) -> None:
    scene.run("out").done()
    part = min((scene.folder / "out").glob("part-*"))
    part.unlink()
    ended = scene.run("out")
    assert ended.code == 2 and f"{part.name}, which run" in ended.err and "sink.mode=replace" in ended.err
    scene.run("out", "sink.mode=replace", f"rejects.path={scene.folder / 'again.parquet'}").done()
    assert scene.rows("out") == clean()


def test_a_folder_with_all_of_its_state_removed(scene: Scene) -> None:
    scene.run("out").done()
    shutil.rmtree(scene.state("out"))
    ended = scene.run("out")
    assert ended.code == 2 and "the folder has files in it" in ended.err
    scene.run("out", "sink.mode=replace").done()
    assert scene.rows("out") == clean()


def test_begun_in_one_mode_and_ended_in_another(scene: Scene) -> None:
    """No mode makes rows vanish that a reader saw and that it doesn't replace."""
    (scene.folder / "old").mkdir()
    write_file(scene.folder / "old" / "f.parquet", 1000)
    scene.run("out", f"source.path={scene.folder / 'old'}").done()
    assert scene.killed("out", "commit.part@2", "sink.mode=append")
    ended = scene.run("out")
    assert ended.code == 2 and "sink.mode=append" in ended.err
    assert scene.rows("out") == clean(1000, 60)
    scene.run("out", "sink.mode=append").done()
    assert scene.rows("out") == [*clean(1000, 60), *clean()]
    ended = scene.run("one.parquet", "sink.mode=append")
    assert scene.killed("one.parquet", "commit.files", "sink.mode=replace")
    ended = scene.run("one.parquet", "sink.mode=append")
    assert ended.code == 2 and "nothing can be appended to one file" in ended.err
    scene.run("one.parquet").done()
    assert scene.rows("one.parquet") == clean()


def test_what_others_put_there_stays(scene: Scene) -> None:
    out = scene.folder / "out"
    assert scene.killed("out", "commit.part@3")
    (out / "notes.txt").write_text("mine")
    write_file(out / "part-00000.parquet", 5000)
    beside = scene.folder / "_out.rejects.parquet"
    beside.write_text("mine")
    scene.run("out").done()
    assert scene.rows("out") == clean()
    assert (out / "notes.txt").read_text() == beside.read_text() == "mine"
    ended = scene.run("out", "sink.mode=replace", "executor.shard_rows=30")
    assert ended.code == 2 and "notes.txt" in ended.err
    assert len(rows_of(out / "part-00000.parquet")) == 60
