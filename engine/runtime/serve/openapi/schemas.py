"""JSON Schema of a row, of its answer and of an error, as real time takes and gives them.

``x-kind``, ``x-dtype`` and ``x-kept`` say what a program would have to guess from a field's types.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from engine.decode.scalar import FIRST_TIME, LAST_TIME
from engine.schema import Input, Kind

if TYPE_CHECKING:
    from engine.pipeline import Pipeline

Schema: TypeAlias = dict[str, Any]

MOST_EXAMPLES = 200
"""Known values of a category that are listed where others are taken, too."""
MOST_CHOICES = 5_000
"""Known values of a category that are listed where no others are taken."""

_INFINITE = {"enum": ["inf", "-inf"]}
_IS = {
    Kind.NUMBER: 'A number; true is 1, false 0, infinity "inf" or "-inf".',
    Kind.CATEGORY: "A category: text.",
    Kind.TEXT: "Text.",
    Kind.TIMESTAMP: "A moment: RFC 3339 text, UTC where it names no zone, or whole µs since 1970.",
}
_ANSWERS: Mapping[str, Schema] = MappingProxyType(
    {
        "float32": {"anyOf": [{"type": ["number", "null"]}, _INFINITE]},
        "float64": {"anyOf": [{"type": ["number", "null"]}, _INFINITE]},
        "int64": {"type": ["integer", "null"]},
        "bool": {"type": "boolean"},
        "string": {"type": ["string", "null"]},
        "timestamp[us, UTC]": {"type": ["string", "null"], "format": "date-time"},
    }
)
_KEPT = "Any value; it comes back with the answer as it was sent, null if it was absent."

ERROR: Mapping[str, Any] = MappingProxyType(
    {
        "type": "object",
        "description": "Why a request, or a row of it, isn't answered.",
        "properties": {
            "error": {
                "type": "string",
                "description": "What was found, what was expected, what to do.",
            },
            "code": {
                "type": "string",
                "description": "A word for programs. Of a row: missing, invalid, unknown or filtered.",
            },
            "column": {
                "type": ["string", "null"],
                "description": "The input that it concerns.",
            },
        },
        "required": ["error", "code", "column"],
    }
)


def row_schema(pipeline: Pipeline) -> Schema:
    """What a row may hold, field by field.

    Keys that are no inputs are let through: the server ignores and counts them.

    Parameters
    ----------
    pipeline : Pipeline

    Returns
    -------
    dict
        JSON Schema 2020-12, as OpenAPI 3.1 has it.
    """
    plan = pipeline.plan
    vocabularies = pipeline.layout.vocabularies
    fields: dict[str, Schema] = {}
    for item in plan.inputs:
        # a vocabulary is what unknown values are told by; without one, none is unknown
        fields[item.name] = input_schema(item, vocabularies.get(item.name))
    for name in plan.keep:
        if name in fields:
            fields[name]["description"] += " It comes back with the answer as it was sent."
            fields[name]["x-kept"] = True
        else:
            fields[name] = {"description": _KEPT, "x-kind": "any", "x-kept": True}
    return {
        "type": "object",
        "description": "A row: values by column. An absent key and null are missing, both; other keys are "
        "ignored.",
        "properties": fields,
        "required": [item.name for item in plan.inputs if item.missing != "null"],
    }


def input_schema(item: Input, known: Sequence[str] | None = None) -> Schema:
    """What one input takes.

    Parameters
    ----------
    item : Input
    known : sequence of str, optional
        The texts that the pipeline tells from unknown ones.

    Examples
    --------
    >>> input_schema(Input("origin", Kind.CATEGORY, missing="reject"), ["EWR", "JFK"])["type"]
    ['string']
    """
    may_miss = item.missing == "null"
    nothing = ["null"] if may_miss else []
    found: Schema
    said = [_IS[item.kind]]
    if item.kind is Kind.NUMBER:
        found = {"anyOf": [{"type": ["number", "boolean", *nothing]}, dict(_INFINITE)]}
    elif item.kind is Kind.TIMESTAMP:
        choices: list[Schema] = [
            {"type": "string", "format": "date-time"},
            {"type": "integer", "minimum": FIRST_TIME, "maximum": LAST_TIME},
        ]
        found = {"anyOf": [*choices, {"type": "null"}] if may_miss else choices}
    else:
        found = {"type": ["string", *nothing]}
        if known is not None:
            said += _known(item, found, known, nothing)
    said.append("It may be missing." if may_miss else "It must not be missing.")
    if item.invalid == "null":
        said.append("A value of another kind counts as missing.")
    return {**found, "description": " ".join(said), "x-kind": str(item.kind)}


def _known(item: Input, found: Schema, known: Sequence[str], nothing: Sequence[str]) -> list[str]:
    """Put the known values into an input's schema; returns what is to be said of them."""
    if item.unknown != "null" and len(known) <= MOST_CHOICES:
        found["enum"] = [*known, *(None for _ in nothing)]
        return ["Only values that the pipeline knows are taken."]
    if known:
        found["examples"] = list(known[:MOST_EXAMPLES])
    rule = "others are refused" if item.unknown != "null" else "others are taken, too"
    listed = "" if len(known) <= MOST_EXAMPLES else f", the first {MOST_EXAMPLES} of them listed here"
    return [f"The pipeline knows {len(known):,} values{listed}; {rule}."] if known else []


def answer_schema(pipeline: Pipeline) -> Schema:
    """What an answered row holds: kept columns as they were sent, then the outputs.

    Parameters
    ----------
    pipeline : Pipeline

    Returns
    -------
    dict
        JSON Schema 2020-12, as OpenAPI 3.1 has it.
    """
    fields: dict[str, Schema] = {
        name: {"description": _KEPT, "x-dtype": "any", "x-kept": True} for name in pipeline.plan.keep
    }
    for column, _ in pipeline.trace.outputs:
        fields[column.name] = {
            **_ANSWERS[column.dtype],
            "description": _SAID[column.dtype],
            "x-dtype": column.dtype,
        }
    return {
        "type": "object",
        "description": "The answer to a row.",
        "properties": fields,
        "required": list(fields),
        "additionalProperties": False,
    }


_NUMBER = 'its text reads back as the same float64; infinity is "inf" or "-inf", a missing number null.'
_SAID: Mapping[str, str] = MappingProxyType(
    {
        "float32": f"A float32, such as a model's score: {_NUMBER}",
        "float64": f"A float64: {_NUMBER}",
        "int64": "A whole number; null where there is none.",
        "bool": "True or false.",
        "string": "Text; null where there is none.",
        "timestamp[us, UTC]": "A moment in UTC as RFC 3339 text; null where it is missing.",
    }
)
