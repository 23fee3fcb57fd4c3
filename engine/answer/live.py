"""A pipeline that answers requests: rows of JSON one by one or together, and columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from engine.answer.row import row_answerer
from engine.answer.table import TableAnswerer
from engine.decode import readers
from engine.decode.rows import rows_to_table
from engine.errors import RowError
from engine.expr.derived import InputKey
from engine.values import BadValue, Stored, Values

if TYPE_CHECKING:
    from engine.pipeline import Pipeline

_FEW = 8
"""Rows that are answered faster one by one than as a table."""


class Observer:
    """Is told what is asked and answered; this one doesn't listen."""

    def row(self, packed: bytes) -> None:
        """The inputs of a row, as `Live.decoded` names them, in slots of 8 bytes (`engine.values.SLOTS`)."""

    def columns(self, columns: Mapping[InputKey, Values | Stored]) -> None:
        """The inputs of some rows."""

    def answer(self, answer: Mapping[str, Any]) -> None:
        """What one row was answered."""

    def answers(self, batch: pa.RecordBatch) -> None:
        """What some rows were answered."""

    def refused(self, code: str) -> None:
        """A row was refused."""

    def ignored(self, keys: int) -> None:
        """A row has keys that are neither inputs nor kept."""


UNOBSERVED = Observer()


class Live:
    """A pipeline that answers requests; made by `Pipeline.live`.

    Safe to call from several threads, as far as its observer is.

    Parameters
    ----------
    pipeline : Pipeline
    decoded : tuple of str or Derived
    table : TableAnswerer
    observer : Observer

    Attributes
    ----------
    pipeline : Pipeline
    name, version : str
    decoded : tuple of str or Derived
        The inputs that are decoded.
    known : frozenset of str
        Keys of a row that mean something: inputs, and what is kept.
    """

    def __init__(
        self, pipeline: Pipeline, decoded: tuple[InputKey, ...], table: TableAnswerer, observer: Observer
    ) -> None:
        self.pipeline = pipeline
        self.name = pipeline.plan.name
        self.version = pipeline.version
        self.decoded = decoded
        self._table = table
        self._observer = observer
        self._observed = observer is not UNOBSERVED
        self._grouped = bool(pipeline.groups)
        self._one: Callable[[Mapping[str, Any]], dict[str, Any]] = row_answerer(
            pipeline.plan,
            pipeline.program,
            decoded,
            readers.JSON,
            observer.row if self._observed else None,
        )
        self._read = [item for item in pipeline.plan.inputs if item.name in table.looks_at]
        others = [*(item.name for item in pipeline.plan.inputs), *pipeline.plan.keep]
        self.known = frozenset(others)
        self._unread = [
            name for name in dict.fromkeys(others) if name not in {item.name for item in self._read}
        ]

    def one(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Answer one row, of values as JSON has them.

        Raises
        ------
        RowError
            It is refused.

        Returns
        -------
        dict
            As `Pipeline.predict_one` answers.
        """
        try:
            answer = self._one(row)
        except RowError as error:
            self._observer.refused(error.code)
            raise
        if self._observed:
            self._observer.answer(answer)
            if not self.known.issuperset(row):
                self._observer.ignored(len(row.keys() - self.known))
        return answer

    def many(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any] | RowError]:
        """Answer rows; a refused one has its error in its place.

        They are one group for stages without ``by``.

        Raises
        ------
        DataError
            A group is seen in two places.
        """
        if self._grouped or len(rows) > _FEW:
            return self._by_table(rows)
        answers: list[dict[str, Any] | RowError] = []
        for row in rows:
            try:
                answers.append(self.one(row))
            except RowError as error:
                answers.append(error)
        return answers

    def _by_table(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any] | RowError]:
        table, known = rows_to_table(rows, self._read, readers.JSON)
        for name in self._unread:  # nobody looks at them
            table = table.append_column(name, pa.nulls(table.num_rows))
        if self._observed:
            ignored = sum(len(row.keys() - self.known) for row in rows)
            if ignored:
                self._observer.ignored(ignored)
        made, bad = self._score(table, known)
        answered = iter(made.to_pylist())
        refused: dict[int, RowError] = {}
        for value in bad:
            refused.setdefault(value.row, RowError(value.message, column=value.column, code=value.code))
        keep = self.pipeline.plan.keep
        answers: list[dict[str, Any] | RowError] = []
        for place, row in enumerate(rows):
            if place in refused:
                answers.append(refused[place])
                continue
            answer = next(answered)
            for name in keep:
                answer[name] = row.get(name)
            answers.append(answer)
        return answers

    def table(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, list[BadValue]]:
        """Answer columns, as `Pipeline.score_batch` does."""
        return self._score(batch, ())

    def _score(
        self, batch: pa.Table | pa.RecordBatch, known: Sequence[BadValue]
    ) -> tuple[pa.RecordBatch, list[BadValue]]:
        seen = self._observer.columns if self._observed else None
        made, bad = self._table.score(batch, text=False, known=known, seen=seen)
        if self._observed:
            self._observer.answers(made)
            codes = {value.row: value.code for value in reversed(bad)}
            for code in codes.values():
                self._observer.refused(code)
        return made, bad
