"""kill -9 at every point of a commit: a reader sees all of the old output or all of the new one."""

from __future__ import annotations

import pytest

from .scene import REJECTED, ROWS, Rows, Scene, clean, commits, rows_of, slow_but, write_file

POINTS = {
    "rejects.written": "old",
    "commit.rejects": "old",
    "commit.part": "old",
    "commit.part@3": "old",
    "commit.part@6": "old",
    "commit.joined": "old",
    "commit.files": "old",
    "commit.made": "new",
    "commit.renamed": "new",
    "commit.replaced": "new",
    "commit.replaced@3": "new",
    "finish.removed": "new",
    "finish.removed@2": "new",
}
"""Which output is there when a run into a folder ends at the point; a file is new once it is renamed."""
ONLY_FILE = ("commit.joined", "commit.renamed")
ONLY_FOLDER = ("commit.part", "commit.part@3", "commit.part@6", "commit.replaced", "commit.replaced@3")
CASES = [
    (sink, mode, point)
    for sink, modes in (
        ("out", ("error", "append", "replace")),
        ("out.parquet", ("error", "replace")),
        ("out.csv", ("replace",)),
    )
    for mode in modes
    for point in POINTS
    if point not in (ONLY_FOLDER if "." in sink else ONLY_FILE)
    if mode == "replace" or not point.startswith("commit.replaced")
]


def before(scene: Scene, sink: str, mode: str) -> Rows:
    """An output of other rows, unless none may be there."""
    if mode == "error":
        return []
    (scene.folder / "old").mkdir()
    write_file(scene.folder / "old" / "f.parquet", 1000)
    told = scene.run(sink, f"source.path={scene.folder / 'old'}", f"sink.mode={mode}").told
    assert told["rows_out"] == 54
    return clean(1000, 60)


@pytest.mark.parametrize(
    ("sink", "mode", "point"),
    slow_but(lambda sink, mode, point: sink != "out.csv" and mode == "replace" and "@" not in point, CASES),
)
def test_killed_in_the_commit(scene: Scene, sink: str, mode: str, point: str) -> None:
    old = before(scene, sink, mode)
    assert scene.rows(sink) == old
    new = [*old, *clean()] if mode == "append" else clean()
    assert scene.killed(sink, point, f"sink.mode={mode}")
    expected = POINTS[point]
    if "." in sink and point == "commit.made":
        expected = "old"
    assert scene.rows(sink) == (old if expected == "old" else new)
    told = scene.run(sink, f"sink.mode={mode}").told
    assert scene.rows(sink) == new
    assert (told["rows_in"], told["rows_out"], told["rejected"]) == (ROWS, ROWS - REJECTED, REJECTED)
    assert told["nothing_to_do"] == (POINTS[point] == "new")
    assert scene.litter(sink) == []
    assert [commit["run_id"] for commit in commits(scene, sink)].count(told["run_id"]) == 1
    if mode == "replace" and "." not in sink:
        assert len(list((scene.folder / sink).glob("part-*"))) == 6
    assert len(rows_of(scene.folder / told["rejects"].rpartition("/")[2])) == REJECTED


def test_killed_twice_in_the_commit_and_then_after_it(scene: Scene) -> None:
    old = before(scene, "out", "replace")
    assert scene.killed("out", "commit.part@2", "sink.mode=replace")
    assert scene.killed("out", "commit.part@5", "sink.mode=replace")
    assert scene.rows("out") == old
    assert scene.killed("out", "commit.replaced", "sink.mode=replace")
    assert scene.rows("out") == clean()
    assert scene.killed("out", "finish.removed", "sink.mode=replace")
    assert scene.run("out", "sink.mode=replace").told["nothing_to_do"]
    assert scene.rows("out") == clean() and scene.litter("out") == []


def test_what_another_run_finds_of_a_commit_that_was_cut_off(scene: Scene) -> None:
    """The next command, whatever it is, does what is left behind a commit."""
    old = before(scene, "out", "append")
    assert scene.killed("out", "commit.made", "sink.mode=append")
    (scene.folder / "more").mkdir()
    write_file(scene.folder / "more" / "f.parquet", 2000)
    scene.run("out", f"source.path={scene.folder / 'more'}", "sink.mode=append").done()
    assert scene.rows("out") == [*old, *clean(), *clean(2000, 60)]
    assert scene.litter("out") == []


def test_a_batch_reads_what_is_committed_of_another(scene: Scene) -> None:
    """A folder of parts as a source: the files of an interrupted commit are left out."""
    old = before(scene, "out", "append")
    assert scene.killed("out", "commit.part@4", "sink.mode=append")
    assert len(list((scene.folder / "out").glob("part-*"))) > 4
    again = [f"source.path={scene.folder / 'out'}", "pipeline=copy", "rejects.max=0"]
    assert scene.run("copy.parquet", *again).told["rows_in"] == len(old)
    assert scene.rows("copy.parquet") == old
    scene.run("out", "sink.mode=append").done()
    assert scene.run("copy.parquet", *again, "sink.mode=replace").told["rows_in"] == len(old) + len(clean())
    assert scene.rows("copy.parquet") == [*old, *clean()]


def test_a_batch_reads_nothing_of_a_folder_without_a_commit(scene: Scene) -> None:
    assert scene.killed("out", "commit.part@4")
    ended = scene.run("copy.parquet", f"source.path={scene.folder / 'out'}", "pipeline=copy")
    assert ended.code == 2 and "holds no data files" in ended.err
