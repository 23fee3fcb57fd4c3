"""JSON Schema of what `engine.config.bind.bind` takes: one option, or all of a dataclass."""

from __future__ import annotations

import dataclasses
import enum
import types
import typing
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, Union

from engine.config.bind import option_kinds, required
from engine.config.convert import plain
from engine.stage import OptionInfo, option_info

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"

NOT_FINITE: Schema = {
    "type": "string",
    "pattern": r"^([+-]?\.?[iI][nN][fF]|\.?[nN][aA][nN])$",
    "description": "inf, -inf or nan",
}
INTERPOLATION: Schema = {
    "type": "string",
    "pattern": r"\$\{",
    "description": "an interpolation, as Hydra has them",
}
"""A text that becomes something else once the config is composed."""

_BOUNDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
_SCALARS: Mapping[Any, Schema] = types.MappingProxyType(
    {
        int: {"type": "integer"},
        bool: {"type": "boolean"},
        str: {"type": "string"},
        type(None): {"type": "null"},
    }
)


def of_kind(kind: Any, info: OptionInfo | None = None) -> Schema:
    """The schema of the values that `engine.config.convert.convert` takes for an annotation.

    Parameters
    ----------
    kind : object
        The annotation.
    info : OptionInfo, optional
        Bounds hold for each number in it, choices for each value.

    Examples
    --------
    >>> of_kind(list[int])
    {'type': 'array', 'items': {'type': 'integer'}}
    >>> of_kind(Literal["mean", "median"] | None)
    {'anyOf': [{'enum': ['mean', 'median']}, {'type': 'null'}]}
    """
    info = info or OptionInfo()
    kind = type(None) if kind is None else kind
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any or kind is object:
        return {}
    if origin in (Union, types.UnionType):
        return {"anyOf": [of_kind(one, info) for one in arguments]}
    shape = origin or kind
    if isinstance(shape, type) and issubclass(shape, Sequence) and not issubclass(shape, str | bytes):
        return {"type": "array", "items": of_kind(arguments[0] if arguments else Any, info)}
    if isinstance(shape, type) and issubclass(shape, Mapping):
        # bounds and choices are of numbers and lists, not of what a mapping holds
        return {"type": "object", "additionalProperties": of_kind(arguments[1]) if arguments else {}}
    if kind is type(None):
        return {"type": "null"}
    if info.choices is not None:
        return {"enum": plain(info.choices)}
    if origin is Literal:
        return {"enum": list(arguments)}
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return {"enum": [member.value for member in kind]}
    bounds = {_BOUNDS[name]: bound for name in _BOUNDS if (bound := getattr(info, name)) is not None}
    if kind is float:
        number = {"type": "number", **bounds}
        return {"anyOf": [number, NOT_FINITE]}
    return {**_SCALARS[kind], **(bounds if kind is int else {})} if kind in _SCALARS else {}


def of_options(cls: type[Any], without: Collection[str] = ()) -> tuple[dict[str, Schema], list[str]]:
    """The options of a dataclass by name, and those that are required.

    Parameters
    ----------
    cls : type
        A dataclass, such as a plugin.
    without : collection of str
        Fields that are no options.
    """
    kinds = option_kinds(cls)
    fields = [item for item in dataclasses.fields(cls) if item.init and item.name not in without]
    properties = {item.name: _option(item, kinds[item.name]) for item in fields}
    return properties, [item.name for item in fields if required(item)]


def _option(item: dataclasses.Field[Any], kind: Any) -> Schema:
    info = option_info(item)
    schema = or_interpolation(of_kind(kind, info))
    notes = [info.help] if info.help else []
    if info.runtime:
        notes.append("may be changed on a bundle")
    if notes:
        schema["description"] = "; ".join(notes)
    if not required(item):
        default = item.default_factory() if callable(item.default_factory) else item.default
        schema["default"] = plain(default)
    return schema


def or_interpolation(schema: Schema) -> Schema:
    """The schema, or an interpolation in its place; any text may be one already."""
    if not schema or schema == {"type": "string"}:
        return dict(schema)
    some = list(schema["anyOf"]) if set(schema) == {"anyOf"} else [schema]
    return {"anyOf": some if {"type": "string"} in some else [*some, INTERPOLATION]}


def mapping(properties: Mapping[str, Schema], needed: Sequence[str] = (), **more: Any) -> Schema:
    """A closed mapping."""
    schema: Schema = {"type": "object", **more, "properties": dict(properties), "additionalProperties": False}
    return {**schema, "required": list(needed)} if needed else schema


def or_null(schema: Schema) -> Schema:
    """The schema, or null: the default."""
    return {"anyOf": [schema, {"type": "null"}]}
