"""A row to show, and the pipeline's own answer to it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from engine.errors import RowError
from engine.schema import Kind

if TYPE_CHECKING:
    from engine.pipeline import Pipeline

_TRIES = 16
"""Golden rows that are asked, should some be refused: an input's policy may be another one by now."""
_WHOLE = 2.0**53


@dataclass(frozen=True)
class Example:
    """A row and its answer.

    Parameters
    ----------
    row : mapping
        Values of JSON by column, every input and kept column that has one.
    answer : mapping or None
        What the pipeline answers, as values of JSON; None where it refuses the row.
    """

    row: Mapping[str, Any]
    answer: Mapping[str, Any] | None


def example(pipeline: Pipeline) -> Example:
    """The first golden row, else one made up of the kinds, and what the pipeline answers to it alone.

    The answer isn't the golden one: where stages look at a group, a row alone may have another.

    Parameters
    ----------
    pipeline : Pipeline
        It is compiled, if it isn't yet.
    """
    live = pipeline.live()
    first: dict[str, Any] | None = None
    for row in (*_golden(pipeline), _made_up(pipeline)):
        first = first or row
        try:
            answer = live.one(row)
        except RowError:
            continue
        return Example(row, {name: to_json(value) for name, value in answer.items()})
    return Example(first or {}, None)


def to_json(value: Any) -> Any:
    """A value of an answer as JSON has it.

    Examples
    --------
    >>> to_json(float("-inf")), to_json(float("nan")), to_json(datetime(2013, 1, 1, tzinfo=UTC))
    ('-inf', None, '2013-01-01T00:00:00Z')
    """
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else "inf" if value > 0 else "-inf"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value


def _golden(pipeline: Pipeline) -> Iterator[dict[str, Any]]:
    from engine.encode_json import json_text

    golden = pipeline.fitted.golden if pipeline.fitted else None
    if golden is None:
        return
    kinds = {item.name: item.kind for item in pipeline.plan.inputs}
    # in the order of the document, whatever the table's
    names = [*kinds, *(name for name in pipeline.plan.keep if name not in kinds)]
    rows = golden.slice(0, _TRIES).column("row").combine_chunks().flatten()
    fields = golden.schema.field("row").type
    columns = {fields.field(i).name: column for i, column in enumerate(rows)}
    texts: dict[str, list[Any]] = {}
    for name in names:
        if name not in columns:
            continue
        try:
            found = json_text(columns[name]).to_pylist()
        except TypeError:  # a kept column that JSON has nothing for
            continue
        if kinds.get(name) is Kind.TIMESTAMP:
            found = [text.replace(".000000Z", "Z") for text in found]
        texts[name] = found
    for place in range(min(_TRIES, golden.num_rows)):
        yield {name: _short(json.loads(listed[place])) for name, listed in texts.items()}


def _short(value: Any) -> Any:
    """A number as people write it: 1545, not 1545.0."""
    if not isinstance(value, float) or not value.is_integer() or abs(value) >= _WHOLE:
        return value
    return int(value) if value or math.copysign(1.0, value) > 0 else value  # a whole number has one zero


def _made_up(pipeline: Pipeline) -> dict[str, Any]:
    vocabularies = pipeline.layout.vocabularies
    made: dict[str, Any] = {}
    for item in pipeline.plan.inputs:
        if item.kind is Kind.NUMBER:
            made[item.name] = 1
        elif item.kind is Kind.TIMESTAMP:
            made[item.name] = "2024-01-01T12:00:00Z"
        else:
            made[item.name] = next(iter(vocabularies.get(item.name) or ()), "text")
    return made
