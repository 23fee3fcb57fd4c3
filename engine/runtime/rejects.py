"""Rows that inputs or filters refuse: counted, kept with the reason, too many of them the end of the run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow as pa

from engine.decode.arrow import take_rows
from engine.errors import ConfigError, DataError, Mistake
from engine.files import is_regular
from engine.runtime.io.files import FORMATS
from engine.runtime.io.formats import file_columns, file_sink
from engine.runtime.io.sink import SinkWriter
from engine.schema import Input
from engine.sink import Sink
from engine.source import Source
from engine.values import FILTERED, BadValue

_SHOWN = 5
_OWN = {"row": pa.int64(), "column": pa.string(), "code": pa.string(), "reason": pa.string()}


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


def rejects_path(rejects: Rejects, sink: Sink) -> Path:
    """The file that refused rows go to: the one that was asked for, or one beside the sink."""
    # a sink of another format: rejects are the engine's own
    extension = sink.extension if sink.extension in FORMATS else ".csv"
    name = f"{sink.path.stem if sink.path.suffix else sink.path.name}.rejects{extension}"
    return Path(rejects.path) if rejects.path else sink.path.with_name(name)


class RejectsWriter:
    """Gathers the refused rows of one run, in bounded memory.

    Parameters
    ----------
    rejects : Rejects
    inputs : sequence of Input
    source : Source
    sink : Sink
    """

    def __init__(self, rejects: Rejects, inputs: Sequence[Input], source: Source, sink: Sink) -> None:
        self._rejects = rejects
        self._inputs = {item.name: item for item in inputs}
        self._source = source
        self.path = rejects_path(rejects, sink)
        self._sink = file_sink(self.path, sink.mode)
        self._writer: SinkWriter | None = None
        self._first: list[tuple[str, BadValue]] = []
        self._count = 0
        self._committed = False
        self._old = False

    def __enter__(self) -> RejectsWriter:
        self._sink.check()
        if self.path.exists():  # then mode is replace
            if not _is_of_rejects(self.path):
                raise DataError(
                    f"{self.path}: not replaced, since it is no file of rejects that a batch wrote; "
                    "set rejects.path to another path"
                )
            self._old = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.__exit__(kind, error, trace)
        self._committed = kind is None and self._writer is not None

    def settle(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the file back if the output wasn't committed after it; if it was, an earlier run's."""
        if self._committed if kind is not None else self._old and self._writer is None:
            self.path.unlink(missing_ok=True)

    def add(self, batch: pa.RecordBatch, start: int, bad: Sequence[BadValue]) -> int:
        """Take the refused rows of a batch whose first row is number ``start``; how many rows they are.

        Raises
        ------
        DataError
            An input's policy is ``fail``.
        """
        by_row: dict[int, list[BadValue]] = {}
        for value in bad:
            if value.fatal:
                where = self._source.place(start + value.row)
                advice = self._advice([value], most=False)
                raise DataError("\n".join((f"{where}: {value.message}", *advice)))
            by_row.setdefault(value.row, []).append(value)
        if not by_row:
            return 0
        for row in sorted(by_row)[: _SHOWN - len(self._first)]:
            self._first.append((self._source.place(start + row), by_row[row][0]))
        self._count += len(by_row)
        self._write(batch, start, by_row)
        return len(by_row)

    def check(self, rows: int, final: bool = False) -> None:
        """Hold the count so far, of ``rows`` rows read, against what is allowed.

        Raises
        ------
        DataError
            There are more.
        """
        # a share of the whole can only be judged early where the whole is known
        is_share = isinstance(self._rejects.max, float)
        total = self._source.rows if is_share and not final else rows
        if total is None or self._count <= self._rejects.allowed(total):
            return
        lines = [f"  {where}: {value.message}" for where, value in self._first]
        if self._count > len(lines):
            lines.append(f"  and {self._count - len(lines):,} more")
        head = (
            f"{self._count:,} of the {rows:,} rows read so far are rejected, more than"
            f" rejects.max={self._rejects.max}; nothing was written (rows count from 0)"
        )
        raise DataError(
            "\n".join((head, *lines, *self._advice([value for _, value in self._first], most=True)))
        )

    def _advice(self, values: Sequence[BadValue], most: bool) -> list[str]:
        lines = (
            ["to let them pass into a file of rejects: rejects.max=1000 or rejects.max=0.01"] if most else []
        )
        seen = dict.fromkeys((value.column, value.code) for value in values)
        for column, code in seen:
            if column in self._inputs and code != FILTERED:
                kind = self._inputs[column].kind
                lines.append(
                    f"to take such values as missing: 'inputs.{column}={{kind: {kind}, {code}: null}}'"
                )
        return lines

    def _write(self, batch: pa.RecordBatch, start: int, by_row: dict[int, list[BadValue]]) -> None:
        rows = sorted(by_row)
        own = {
            "row": [start + row for row in rows],
            "column": [by_row[row][0].column for row in rows],
            "code": [by_row[row][0].code for row in rows],
            "reason": ["; ".join(value.message for value in by_row[row]) for row in rows],
        }
        places = np.array(rows, np.int64)
        taken = [take_rows(column, places) for column in batch.columns]
        arrays = [pa.array(own[name], kind) for name, kind in _OWN.items()]
        arrays += [_as_text(column) for column in taken]
        names = [*_OWN, *(f"{name}_" if name in _OWN else name for name in batch.schema.names)]
        found = pa.RecordBatch.from_arrays(arrays, names=names)
        if self._writer is None:
            self._writer = self._sink.open(found.schema).__enter__()
        self._writer.write(found)


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
