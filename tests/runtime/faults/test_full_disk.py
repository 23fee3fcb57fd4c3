"""A disk without room: the run says so, leaves no half output, and goes on when there is some."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .scene import ROWS, Scene, clean, write_file


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    """A file system of so much room; skips, with the reason, where this process may mount none."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no file system can be mounted here ({getattr(error, 'stderr', error)})")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True, timeout=30)


@pytest.mark.parametrize("sink", ["out", "out.parquet", "out.csv"])
@pytest.mark.parametrize("bytes", [700, 1200, 2300, 4000])
def test_files_that_are_cut_short(scene: Scene, sink: str, bytes: int) -> None:
    """As on a full disk a part is written before the rest fails: at the plan, in a shard, in the commit."""
    ended = scene.run(sink, FILE_BYTES=str(bytes))
    if ended.code == 0:
        assert bytes == 4000
        return
    assert ended.code == 75, ended
    assert "can't be written: File too large; the same command continues the run\n" in ended.err
    assert "Traceback" not in ended.err
    assert scene.rows(sink) == []
    told = scene.run(sink).told
    assert told["rows_in"] == ROWS
    assert scene.rows(sink) == clean()
    assert scene.litter(sink) == []


def test_a_full_disk(scene: Scene) -> None:
    """One shard after the other fits, until none does; with more room the rest is scored."""
    write_file(scene.folder / "in" / "large.parquet", 10_000, 20_000)
    options = ["executor.shard_rows=1000", "executor.batch_rows=500", "executor.threads=1"]
    rows = [*clean(), *clean(10_000, 20_000)]
    with small_disk(scene.folder / "small", "200k"):
        filler = scene.folder / "small" / "filler"
        filler.write_bytes(bytes(100_000))
        for sink in ("small/out", "small/out.parquet"):
            ended = scene.run(sink, *options)
            assert ended.code == 75, ended.err
            assert "No space left on device; the same command continues the run\n" in ended.err
            assert scene.rows(sink) == []
            assert scene.receipts(sink) > 0
            filler.unlink()
            subprocess.run(["mount", "-o", "remount,size=4m", str(scene.folder / "small")], check=True)
            told = scene.run(sink, *options).told
            assert 0 < told["resumed_shards"] < told["shards"]
            assert scene.rows(sink) == rows
            assert scene.litter(sink) == []
            scene.remove(sink)
            filler.write_bytes(bytes(100_000))
            subprocess.run(["mount", "-o", "remount,size=200k", str(scene.folder / "small")], check=True)


def test_a_disk_that_is_full_before_the_first_word(scene: Scene) -> None:
    with small_disk(scene.folder / "small", "16k"):
        with pytest.raises(OSError, match="No space left"):
            (scene.folder / "small" / "filler").write_bytes(bytes(100_000))
        ended = scene.run("small/out")
        assert ended.code == 75, ended
        assert "No space left on device; the same command continues the run\n" in ended.err
        (scene.folder / "small" / "filler").unlink()
        assert scene.rows("small/out") == []
