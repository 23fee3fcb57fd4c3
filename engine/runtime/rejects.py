"""Rows that inputs or filters refuse: counted, kept with the reason, too many of them the end of the run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from engine.decode.arrow import take_rows
from engine.errors import ConfigError, DataError, Mistake
from engine.files import is_regular
from engine.runtime.io.address import beside, file_ending, is_url, name_of
from engine.runtime.io.files import FORMATS
from engine.runtime.io.formats import file_columns, file_sink
from engine.runtime.io.pipe_sink import NAME as PIPED
from engine.runtime.io.pipe_sink import PipeSink
from engine.runtime.io.storage import address_of
from engine.runtime.shards.plan import Sample
from engine.runtime.store.opened import open_store
from engine.schema import Input
from engine.sink import Sink
from engine.source import Address, Source, SourcePart
from engine.values import FILTERED, BadValue

MOST_SAMPLES = 5
"""Rows of which a message tells."""
_OWN = {
    "file": pa.string(),
    "row": pa.int64(),
    "column": pa.string(),
    "code": pa.string(),
    "reason": pa.string(),
}


class RefusedError(DataError):
    """More rows are refused than may be, or one that none may be: the run ends."""


@dataclass(frozen=True, slots=True)
class Rejects:
    """What happens to rows that are refused.

    Parameters
    ----------
    path : str or None
        The file they go to; None is beside the sink, ``<name>.rejects.parquet`` (or ``.csv``).
    max : int, float or None
        How many there may be: a count, as a float a share of the rows read, below 1, or None: any number.

    Raises
    ------
    ConfigError
        ``max`` is neither.
    """

    path: str | None = None
    max: int | float | None = 0

    def __post_init__(self) -> None:
        if self.max is None:
            return
        message = "a count (100), a share below 1 (0.01), or null: as many as there are"
        if isinstance(self.max, float) and self.max >= 1:
            note = f"as a count: rejects.max={self.max:.0f}; all rows: rejects.max=null"
            if self.max == float("inf"):
                note = "all rows: rejects.max=null"
            mistake = Mistake("rejects.max", f"expected {message}; {self.max!r} is no share below 1", (note,))
            raise ConfigError([mistake])
        if isinstance(self.max, bool) or not self.max >= 0:
            raise ConfigError([Mistake("rejects.max", f"expected {message}; found {self.max!r}")])

    def allowed(self, rows: int) -> float:
        """How many of so many rows may be refused."""
        if self.max is None:
            return rows
        return self.max * rows if isinstance(self.max, float) else self.max


def rejects_path(rejects: Rejects, sink: Sink) -> Address:
    """The file that refused rows go to: the one that was asked for, or one beside the sink."""
    if rejects.path:
        return address_of(rejects.path)
    ending = file_ending(sink.path)
    name = name_of(sink.path).removesuffix(ending)
    # a sink of another format: rejects are the engine's own
    known = any(sink.extension in (own, f"{own}.gz", f"{own}.zst") for own in FORMATS)
    return beside(sink.path, f"{name}.rejects{sink.extension if known else '.csv'}")


def rejected_schema(columns: Iterable[str]) -> pa.Schema:
    """The columns of rejected rows: where each was and why, then what was read of it, as text."""
    read = [pa.field(f"{name}_" if name in _OWN else name, pa.string()) for name in columns]
    return pa.schema([*(pa.field(name, kind) for name, kind in _OWN.items()), *read])


class Refusals:
    """The refused rows of one source, or of a part of one, as they are found.

    Parameters
    ----------
    inputs : sequence of Input
    source : Source

    Attributes
    ----------
    count : int
    samples : list of Sample
        The first of them.
    """

    def __init__(self, inputs: Sequence[Input], source: Source) -> None:
        self._inputs = inputs
        self._source = source
        self.count = 0
        self.samples: list[Sample] = []

    def take(self, batch: pa.RecordBatch, start: int, bad: Sequence[BadValue]) -> pa.RecordBatch | None:
        """The refused rows of a batch whose first row is number ``start``, as `rejected_schema` has them.

        Raises
        ------
        RefusedError
            An input's policy is ``fail``.
        """
        by_row: dict[int, list[BadValue]] = {}
        for value in bad:
            if value.fatal:
                sample = self._sample(start, value)
                lines = (f"{sample.where}: {value.message}", *_advice(self._inputs, [sample]))
                raise RefusedError("\n".join(lines))
            by_row.setdefault(value.row, []).append(value)
        if not by_row:
            return None
        rows = sorted(by_row)
        for row in rows[: MOST_SAMPLES - len(self.samples)]:
            self.samples.append(self._sample(start, by_row[row][0]))
        self.count += len(rows)
        places = [self._locate(start + row) for row in rows]
        own = {
            "file": [file for file, _ in places],
            "row": [number for _, number in places],
            "column": [by_row[row][0].column for row in rows],
            "code": [by_row[row][0].code for row in rows],
            "reason": ["; ".join(value.message for value in by_row[row]) for row in rows],
        }
        taken = [take_rows(column, np.array(rows, np.int64)) for column in batch.columns]
        arrays = [pa.array(own[name], kind) for name, kind in _OWN.items()]
        arrays += [_as_text(column) for column in taken]
        return pa.RecordBatch.from_arrays(arrays, schema=rejected_schema(batch.schema.names))

    def _sample(self, start: int, value: BadValue) -> Sample:
        return Sample(self._source.place(start + value.row), value.column, value.code, value.message)

    def _locate(self, row: int) -> tuple[str, int]:
        if isinstance(self._source, SourcePart):
            return self._source.locate(row)
        return str(self._source.path), row


def check_share(
    rejects: Rejects,
    inputs: Sequence[Input],
    count: int,
    rows: int,
    total: int | None,
    samples: Sequence[Sample],
    written: int = 0,
) -> None:
    """Hold the refused rows against what is allowed.

    Parameters
    ----------
    rejects : Rejects
    inputs : sequence of Input
    count : int
        Refused rows.
    rows : int
        Rows read.
    total : int or None
        All rows there are; a share of them can only be judged where that is known.
    samples : sequence of Sample
    written : int
        Rows that can't be taken back.

    Raises
    ------
    RefusedError
        There are more.
    """
    whole = total if isinstance(rejects.max, float) else rows
    if whole is None or count <= rejects.allowed(whole):
        return
    shown = samples[:MOST_SAMPLES]
    lines = [f"  {sample.where}: {sample.message}" for sample in shown]
    if count > len(lines):
        lines.append(f"  and {count - len(lines):,} more")
    stays = f"{written:,} rows are written already" if written else "nothing was written"
    head = (
        f"{count:,} of the {rows:,} rows read so far are rejected, more than"
        f" rejects.max={rejects.max}; {stays} (rows count from 0)"
    )
    remedy = "to let them pass into a file of rejects: rejects.max=1000 or rejects.max=0.01"
    raise RefusedError("\n".join((head, *lines, remedy, *_advice(inputs, shown))))


def _advice(inputs: Sequence[Input], samples: Sequence[Sample]) -> list[str]:
    known = {item.name: item for item in inputs}
    seen = dict.fromkeys((sample.column, sample.code) for sample in samples)
    return [
        f"to take such values as missing: 'inputs.{column}={{kind: {known[column].kind}, {code}: null}}'"
        for column, code in seen
        if column in known and code != FILTERED
    ]


def check_rejects(rejects: Rejects, sink: Sink) -> None:
    """See, before anything is read, whether the file of rejects can be written.

    Raises
    ------
    DataError
    """
    if isinstance(sink, PipeSink):
        _check_beside_pipe(rejects)
        return
    if isinstance(sink.path, str) and not is_url(sink.path):
        return  # no file: where its rejected rows go, its state looks at
    path = rejects_path(rejects, sink)
    if sink.mode == "append" and rejects.path is None:
        return  # each run has one of its own
    if isinstance(path, str):
        store, name = open_store(path, getattr(sink, "storage", None))
        if sink.mode != "replace" and store.size(name) is not None:
            raise DataError(f"{path}: the file exists; to replace it: sink.mode=replace")
        return
    file_sink(path, "replace" if sink.mode == "replace" else "error").check()
    if path.exists() and not _is_of_rejects(path):
        raise DataError(
            f"{path}: not replaced, since it is no file of rejects that a batch wrote; "
            "set rejects.path to another path"
        )


def _check_beside_pipe(rejects: Rejects) -> None:
    if rejects.path is None:
        if rejects.max != 0:
            message = "is needed: standard output takes answers alone, and rejected rows go to a file"
            notes = ("such as: rejects.path=rejects.csv", "to let no row be rejected: rejects.max=0")
            raise ConfigError([Mistake("rejects.path", message, notes)])
        return
    path = address_of(rejects.path)
    if not isinstance(path, Path):
        raise DataError(f"{path}: rejected rows go to a file of this machine where the sink is {PIPED}")
    if path.exists():
        raise DataError(f"{path}: the file exists; remove it, or set rejects.path to another path")
    file_sink(path, "error").check()


def _is_of_rejects(path: Path) -> bool:
    """Whether a file begins with the columns that rejects have."""
    try:
        return is_regular(path) and file_columns(path).names[: len(_OWN)] == list(_OWN)
    except (DataError, OSError):
        return False


def _as_text(column: pa.Array) -> pa.Array:
    """A column as text, whatever it holds."""
    try:
        return column.cast(pa.string())
    except pa.ArrowException:
        cells = column.to_pylist()
        return pa.array(
            [
                None
                if cell is None
                else cell.decode(errors="replace")
                if isinstance(cell, bytes)
                else str(cell)
                for cell in cells
            ],
            pa.string(),
        )
