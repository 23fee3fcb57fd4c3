"""``source.new_only``: files that arrive one after another are each scored once, whatever happens between."""

from __future__ import annotations

import random

import pytest

from .scene import Rows, Scene, clean, touch_again, write_file

NEWS = ("source.new_only=true", "sink.mode=append")


def arrive(scene: Scene, number: int) -> None:
    write_file(scene.folder / "in" / f"n{number:03d}.parquet", 1000 * number)


def of(numbers: list[int]) -> Rows:
    return [row for number in numbers for row in clean(1000 * number, 60)]


@pytest.fixture
def inbox(scene: Scene) -> Scene:
    for path in (scene.folder / "in").iterdir():
        path.unlink()
    return scene


def test_files_one_after_another(inbox: Scene) -> None:
    rng = random.Random(0)
    points = [
        "run.planned", "receipt.made@2", "run.scored", "commit.rejects", "commit.part@2", "commit.files",
        "commit.made", "finish.removed",
    ]  # fmt: skip
    known: list[int] = []
    for number, point in enumerate(points):
        arrive(inbox, number)
        before = inbox.rows("out")
        assert before == of(known)
        assert inbox.killed("out", point, *NEWS)
        assert inbox.rows("out") in (before, of([*known, number]))
        if rng.random() < 0.5:  # what comes while a run is unfinished is the next one's
            arrive(inbox, 100 + number)
        inbox.run("out", *NEWS).done()
        known.append(number)
        if (inbox.folder / "in" / f"n{100 + number:03d}.parquet").exists():
            if inbox.rows("out") == of(known):
                inbox.run("out", *NEWS).done()
            known.append(100 + number)
        assert inbox.rows("out") == of(known)
        ended = inbox.run("out", *NEWS)
        assert ended.told["nothing_to_do"] and "nothing to do" in ended.err
    assert inbox.litter("out") == []


def test_a_file_that_was_written_again_is_new(inbox: Scene) -> None:
    arrive(inbox, 0)
    inbox.run("out", *NEWS).done()
    touch_again(inbox.folder / "in" / "n000.parquet")
    inbox.run("out", *NEWS).done()
    assert inbox.rows("out") == of([0, 0])


def test_a_file_that_changed_while_its_run_was_unfinished(inbox: Scene) -> None:
    arrive(inbox, 0)
    assert inbox.killed("out", "receipt.made", *NEWS)
    touch_again(inbox.folder / "in" / "n000.parquet")
    ended = inbox.run("out", *NEWS)
    assert ended.code == 2 and "files of the source: changed" in ended.err
    inbox.run("out", *NEWS, "resume=never").done()
    assert inbox.rows("out") == of([0])


def test_an_output_that_was_removed(inbox: Scene) -> None:
    for number in range(2):
        arrive(inbox, number)
        inbox.run("out", *NEWS).done()
    for path in (inbox.folder / "out").glob("part-*"):
        path.unlink()
    inbox.run("out", *NEWS).done()
    assert inbox.rows("out") == of([0, 1])
    assert inbox.run("out", *NEWS).told["nothing_to_do"]


def test_only_where_it_can_be_told_what_is_new(inbox: Scene) -> None:
    arrive(inbox, 0)
    inbox.run("out", "source.new_only=true").done()
    arrive(inbox, 1)
    ended = inbox.run("out", "source.new_only=true")
    assert ended.code == 2 and "sink.mode=append" in ended.err
    assert inbox.rows("out") == of([0])
