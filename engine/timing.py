"""Where the time of a pipeline goes: the whole, the compiled program, and each stage alone."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from engine.compile.layout import lay_out
from engine.compile.program import Program
from engine.decode import TableDecoder
from engine.errors import DataError
from engine.expr.graph import Expr
from engine.pipeline import Pipeline
from engine.plan.plan import PlannedStage
from engine.plan.trace import State, initial, trace_stage
from engine.schema import Column, Kind
from engine.stage import NOTHING, Scorer
from engine.training.fit import program_inputs
from engine.values import Values, take

LEAST_RUNS = 3
MOST_RUNS = 15
SECONDS = 0.3
"""What is measured is run until this time is over, within those numbers of runs."""


@dataclass(frozen=True, slots=True)
class StageTime:
    """What a stage takes by itself.

    Parameters
    ----------
    label : str
    use : str
    ns : float
        Nanoseconds a row: it reads its columns from memory and writes what it makes.
    """

    label: str
    use: str
    ns: float


@dataclass(frozen=True, slots=True)
class Profile:
    """Where the time goes, in nanoseconds a row, on one thread, all rows in memory.

    Parameters
    ----------
    rows : int
        Rows that were run.
    refused : int
        Rows of the sample that inputs refuse; they are left out.
    whole : float
        From an Arrow batch to an Arrow batch.
    program : float
        All stages in one compiled program, from arrays to arrays.
    stages : tuple of StageTime
    compiled : bool
        Whether numba compiled it; else it was interpreted.
    """

    rows: int
    refused: int
    whole: float
    program: float
    stages: tuple[StageTime, ...]
    compiled: bool

    @property
    def rest(self) -> float:
        """Decoding values and encoding answers: what the program is not."""
        return max(self.whole - self.program, 0.0)

    @property
    def alone(self) -> float:
        """The sum of the stages, each by itself."""
        return sum(stage.ns for stage in self.stages)


def measure(pipeline: Pipeline, sample: pa.RecordBatch, *, text: bool = False) -> Profile:
    """Run a pipeline on a sample, as a whole and stage by stage.

    Parameters
    ----------
    pipeline : Pipeline
    sample : pyarrow.RecordBatch
    text : bool
        Every column is text to parse, as a CSV file's are.

    Raises
    ------
    DataError
        No row is left to run.
    """
    decoder = TableDecoder(pipeline.plan.inputs, None, None, parse_text=text)
    decoded = decoder.decode(sample)
    good = np.ones(sample.num_rows, bool)
    good[[bad.row for bad in decoded.bad]] = False
    rows = int(good.sum())
    if not rows:
        raise DataError(f"there is nothing to measure: of {sample.num_rows:,} rows all are refused")
    where = np.flatnonzero(good)
    batch = sample.take(pa.array(where)) if rows < sample.num_rows else sample
    values = {name: take(column, where) for name, column in decoded.columns.items()}
    program, layout = pipeline.program, pipeline.layout
    reads = program_inputs(layout.reads, values, layout.vocabularies)
    scale = 1e9 / rows
    whole = scale * _median(lambda: pipeline.score_batch(batch, text=text))
    inner = scale * _median(lambda: program.many(rows, reads))
    stages = _stages(pipeline, values, rows)
    return Profile(rows, sample.num_rows - rows, whole, inner, stages, not program.interpreted)


def _stages(pipeline: Pipeline, inputs: Mapping[str, Values], rows: int) -> tuple[StageTime, ...]:
    """Each stage in a program of its own, on what those before it made."""
    values: dict[str, Values] = dict(inputs)
    columns = [column for column, _ in initial(pipeline.plan).values()]
    found = []
    for planned in pipeline.plan.stages:
        state = {column.name: (column, _leaf(column)) for column in columns}
        after, made, program = _alone(pipeline, planned, state)
        read = program_inputs(program.layout.reads, values, program.layout.vocabularies)
        reads = {key: _as_float64(column) for key, column in read.items()}
        seconds = 0.0
        if made:
            seconds = _median(lambda program=program, reads=reads: program.many(rows, reads))  # type: ignore[misc]
            computed = program.many(rows, reads)
        else:
            computed = {}
        found.append(StageTime(planned.label, planned.stage.use, seconds * 1e9 / rows))
        names = {id(node): name for name, (_, node) in state.items()}
        values = {
            name: values[names[id(node)]] if id(node) in names else computed[name]
            for name, (_, node) in after.items()
        }
        columns = [column for column, _ in after.values()]
    return tuple(found)


def _alone(pipeline: Pipeline, planned: PlannedStage, state: State) -> tuple[State, bool, Program]:
    """The columns after a stage, whether it computes any, and the program that does."""
    after, step, point = trace_stage(planned, pipeline.learned.get(planned.label, NOTHING), state)
    given = {id(node) for _, node in state.values()}
    outputs = tuple((column, node) for column, node in after.values() if id(node) not in given)
    points = (point,) if point is not None else ()
    trace = dataclasses.replace(pipeline.trace, steps=(step,), outputs=outputs, final=after, points=points)
    scorers: dict[str, Scorer] = {}
    if planned.label in pipeline.scorers:
        scorers[planned.label] = pipeline.scorers[planned.label]
    program = Program(lay_out(trace, scorers), scorers, interpreted=pipeline.program.interpreted)
    return after, bool(outputs) or point is not None, program


def _leaf(column: Column) -> Expr:
    """A column as it lies in memory; a boolean as 0 and 1."""
    if column.kind is Kind.BOOLEAN:
        return Expr.input(column.name, Kind.NUMBER) != 0
    return Expr.input(column.name, column.kind)


def _as_float64(values: Values) -> Values:
    if isinstance(values, np.ndarray) and values.dtype in (np.bool_, np.float32):
        return values.astype(np.float64)
    return values


def _median(run: Callable[[], object]) -> float:
    """Seconds that it takes, the median of some runs behind a first one that compiles and warms up."""
    run()
    times: list[float] = []
    began = time.perf_counter()
    while len(times) < LEAST_RUNS or (len(times) < MOST_RUNS and time.perf_counter() - began < SECONDS):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)
