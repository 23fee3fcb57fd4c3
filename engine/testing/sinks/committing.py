"""Checks of when a sink's output is there: at once when it is complete, or not at all."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from engine.errors import DataError, listing
from engine.sink import Writer
from engine.testing.outcome import CheckFailedError, described, running
from engine.testing.sinks.bench import WRITE, SinkBench, contents, visible


class _InterruptedError(BaseException):
    """What a user's Ctrl-C is: no `Exception`."""


def opens(bench: SinkBench) -> None:
    """It can be opened, says what it is, and has written nothing then."""
    if bench.refusal is not None:
        raise CheckFailedError(bench.refusal)
    folder = bench.fresh("looked at")
    with running("opened and checked", "check() sees whether it can be written, and writes nothing"):
        bench.sink(folder / bench.file).check()
    if left := contents(folder):
        raise CheckFailedError(f"opened and checked, it has written {listing(left, 3)}; write in the writer")


def all_at_once(bench: SinkBench) -> None:
    """Nothing is to be seen before the ``with`` block ends, where old answers stay, too."""
    bench.need_open()
    for replaces in _modes(bench):
        folder = bench.fresh("at once")
        if replaces:
            bench.write(folder / bench.file, bench.rows)
        before, seen = contents(folder), visible(folder)
        how = "while it is replaced" if replaces else "while it is written"
        with (
            running(how, WRITE),
            bench.sink(folder / bench.file, **replaces).open(bench.rows.schema) as writer,
        ):
            for batch in bench.rows.to_batches(max_chunksize=50):
                writer.write(batch)
            if visible(folder) != seen:
                new = sorted(set(visible(folder)) - set(seen))
                raise CheckFailedError(
                    f"{how}, {listing(new, 3)} is to be seen already; write under a name that begins with "
                    "'_' or '.', and rename it at the end"
                )
            if any(contents(folder).get(name) != digest for name, digest in before.items()):
                raise CheckFailedError(f"{how}, the old answers are changed already; replace them at the end")
        left = [name for name in contents(folder) if name.startswith(("_", "."))]
        if left:
            raise CheckFailedError(
                f"when it is complete, {listing(left, 3)} is left; remove what was in between"
            )


def exception(bench: SinkBench) -> None:
    """An exception in the ``with`` block goes on, and leaves everything as it was."""
    bench.need_open()
    batches = bench.rows.to_batches(max_chunksize=50)
    for replaces in _modes(bench):
        for error in (ValueError("out of luck"), _InterruptedError()):
            for written in (0, len(batches)):
                folder = bench.fresh("exception")
                if replaces:
                    bench.write(folder / bench.file, bench.rows)
                before = contents(folder)
                how = f"after {type(error).__name__} behind {written} batches"
                _interrupted(bench, folder / bench.file, batches[:written], error, how, replaces)
                _unchanged(folder, before, how, "remove what was written in __exit__")


def refuses_existing(bench: SinkBench) -> None:
    """With ``mode: error``, what is there is refused by a `DataError` that names it, and stays."""
    bench.need_open()
    folder = bench.fresh("existing")
    path = folder / bench.file
    bench.write(path, bench.rows)
    before = contents(folder)
    if _refusal(bench, path, "where something is") is None:
        raise CheckFailedError(
            f"{path.name} is there, and check() says nothing; raise DataError unless mode is 'replace'"
        )
    with (
        running("written all the same", WRITE, allowed=DataError),
        bench.sink(path).open(bench.rows.schema) as writer,
    ):
        for batch in bench.rows.slice(0, 1).to_batches():
            writer.write(batch)
    _unchanged(folder, before, "written all the same", "look again before it is renamed, too")
    late = bench.fresh("late")
    path = late / bench.file
    try:
        with bench.sink(path).open(bench.rows.schema) as writer:
            path.write_text("another's")
            before = contents(late) if path.is_file() else {}
    except DataError:
        pass
    except Exception as error:
        raise CheckFailedError(
            f"where another file came meanwhile, it raises {described(error)}; raise DataError"
        ) from error
    if not path.is_file() or path.read_text(errors="replace") != "another's":
        raise CheckFailedError(
            "a file that came while it was written is replaced; give the name only if nobody has it, as "
            "Path.hardlink_to does"
        )


def replaces(bench: SinkBench) -> None:
    """With ``mode: replace``, the new answers are there, and none of the old; foreign things are refused."""
    bench.need_open()
    folder = bench.fresh("replaced")
    path = folder / bench.file
    bench.write(path, bench.rows)
    few = bench.rows.slice(0, 3)
    bench.write(path, few, "to replace", mode="replace")
    bench.same(path, few, "replaced", "leave nothing of what was there")
    foreign = bench.fresh("foreign")
    (foreign / bench.file).mkdir()
    (foreign / bench.file / "notes.txt").write_text("by hand")
    before = contents(foreign)
    if _refusal(bench, foreign / bench.file, "on a folder of other things", mode="replace") is None:
        raise CheckFailedError("a folder of other things is there, and check() says nothing; raise DataError")
    _unchanged(foreign, before, "on a folder of other things", "replace answers alone")


def unwritable(bench: SinkBench) -> None:
    """Where nothing can be written, ``check()`` raises a `DataError` that names the path."""
    bench.need_open()
    folder = bench.fresh("unwritable")
    (folder / "file").write_text("no folder")
    path = folder / "file" / bench.file
    text = _refusal(bench, path, "below a file")
    if text is None:
        raise CheckFailedError(f"{path} lies below a file, and check() says nothing; raise DataError")
    if str(path) not in text:
        raise CheckFailedError(f"{path} can't be written, and the message doesn't name it: {text}")


def files(bench: SinkBench) -> None:
    """``files()``, ``is_folder`` and ``extension`` say what is there afterwards."""
    bench.need_open()
    for name in dict.fromkeys((bench.file, "parts")):
        path = bench.fresh("files") / name
        with running(f"opened on {name}", WRITE):
            sink = bench.sink(path)
        writer: Writer = bench.write(path, bench.rows, f"written to {name}")
        found = writer.files()
        if sink.path != path:
            raise CheckFailedError(f"its path is {sink.path}, and it was told {path}; keep it")
        if path.is_dir() != sink.is_folder:
            made = "folder" if path.is_dir() else "file"
            raise CheckFailedError(f"is_folder is {sink.is_folder} for {name}, and it made a {made}")
        there = sorted(file for file in path.rglob("*") if file.is_file()) if sink.is_folder else [path]
        if not isinstance(found, tuple) or sorted(found) != there:
            raise CheckFailedError(
                f"written to {name}, files() gives {listing(map(str, found), 3)}, and there are "
                f"{listing(map(str, there), 3)}; give a tuple of all, under their final names"
            )
        ends = [file for file in there if sink.extension and file.suffix not in ("", sink.extension)]
        if ends:
            raise CheckFailedError(f"it wrote {ends[0].name}, and its extension is {sink.extension!r}")
        if bench.misread is None:
            bench.same(found, bench.rows, f"written to {name}", "files() gives parts in the order of rows")


def _modes(bench: SinkBench) -> list[dict[str, str]]:
    return [{}, {"mode": "replace"}] if "mode" in bench.names else [{}]


def _interrupted(
    bench: SinkBench,
    path: Path,
    batches: list[pa.RecordBatch],
    error: BaseException,
    how: str,
    options: dict[str, str],
) -> None:
    """Write batches, then raise an error, which must come out."""
    try:
        with bench.sink(path, **options).open(bench.rows.schema) as writer:
            for batch in batches:
                writer.write(batch)
            _raise(error)
    except BaseException as found:
        if found is error:
            return
        if not isinstance(found, Exception):
            raise
        raise CheckFailedError(f"{how}, it raises {described(found)}; let the first error go on") from found
    raise CheckFailedError(f"{how}, the error is swallowed: __exit__ must return None")


def _raise(error: BaseException) -> None:
    raise error


def _refusal(bench: SinkBench, path: Path, how: str, **options: str) -> str | None:
    """What is said of a place before anything is written; None: nothing."""
    try:
        bench.sink(path, **options).check()
    except DataError as error:
        return str(error)
    except Exception as error:
        raise CheckFailedError(f"{how}, it raises {described(error)}; raise DataError") from error
    return None


def _unchanged(folder: Path, before: dict[str, str], how: str, remedy: str) -> None:
    after = contents(folder)
    if after != before:
        changed = [name for name in {**before, **after} if before.get(name) != after.get(name)]
        raise CheckFailedError(f"{how}, {listing(changed, 3)} is not as before; {remedy}")
