"""Plain values to the types that options are annotated with, and back."""

from __future__ import annotations

import enum
import math
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, Union

from engine.errors import did_you_mean

NOT_FINITE = {"inf": math.inf, "+inf": math.inf, "-inf": -math.inf, "nan": math.nan}
"""Texts that are numbers; JSON has no others for them. YAML's have a dot in front."""


class Misfit(Exception):  # noqa: N818
    """A value is not of the type.

    Parameters
    ----------
    message : str
        Follows the key: ``must be a number, not 'x'``.
    place : str
        Where in the value: ``[2]`` or ``.eta``.
    """

    def __init__(self, message: str, place: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.place = place


def convert(value: Any, kind: Any) -> Any:
    """The value as the annotated type.

    A whole number is a float too, and a float without a fraction an int; a boolean is no number, and of the
    texts ``inf``, ``-inf`` and ``nan`` alone are. Nothing becomes text.

    Parameters
    ----------
    value : object
        A plain value of a composed config, or of a bundle's JSON.
    kind : object
        ``int``, ``float``, ``bool``, ``str``, an Enum, ``Literal``, ``list``, ``tuple``, ``dict``, a union or
        ``Any``.

    Raises
    ------
    Misfit

    Examples
    --------
    >>> convert([1, 2.5, "-inf"], list[float])
    [1.0, 2.5, -inf]
    """
    origin = typing.get_origin(kind)
    if kind is Any or kind is object:
        return _anything(value)
    if origin is Literal:
        return _choice(value, typing.get_args(kind))
    if origin in (Union, types.UnionType):
        return _union(value, typing.get_args(kind))
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return kind(_choice(value, tuple(member.value for member in kind)))
    if _is_listing(origin or kind):
        return _list(value, kind)
    if _is_mapping(origin or kind):
        return _dict(value, kind)
    if kind in _SCALARS:
        return _SCALARS[kind](value)
    if kind in (None, type(None)):
        if value is None:
            return None
        raise Misfit(f"must be null, not {shown(value)}")
    raise Misfit(f"has the type {kind}, which no config value can have; that is a mistake of the plugin")


def plain(value: Any) -> Any:
    """A converted value as JSON can hold it, which `convert` takes back."""
    if isinstance(value, enum.Enum):
        return plain(value.value)
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else ("inf" if value > 0 else "-inf")
    if isinstance(value, Mapping):
        return {
            key if isinstance(key, str) else str(plain(key)): plain(inner) for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return value


def type_name(kind: Any) -> str:
    """An annotation for messages: ``list[float] | None``, ``'mean' | 'median'``."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind in (None, type(None)):
        return "None"
    if origin is Literal:
        return " | ".join(map(repr, arguments))
    if origin in (Union, types.UnionType):
        return " | ".join(map(type_name, arguments))
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return " | ".join(repr(member.value) for member in kind)
    if _is_listing(origin or kind):
        return f"list[{type_name(arguments[0])}]" if arguments else "list"
    if _is_mapping(origin or kind):
        return f"dict[{', '.join(map(type_name, arguments))}]" if arguments else "dict"
    return str(getattr(kind, "__name__", kind))


def shown(value: Any) -> str:
    """A value for messages, as YAML has it: ``true``, ``null``, ``'x'``, ``-inf``."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, enum.Enum):
        return shown(value.value)
    return repr(value)


# -- scalars


def _int(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, float):
        raise Misfit(f"must be a whole number, not {shown(value)}")
    raise Misfit(f"must be a whole number, not {_described(value)}")


def _float(value: Any) -> float:
    if isinstance(value, float):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise Misfit("must be a number, and is beyond the greatest float") from None
    if isinstance(value, str):
        text = value.lower().replace(".inf", "inf").replace(".nan", "nan")
        if text in NOT_FINITE:
            return NOT_FINITE[text]
    raise Misfit(f"must be a number, not {_described(value)}")


def _bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise Misfit(f"must be true or false, not {_described(value)}")


def _str(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise Misfit(f"must be text, not {_described(value)}.{_quote_it(value)}")


_SCALARS: Mapping[Any, Any] = types.MappingProxyType({int: _int, float: _float, bool: _bool, str: _str})


def _described(value: Any) -> str:
    if isinstance(value, bool):
        return f"the boolean {shown(value)}"
    if isinstance(value, int | float):
        return f"the number {shown(value)}"
    if isinstance(value, str):
        return f"the text {value!r}"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    return shown(value)


def _quote_it(value: Any) -> str:
    """What to do about a value that YAML may have read as something else than the text that it was."""
    if isinstance(value, bool):
        unquoted, quoted = ("YES, yes, on and true", '"YES"') if value else ("NO, no, off and false", '"NO"')
        return f" YAML reads {unquoted} so; quote it: {quoted}"
    if isinstance(value, int):
        return f' YAML reads 0{value:o} so too; quote it: "{value}"' if value > 7 else f' Quote it: "{value}"'
    if isinstance(value, float):
        return f' Quote it: "{value}"'
    return ""


# -- choices, unions, containers


def _choice(value: Any, choices: Sequence[Any]) -> Any:
    for choice in choices:
        # 1 == True == 1.0 in Python, not in a config.
        if value == choice and isinstance(value, bool) == isinstance(choice, bool):
            return choice
    texts = [choice for choice in choices if isinstance(choice, str)]
    hint = did_you_mean(value, texts) if isinstance(value, str) else (_quote_it(value) if texts else "")
    allowed = ", ".join(map(shown, choices))
    raise Misfit(f"must be one of {allowed}, not {shown(value)}{'.' if hint else ''}{hint}")


def _union(value: Any, kinds: Sequence[Any]) -> Any:
    for kind in kinds:
        if (kind in _SCALARS and type(value) is kind) or (kind is type(None) and value is None):
            return _storable(value, kinds)
    misfits = []
    for kind in kinds:
        try:
            return convert(value, kind)
        except Misfit as misfit:
            misfits.append((kind, misfit))
    meant = [kind for kind in kinds if kind is not type(None)]
    if len(meant) == 1:
        raise next(misfit for kind, misfit in misfits if kind is not type(None))
    nested = [misfit for _, misfit in misfits if misfit.place]
    if len(nested) == 1:
        raise nested[0]
    hint = f".{_quote_it(value)}" if str in kinds and _quote_it(value) else ""
    raise Misfit(f"must be {' | '.join(map(type_name, kinds))}, not {_described(value)}{hint}")


def _storable(value: Any, kinds: Sequence[Any]) -> Any:
    if isinstance(value, float) and not math.isfinite(value) and str in kinds:
        raise Misfit(f"can't be {value}: in a bundle it couldn't be told from the text {plain(value)!r}")
    return value


def _anything(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {_key(key): _within(inner, Any, f".{key}") for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_within(inner, Any, f"[{number}]") for number, inner in enumerate(value)]
    return _storable(value, (str,))


def _list(value: Any, kind: Any) -> Any:
    arguments = typing.get_args(kind)
    if not isinstance(value, list | tuple):
        brackets = f"; write [{value}]" if isinstance(value, str | int | float) else ""
        raise Misfit(f"must be a list, not {_described(value)}{brackets}")
    item = arguments[0] if arguments else Any
    items = [_within(inner, item, f"[{number}]") for number, inner in enumerate(value)]
    return tuple(items) if (typing.get_origin(kind) or kind) is tuple else items


def _dict(value: Any, kind: Any) -> dict[Any, Any]:
    if not isinstance(value, Mapping):
        raise Misfit(f"must be a mapping, not {_described(value)}")
    keys, inner_kind = typing.get_args(kind) or (str, Any)
    return {_key(key, keys): _within(inner, inner_kind, f".{key}") for key, inner in value.items()}


def _key(key: Any, kind: Any = str) -> Any:
    if kind in (int, float) and isinstance(key, str):
        # JSON's keys are texts.
        try:
            return kind(key)
        except ValueError:
            raise Misfit(f"must have numbers as keys, not {key!r}") from None
    try:
        return convert(key, kind)
    except Misfit as misfit:
        raise Misfit(f"has a key that {misfit.message}", misfit.place) from None


def _within(value: Any, kind: Any, place: str) -> Any:
    try:
        return convert(value, kind)
    except Misfit as misfit:
        raise Misfit(misfit.message, place + misfit.place) from None


def numbers_in(value: Any) -> Iterator[tuple[str, float]]:
    """The numbers that an option's bounds hold for, and where: the value itself, or a list's items."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        yield "", value
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            for place, found in numbers_in(inner):
                yield f"[{number}]{place}", found


def _is_listing(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Sequence) and not issubclass(kind, str | bytes)


def _is_mapping(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Mapping)
