"""Checks of answers: the same bits however a stage is run, and no value that breaks it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import pyarrow as pa

from engine.errors import UserError
from engine.pipeline import Pipeline
from engine.stage import GroupStage
from engine.testing.outcome import CheckFailedError, running
from engine.testing.stages.compare import Answer, answers, difference, one_by_one
from engine.testing.stages.subject import LABEL, Subject

ALONE = 64
"""Rows that are asked for one by one."""
CHUNKS = (1, 255, 256, 257)
THREADS = 4


def kernel_equals_interpreter(subject: Subject) -> None:
    """The compiled stage gives the bits that the interpreter gives."""
    _same_as_interpreted(subject, subject.hard)


def batch_equals_rows(subject: Subject) -> None:
    """A row in a table has the answer that it has alone."""
    _same_alone(subject, subject.hard)


def group_equals_groups(subject: Subject) -> None:
    """A group among others has the answer that it has alone."""
    rows, pipeline = subject.hard, subject.pipeline
    alone: list[Answer] = []
    with _running("a group at a time"):
        whole = answers(pipeline, rows)
        for start, stop in subject.units(rows):
            alone += answers(pipeline, rows.slice(start, stop - start))
    _same(
        pipeline, rows, whole, alone, ("among all groups", "its group alone"),
        "compute each group from its own rows, from one of starts to the next",
    )  # fmt: skip


def chunkings(subject: Subject) -> None:
    """A table cut anywhere, or turned round, has the same answers."""
    rows, pipeline = subject.hard, subject.pipeline
    units = subject.units(rows)
    remedy = "compute a row from its own values (and what was learned), not from the rows beside it"
    with _running("in blocks"):
        whole = answers(pipeline, rows)
    for size in CHUNKS:
        part = rows.slice(0, units[min(ALONE, len(units)) - 1][1]) if size == 1 else rows
        found: list[Answer] = []
        with _running(f"in blocks of {size}"):
            for start, stop in _blocks([unit for unit in units if unit[1] <= part.num_rows], size):
                found += answers(pipeline, part.slice(start, stop - start))
        said = ("in one table", f"in blocks of {size:,} rows")
        _same(pipeline, part, whole[: part.num_rows], found, said, remedy)
    order = [i for start, stop in reversed(units) for i in range(start, stop)]
    turned = rows.take(pa.array(order, pa.int64()))
    with _running("in another order"):
        found = answers(pipeline, turned)
    _same(pipeline, turned, [whole[i] for i in order], found, ("in order", "with the order reversed"), remedy)


def missing_values(subject: Subject) -> None:
    """Missing values everywhere: answers of the declared kinds, and nothing learned from them."""
    _learned_from(
        subject, "missing", "missing values", "leave missing values out, as in values[~np.isnan(values)]"
    )
    rows = subject.table("missing")
    _answered_alike(subject, rows)
    pipeline = subject.pipeline
    nothing = pa.table({name: pa.nulls(3, rows.schema.field(name).type) for name in rows.schema.names})
    if issubclass(subject.cls, GroupStage):
        return
    with _running("on rows in which all is missing"):
        found = answers(pipeline, nothing)
        absent = one_by_one(pipeline, [{}])
    remedy = "an absent value, null and NaN are all missing: treat them alike"
    _same(pipeline, nothing.slice(0, 1), found[:1], absent, ("null", "absent"), remedy)


def infinite_values(subject: Subject) -> None:
    """Infinite and huge numbers: no exception, the same bits, nothing infinite learned."""
    remedy = "raise UserError where what was learned is not finite, and say what to do"
    _learned_from(subject, "infinite", "infinite numbers", remedy)
    rows = subject.table("infinite")
    _answered_alike(subject, rows)


def empty(subject: Subject) -> None:
    """A table without rows has an answer without rows, of the same columns."""
    none = subject.hard.slice(0, 0)
    with _running("on a table without rows"):
        for pipeline in (subject.pipeline, subject.oracle):
            found, _ = pipeline.predict_many(none, rejects=True)
            if found.num_rows or found.schema != pipeline.output_schema(none.schema):
                raise CheckFailedError(
                    f"a table without rows is answered with {found.num_rows} rows and {found.schema}"
                )
    for scorer in subject.pipeline.scorers.values():
        with _running("on no rows"):
            shape = np.shape(scorer.many(np.empty((0, scorer.n_features), np.float32)))
        if shape != (0, scorer.n_outputs):
            raise CheckFailedError(
                f"the scorer's many() gives the shape {shape} for no rows; it must be (0, {scorer.n_outputs})"
            )


def one_row(subject: Subject) -> None:
    """A table of one row (or of one group) has the answer that the row has among others."""
    rows, pipeline = subject.hard, subject.pipeline
    stop = subject.units(rows)[0][1]
    with _running("on a table of one row"):
        whole, alone = answers(pipeline, rows)[:stop], answers(pipeline, rows.slice(0, stop))
    remedy = "arrays of one row keep their shape (1, …): no squeeze(), no item()"
    _same(pipeline, rows.slice(0, stop), whole, alone, ("among others", "in a table of its own"), remedy)


def threads(subject: Subject) -> None:
    """Several threads at once give the bits of one."""
    rows, pipeline = subject.hard, subject.pipeline
    if subject.units(rows) != [(i, i + 1) for i in range(rows.num_rows)]:
        return  # a table of groups isn't cut, so that there is nothing to share
    many = pa.concat_tables([rows] * (20_000 // rows.num_rows + 1)).combine_chunks()
    with _running(f"in {THREADS} threads"):
        alone, together = answers(pipeline, many), answers(pipeline, many, THREADS)
    remedy = "keep no state on the stage or the scorer; memory to work in belongs to the call, or the thread"
    _same(pipeline, many, alone, together, ("in one thread", f"in {THREADS} threads"), remedy)


# -- what they share


def _answered_alike(subject: Subject, rows: pa.Table) -> None:
    """Compiled and interpreted, in a table and alone; what differs on any rows is left to other checks."""
    for compare in (_same_as_interpreted, _same_alone):
        if compare is _same_alone and issubclass(subject.cls, GroupStage):
            continue
        try:
            compare(subject, subject.hard)
        except CheckFailedError:
            with _running("in a table"):
                answers(subject.pipeline, rows)
        else:
            compare(subject, rows)


def _same_as_interpreted(subject: Subject, rows: pa.Table) -> None:
    with _running("compiled"):
        compiled = answers(subject.pipeline, rows)
    with _running("interpreted"):
        interpreted = answers(subject.oracle, rows)
    _same(
        subject.pipeline, rows, compiled, interpreted, ("compiled", "interpreted"),
        "compute from the values alone: no clock, no chance, no counter, no memory layout",
    )  # fmt: skip


def _same_alone(subject: Subject, rows: pa.Table) -> None:
    part = rows.slice(0, ALONE)
    with _running("in a table"):
        whole = answers(subject.pipeline, part)
    with _running("one row at a time"):
        alone = one_by_one(subject.pipeline, part.to_pylist())
    _same(
        subject.pipeline, part, whole, alone, ("in a table", "alone"),
        "compute a row from its own values and what was learned; of a scorer, one() gives the bits of many()",
    )  # fmt: skip


def _same(
    pipeline: Pipeline,
    rows: pa.Table,
    first: list[Answer],
    second: list[Answer],
    said: tuple[str, str],
    remedy: str,
) -> None:
    found = difference(rows, list(pipeline.outputs), first, second)
    if found is not None:
        place, a, b = found
        raise CheckFailedError(f"{place} is {a!r} {said[0]} and {b!r} {said[1]}; {remedy}")


def _blocks(units: list[tuple[int, int]], size: int) -> Iterator[tuple[int, int]]:
    """Cuts between units, each block at least ``size`` rows long but the last."""
    begin = 0
    for _, stop in units:
        if stop - begin >= size or stop == units[-1][1]:
            yield begin, stop
            begin = stop


def _learned_from(subject: Subject, values: str, what: str, remedy: str) -> None:
    """Fit on such rows: what is learned must be finite, or a `UserError` says why it isn't."""
    with _running(f"fitted on {what}", allowed=UserError):
        learned = subject.fit(subject.table(values)).learned.get(LABEL, {})
        for name, value in learned.items():
            array: Any = np.asarray(value) if isinstance(value, np.ndarray) else np.zeros(0)
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise CheckFailedError(
                    f"fitted on {what}, it learns {array[~np.isfinite(array)][0]} as {name!r}; {remedy}"
                )


def _running(
    how: str, allowed: type[Exception] | tuple[type[Exception], ...] = ()
) -> AbstractContextManager[None]:
    return running(how, "every value of a kind that it accepts must have an answer", allowed)
