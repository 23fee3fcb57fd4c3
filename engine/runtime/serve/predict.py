"""``POST /predict``: a row of JSON, or an array of them; the answer has the same shape."""

from __future__ import annotations

import json
import math
from time import perf_counter
from typing import Any

import msgspec

from engine.answer.live import Live
from engine.decode.json_text import parse
from engine.errors import RowError
from engine.runtime.serve.call import Answer, Call, Refusal

_ENCODE = msgspec.json.Encoder().encode
_ENVELOPES = frozenset(
    {"instances", "inputs", "dataframe_split", "dataframe_records", "signature_name", "parameters", "ndarray"}
)
"""Keys in which other servers expect rows."""
_MOST_ENVELOPE = 4


def predict(call: Call, most_rows: int) -> Answer:
    """Answer a row, or an array of rows.

    Raises
    ------
    Refusal
        The body is no JSON, or something else than rows; 422: the only row is refused.
    """
    began = perf_counter()
    rows = _parse(call.body)
    parsed = perf_counter()
    live = call.live
    if type(rows) is dict:
        if len(rows) <= _MOST_ENVELOPE:
            _refuse_envelope(rows, live)
        try:
            answer = live.one(rows)
        except RowError as error:
            raise Refusal(422, str(error), error.code, error.column) from None
        call.rows = ((rows, answer),)
        scored = perf_counter()
        body = encode(answer)
    else:
        answers = live.many(_checked(rows, most_rows))
        call.rows = zip(rows, answers, strict=True)
        scored = perf_counter()
        body = encode([_row_error(found) if isinstance(found, RowError) else found for found in answers])
    call.times = parsed - began, scored - parsed, perf_counter() - scored
    return Answer(body)


def encode(value: Any) -> bytes:
    """A value as JSON: infinity is ``"inf"`` or ``"-inf"``, NaN null.

    Raises
    ------
    Refusal
        Something that a row asked to keep is nested too deeply.

    Examples
    --------
    >>> encode({"score": 0.10000000149011612, "odds": float("inf"), "none": float("nan")})
    b'{"score":0.10000000149011612,"odds":"inf","none":null}'
    """
    try:
        body = _ENCODE(value)
        # an infinity would be null, too
        if b"null" not in body or not _has_infinity(value):
            return body
        return _ENCODE(_spelt(value))
    except RecursionError:
        raise Refusal(400, "something that is kept is nested too deeply", "json") from None
    except UnicodeEncodeError:  # half a surrogate in something that is kept
        return json.dumps(_spelt(value), allow_nan=False, default=_other).encode()


def _refuse_envelope(row: dict[str, Any], live: Live) -> None:
    """Other servers wrap rows; here the wrapping would be a row in which every input is missing."""
    wrapped = [name for name in row if name in _ENVELOPES and name not in live.known]
    if wrapped and live.known.isdisjoint(row):
        raise Refusal(
            400,
            f'{wrapped[0]!r} is no input of this pipeline: send a row itself, {{"x": 1}}, or an array of '
            "rows; tensors go to /v2/models/NAME/infer",
            "rows",
        )


def _parse(body: bytes) -> Any:
    try:
        return parse(body)
    except UnicodeDecodeError:
        raise Refusal(400, "the body is no UTF-8", "json") from None
    except ValueError as error:
        raise Refusal(400, f"the body can't be read as JSON: {error}", "json") from None


def _checked(rows: Any, most: int) -> list[dict[str, Any]]:
    if type(rows) is not list:
        found = {str: "a text", bool: "true or false", type(None): "null"}.get(type(rows), "a number")
        raise Refusal(
            400, f'expected an object, such as {{"x": 1}}, or an array of them, found {found}', "rows"
        )
    if len(rows) > most:
        raise Refusal(
            413, f"{len(rows):,} rows; at most {most:,} are answered at once (server.max_rows)", "too_large"
        )
    for place, row in enumerate(rows):
        if type(row) is not dict:
            raise Refusal(400, f'row {place} is no object, such as {{"x": 1}}', "rows")
    return rows


def _row_error(error: RowError) -> dict[str, Any]:
    return {"error": str(error), "code": error.code, "column": error.column or None}


def _has_infinity(value: Any) -> bool:
    if type(value) is float:
        return math.isinf(value)
    if type(value) is dict:
        return any(map(_has_infinity, value.values()))
    return type(value) is list and any(map(_has_infinity, value))


def _spelt(value: Any) -> Any:
    """The same with its infinities as texts, and NaN as null."""
    if type(value) is float and not math.isfinite(value):
        return None if value != value else "inf" if value > 0 else "-inf"
    if type(value) is dict:
        return {name: _spelt(inner) for name, inner in value.items()}
    return [_spelt(inner) for inner in value] if type(value) is list else value


def _other(value: Any) -> Any:
    return msgspec.to_builtins(value)
