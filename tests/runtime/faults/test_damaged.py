"""Damaged files: a named error, or the rows that are right; never other values in silence."""

from __future__ import annotations

import json
import math
import random
import signal
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.errors import DataError
from engine.runtime.io import open_source

from .scene import ROWS, SHARDS, Scene, clean, rows_of, table, write_file


def flip(path: Path, place: int, bit: int = 0) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1 << bit
    path.write_bytes(content)


def read(path: Path) -> pa.Table:
    source = open_source({"path": str(path)})
    return pa.Table.from_batches(list(source.batches(None, 7)), source.schema)


def pages(path: Path) -> range:
    """Where the pages of a Parquet file lie: all but the magic and the footer."""
    return range(4, path.stat().st_size - 8 - pq.ParquetFile(path).metadata.serialized_size)


def test_a_flipped_byte_in_a_parquet_file(tmp_path: Path) -> None:
    """Of the pages and their headers: an error, or the same rows."""
    path = tmp_path / "in.parquet"
    write_file(path, 0)
    before = read(path)
    refused = 0
    for place in pages(path)[::9]:
        flip(path, place, place % 8)
        try:
            assert read(path).equals(before), place
        except DataError as error:
            damage = ("can't be read as Parquet: ", "expected 60 rows, read ")
            assert str(error).startswith(tuple(f"{path}: {what}" for what in damage)), error
            refused += 1
        flip(path, place, place % 8)
    assert refused > 0.75 * len(pages(path)[::9])


def test_a_file_that_was_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "in.parquet"
    write_file(path, 0)
    whole = path.read_bytes()
    for size in (*range(0, len(whole), 97), len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(DataError) as caught:
            read(path)
        assert str(path) in str(caught.value)


@pytest.mark.parametrize("sink", ["out", "out.parquet"])
def test_a_damaged_file_of_a_source(scene: Scene, sink: str) -> None:
    """The shard that reads it is named, the others are done, and nothing is committed."""
    file = scene.folder / "in" / "f1.parquet"
    chunk = pq.ParquetFile(file).metadata.row_group(1).column(1)
    flip(file, (chunk.dictionary_page_offset or chunk.data_page_offset) + chunk.total_compressed_size - 2)
    ended = scene.run(sink)
    assert ended.code == 3, ended
    assert f"1 of {SHARDS} shards failed; the others are done and wait, nothing is committed\n" in ended.err
    assert f"\n  shard 4 ({file}): {file}: can't be read as Parquet: " in ended.err
    assert scene.rows(sink) == []
    assert scene.receipts(sink) == SHARDS - 1
    assert scene.run(sink).code == 3  # as long as it is what it is
    write_file(file, 60)
    assert scene.run(sink).code == 2  # another file is another run
    assert scene.run(sink, "resume=never").told["resumed_shards"] == 0
    assert scene.rows(sink) == clean()


def test_files_without_bytes_or_rows(scene: Scene) -> None:
    file = scene.folder / "in" / "f2.parquet"
    write_file(file, 0, 0)
    assert scene.run("out").told["rows_in"] == ROWS
    assert scene.rows("out") == clean()
    file.write_bytes(b"")
    ended = scene.run("more")
    assert (ended.code, ended.err) == (2, f"{file}: the file is empty (0 bytes)\n")


def test_a_source_without_rows(scene: Scene) -> None:
    for path in (scene.folder / "in").iterdir():
        path.unlink()
    write_file(scene.folder / "in" / "f.parquet", 0, 0)
    for sink in ("out", "out.parquet", "out.csv"):
        assert scene.run(sink, f"rejects.path={scene.folder / 'r.csv'}").told["rows_in"] == 0
        assert scene.rows(sink) == []


def written_by(scene: Scene, sink: str) -> tuple[int, Path]:
    """A shard with a receipt, and the file that it wrote."""
    shard = sorted(next(scene.state(sink).glob("*/receipts")).glob("0*.json"))[1].stem
    attempts = next(scene.state(sink).glob("*/attempts"))
    return int(shard), next(p for p in attempts.glob(f"{shard}-*") if "rejected" not in p.name)


@pytest.mark.parametrize("sink", ["out", "out.parquet", "out.csv"])
@pytest.mark.parametrize("how", ["flipped", "cut", "gone"])
def test_what_a_shard_wrote_is_damaged_between_two_tries(scene: Scene, sink: str, how: str) -> None:
    """It is noticed, and that shard is scored again."""
    assert scene.killed(sink, "receipt.made@4")
    receipts = scene.receipts(sink)
    _, file = written_by(scene, sink)
    if how == "flipped":
        flip(file, file.stat().st_size // 3)
    elif how == "cut":
        file.write_bytes(file.read_bytes()[:-3])
    else:
        file.unlink()
    assert scene.run(sink).told["resumed_shards"] == receipts - 1
    assert scene.rows(sink) == clean() and scene.litter(sink) == []


@pytest.mark.parametrize("sink", ["out", "out.parquet"])
def test_what_a_shard_wrote_is_gone_before_the_commit(scene: Scene, sink: str) -> None:
    child = scene.start(sink, point="run.scored:STOP")
    child.wait_for_stop()
    shard, file = written_by(scene, sink)
    file.unlink()
    child.signal(signal.SIGCONT)
    ended = child.wait()
    assert ended.code == 75
    assert f"{file}: gone, or no longer what shard {shard} wrote; the same command" in ended.err
    assert scene.rows(sink) == []
    assert scene.run(sink).told["resumed_shards"] == SHARDS - 1
    assert scene.rows(sink) == clean() and scene.litter(sink) == []


def test_a_receipt_that_is_no_receipt(scene: Scene) -> None:
    assert scene.killed("out", "receipt.made@2")
    receipt = next(scene.state("out").glob("*/receipts/0*.json"))
    receipt.write_bytes(b"")
    ended = scene.run("out")
    assert ended.code == 2 and f"{receipt}: " in ended.err
    scene.run("out", "resume=never").done()
    assert scene.rows("out") == clean()


@pytest.mark.parametrize(
    ("edited", "key", "value"),
    [
        ("*/plan.json", "run_id", "../../precious"),
        ("*/plan.json", "run_id", "0123456789ab"),
        ("*/receipts/00000.json", "attempt", "../../../../precious/x"),
        ("*/receipts/00000.json", "shard", 7),
        ("commits/00000001.json", "whole", "../../precious/x"),
        ("commits/00000001.json", "run_id", "../../precious"),
        ("commits/00000001.json", "files", [{"name": "../precious/x", "rows": 1, "size": 1}]),
        ("commits/00000001.json", "files", []),
    ],
)
def test_state_that_somebody_edited_leads_nowhere(scene: Scene, edited: str, key: str, value: object) -> None:
    """Not out of its folder above all: names in it are removed, renamed and read."""
    precious = scene.folder / "precious" / "x"
    precious.parent.mkdir()
    precious.write_bytes(b"x")
    if "commits" in edited:
        scene.run("out").done()
    else:
        assert scene.killed("out", "receipt.made@2")
    file = next(scene.state("out").glob(edited))
    file.write_text(json.dumps(json.loads(file.read_text()) | {key: value}))
    for resume in ("auto", "never"):
        ended = scene.run("out", f"resume={resume}", "sink.mode=append", "rejects.path=null")
        if resume == "auto" or "receipts" not in edited:
            assert ended.code == 2 and f"{file}: this is no state of a batch" in ended.err
    assert precious.read_bytes() == b"x"
    if "commits" in edited:
        with pytest.raises(DataError, match="commit"):
            scene.rows("out")


def csv_source(scene: Scene) -> Path:
    for path in (scene.folder / "in").iterdir():
        path.unlink()
    write_file(scene.folder / "in" / "a.csv", 0)
    write_file(scene.folder / "in" / "b.csv", 60)
    return scene.folder / "in" / "b.csv"


def test_a_csv_file_cut_in_the_middle_of_a_record(scene: Scene) -> None:
    file = csv_source(scene)
    whole = file.read_bytes()
    line = whole[:-9].rfind(b"\n") + 1
    for size in range(line + 1, line + whole[line:].index(b",", whole[line:].index(b",") + 1)):
        file.write_bytes(whole[:size])
        with pytest.raises(DataError, match="expected 4 fields, found"):
            read(file)
    ended = scene.run("out.parquet")
    assert ended.code == 3 and f"{file}, line 61: expected 4 fields, found 2" in ended.err
    assert scene.rows("out.parquet") == [] and scene.receipts("out.parquet") == 1


@pytest.mark.parametrize("sink", ["out", "out.csv"])
def test_cells_that_cannot_be_read(scene: Scene, sink: str) -> None:
    """Each goes to the rejects with its place and its reason, or becomes missing, and is counted."""
    file = csv_source(scene)
    lines = file.read_bytes().split(b"\n")
    lines[5] = b'64,abc,"c1",64'
    lines[7] = b'66,9.5,"c\xff",66'
    file.write_bytes(b"\n".join(lines))
    scene.options += ["+stages.one={use: expr, value: \"c == 'c1'\"}", "outputs=[n,one]"]
    told = scene.run(sink).told
    assert (told["rows_in"], told["rejected"]) == (ROWS, ROWS // 10 + 2)
    found = [(int(row[0]), row[1]) for row in scene.rows(sink)]
    assert found == [row for row in clean() if row[0] not in (64, 66)]
    reasons = {row[1]: row[4] for row in scene.refused(sink) if row[0] == str(file)}
    assert reasons[4] == "n: expected a number, found 'abc'"
    assert "UTF-8" in reasons[6]
    (scene.folder / "other").mkdir()
    told = scene.run(f"other/{sink}", "inputs.n={kind: number, invalid: null}").told
    assert told["rejected"] == ROWS // 10 + 1
    (missing,) = [row[1] for row in scene.rows(f"other/{sink}") if int(row[0]) == 64]
    assert missing is None or math.isnan(missing)


def test_columns_that_are_others(scene: Scene) -> None:
    """Another order, further columns and types of the family are fine; one that lacks is told at once."""
    folder = scene.folder / "in"
    content = table(60, 60)
    order = content.select(["m", "c", "n", "id"]).append_column("x", pa.array(["x"] * 60))
    pq.write_table(order, folder / "f1.parquet", row_group_size=20)
    scene.run("a").done()
    assert scene.rows("a") == clean()
    small = content.set_column(3, "m", content["m"].cast(pa.float32()).cast(pa.int32(), safe=False))
    pq.write_table(small, folder / "f1.parquet", row_group_size=20)
    scene.run("b").done()
    assert scene.rows("b") == clean()
    pq.write_table(content.drop_columns(["m"]), folder / "f1.parquet")
    ended = scene.run("c")
    assert ended.code == 2 and f"{folder / 'f1.parquet'}: there is no column 'm'" in ended.err
    pq.write_table(content.set_column(1, "n", pa.array(["1"] * 60)), folder / "f1.parquet")
    ended = scene.run("d")
    assert ended.code == 2 and "column 'n' is string, in other files of the folder it is double" in ended.err
    assert scene.rows("c") == scene.rows("d") == []


def test_random_damage_of_an_output_is_told_by_its_reader(scene: Scene) -> None:
    """Pages of what is written have checksums."""
    scene.run("out.parquet").done()
    path, rng = scene.folder / "out.parquet", random.Random(0)
    before = read(path)
    for _ in range(100):
        place = rng.choice(pages(path))
        flip(path, place)
        with suppress(DataError):
            assert read(path).equals(before)
        flip(path, place)
    assert rows_of(path) == clean()
