"""JSON of plain values, strict in both directions."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from engine.errors import BundleError

_FLOAT = "$float"


def to_json(value: Any) -> Any:
    """The value in what JSON has; a float that JSON lacks becomes ``{"$float": "inf"}``.

    >>> to_json({"hi": float("inf"), "names": ("a", "b")})
    {'hi': {'$float': 'inf'}, 'names': ['a', 'b']}

    Raises
    ------
    BundleError
        A value that is no plain JSON value, or a key that is no text.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {_FLOAT: repr(value)}
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str) or key == _FLOAT:
                raise BundleError(f"{key!r} can't be a key in a bundle: JSON's keys are texts; quote it")
        return {key: to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    raise BundleError(f"{value!r} ({type(value).__name__}) is no plain value; a bundle holds JSON")


def from_json(value: Any) -> Any:
    """What `to_json` was given, tuples as lists.

    >>> from_json({"hi": {"$float": "-inf"}})
    {'hi': -inf}
    """
    if isinstance(value, dict):
        if set(value) == {_FLOAT} and value[_FLOAT] in ("inf", "-inf", "nan"):
            return float(value[_FLOAT])
        return {key: from_json(item) for key, item in value.items()}
    return [from_json(item) for item in value] if isinstance(value, list) else value


def dump(value: Any) -> bytes:
    """UTF-8 JSON for people, the order of keys kept."""
    return (json.dumps(to_json(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def parse(data: bytes, where: str) -> Any:
    """The JSON value in ``data``.

    Parameters
    ----------
    data : bytes
    where : str
        The file, for messages.

    Raises
    ------
    BundleError
        It is not JSON, or holds a bare NaN or Infinity.
    """
    try:
        return from_json(json.loads(data.decode(), parse_constant=_refuse))
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{where} is not JSON: {error}") from error


def _refuse(name: str) -> Any:
    raise ValueError(f"a bare {name} is no JSON")
