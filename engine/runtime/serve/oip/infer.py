"""A request of the Open Inference Protocol to its answer, whatever carried it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.types as pt

from engine.errors import did_you_mean, listing
from engine.runtime.serve.call import Refusal
from engine.runtime.serve.oip.binary import BYTES, DATATYPES, unknown
from engine.runtime.serve.oip.model import INPUT_DATATYPES, OUTPUT_DATATYPES, check_model
from engine.runtime.serve.oip.scoring import Noted, score
from engine.runtime.serve.oip.tensor import Tensor
from engine.schema import Input, Kind

if TYPE_CHECKING:
    from engine.answer.live import Live

_MOST = 2**63 - 1
"""Rows that a shape can tell in any of the protocols."""
_SCALAR = tuple(datatype for datatype in DATATYPES if datatype != BYTES)
_WHOLE = tuple(datatype for datatype in DATATYPES if "INT" in datatype)
_TAKEN: Mapping[Kind, tuple[str, ...]] = {
    Kind.NUMBER: _SCALAR,
    Kind.TIMESTAMP: _WHOLE,
    Kind.CATEGORY: (BYTES,),
    Kind.TEXT: (BYTES,),
}


@dataclass(frozen=True, slots=True)
class Inference:
    """A request.

    Parameters
    ----------
    model : str
    version : str
        Empty: the one that is served.
    id : str
        Empty: none was given.
    inputs : list of Tensor
        Those that the model doesn't read may be left out.
    outputs : list of str or None
        The output tensors that are wanted, in order; None: all.
    """

    model: str
    version: str
    id: str
    inputs: list[Tensor]
    outputs: list[str] | None = None


def reads(live: Live) -> frozenset[str]:
    """The tensors of a request that are looked at; others are ignored, whatever they hold."""
    return frozenset((*(item.name for item in live.pipeline.plan.inputs), *live.pipeline.plan.keep))


def infer(
    live: Live, inference: Inference, *, most_rows: int | None = None, note: Noted | None = None
) -> list[Tensor]:
    """Answer a request.

    Parameters
    ----------
    live : Live
    inference : Inference
    most_rows : int, optional
        More are refused.
    note : Noted, optional
        Where what was asked and answered is put.

    Returns
    -------
    list of Tensor
        Columns to keep that were sent, as they were sent; then the outputs, in order. Or those asked for.
        Missing whole numbers, timestamps and texts are null; a missing number is NaN.

    Raises
    ------
    Refusal
        404: there is no such model. 400: the tensors aren't what the model takes, or rows are refused.
    """
    check_model(live, inference.model, inference.version)
    plan = live.pipeline.plan
    given = _by_name(inference.inputs)
    named = [name for name in plan.keep if name in given]
    columns = [column for column, _ in live.pipeline.trace.outputs]
    wanted = _wanted(live, inference.outputs, named, [column.name for column in columns])
    inputs = [(item, given[item.name]) for item in plan.inputs if item.name in given]
    kept = [given[name] for name in named]
    _check_absent(plan.inputs, given)
    rows = _rows([*(tensor for _, tensor in inputs), *kept], most_rows)
    for item, tensor in inputs:
        _check_datatype(item, tensor)
    made = score(live, inputs, kept, rows, columns, note)
    answers = {name: given[name] for name in named}
    for column, values in zip(columns, made, strict=True):
        if pt.is_timestamp(values.type):
            values = values.view(pa.int64())
        answers[column.name] = Tensor(column.name, OUTPUT_DATATYPES[column.dtype], (rows,), values)
    return [answers[name] for name in wanted]


def _by_name(tensors: Iterable[Tensor]) -> dict[str, Tensor]:
    given: dict[str, Tensor] = {}
    for tensor in tensors:
        if tensor.name in given:
            raise Refusal(400, f"{tensor.name}: two input tensors have this name", "invalid", tensor.name)
        given[tensor.name] = tensor
    return given


def _wanted(live: Live, asked: list[str] | None, kept: list[str], computed: list[str]) -> list[str]:
    """The names of the outputs to give, in order."""
    there = [*kept, *computed]
    if asked is None:
        return there
    for place, name in enumerate(asked):
        if name in asked[:place]:
            raise Refusal(400, f"outputs: {name!r} is asked for twice", "invalid", name)
        if name not in there and name in live.pipeline.plan.keep:
            raise Refusal(
                400,
                f"outputs: {name!r} is a column to keep, which is given back when it is sent, and it wasn't",
                "invalid",
                name,
            )
        if name not in there:
            raise Refusal(
                400,
                f"outputs: there is no output {name!r:.80}.{did_you_mean(name[:80], there)} "
                f"Outputs: {listing(there, 40)}",
                "invalid",
            )
    return asked


def _check_absent(inputs: Sequence[Input], given: Mapping[str, Tensor]) -> None:
    absent = [item.name for item in inputs if not item.optional and item.name not in given]
    if absent:
        raise Refusal(
            400,
            f"input tensors are absent: {listing(absent, 40)}.{did_you_mean(absent[0], given)} "
            f"Found: {listing(given, 40)}. If one may be absent: 'inputs.NAME={{kind: …, optional: true}}'",
            "missing",
            absent[0],
        )


def _rows(tensors: Sequence[Tensor], most: int | None) -> int:
    """How many rows a request has."""
    if not tensors:
        raise Refusal(400, "there is no input tensor that the model reads, so no rows either", "missing")
    first = tensors[0]
    rows = rows_of(first.name, first.shape)
    if most is not None and rows > most:
        raise Refusal(
            413, f"{rows:,} rows; at most {most:,} are answered at once (server.max_rows)", "too_large"
        )
    for tensor in tensors:
        found = rows_of(tensor.name, tensor.shape)
        if found != rows:
            raise Refusal(
                400,
                f"{tensor.name}: has {found:,} rows where {first.name} has {rows:,}",
                "invalid",
                tensor.name,
            )
        if len(tensor.values) != rows:
            raise Refusal(
                400,
                f"{tensor.name}: expected {rows:,} values for the shape {list(tensor.shape)}, "
                f"found {len(tensor.values):,}",
                "invalid",
                tensor.name,
            )
    return rows


def rows_of(name: str, shape: Sequence[int]) -> int:
    """The rows of a column's shape.

    Raises
    ------
    Refusal
        400: it is no column.

    Examples
    --------
    >>> rows_of("x", [3]), rows_of("x", [3, 1])
    (3, 3)
    """
    if len(shape) not in (1, 2) or not 0 <= shape[0] <= _MOST or (len(shape) == 2 and shape[1] != 1):
        shown = ", ".join(f"{size!s:.20}" for size in shape[:6]) + (", …" if len(shape) > 6 else "")
        raise Refusal(400, f"{name}: expected the shape [n] or [n, 1], found [{shown}]", "invalid", name)
    return shape[0]


def _check_datatype(item: Input, tensor: Tensor) -> None:
    taken = _TAKEN[item.kind]
    if tensor.datatype in taken:
        return
    if tensor.datatype not in DATATYPES:
        raise unknown(tensor.datatype, tensor.name)
    usual = INPUT_DATATYPES[item.kind]
    others = [datatype for datatype in taken if datatype != usual]
    more = f" (or {', '.join(others)})" if others else ""
    what = "µs since 1970 in " if item.kind is Kind.TIMESTAMP else ""
    raise Refusal(
        400,
        f"{item.name}: a {item.kind} is {what}{usual}{more}, found {tensor.datatype}",
        "invalid",
        item.name,
    )
