"""The text of JSON to values."""

from __future__ import annotations

import json
from typing import Any, NoReturn

import msgspec


def parse(text: bytes) -> Any:
    """A value of JSON; what only Python's reader takes (a number beyond 1e308, half a surrogate), too.

    Raises
    ------
    ValueError
        It is no JSON, no UTF-8, or nested too deeply; the message says where. One that is no UTF-8 raises
        `UnicodeDecodeError`, which is a ValueError, too.

    Examples
    --------
    >>> parse(b'{"x": 1.5}')
    {'x': 1.5}
    """
    try:
        return _DECODER.decode(text)
    except msgspec.MsgspecError:
        return _parse(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _parse(text: bytes) -> Any:
    try:
        return json.loads(text.decode(), parse_constant=_refuse)
    except UnicodeDecodeError:
        raise
    except json.JSONDecodeError as error:
        raise ValueError(f"{error.msg} at character {error.pos + 1}") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except ValueError as error:
        raise ValueError(str(error).split(";")[0]) from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f'{constant} is no JSON; infinity is "inf", a missing number null')


_DECODER = msgspec.json.Decoder()
