"""Binding: a plain mapping to a dataclass's typed options, with every mistake in it."""

from __future__ import annotations

import dataclasses
import operator
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from engine.config.convert import Misfit, convert, numbers_in, shown, type_name
from engine.errors import ConfigError, Mistake, UserError, did_you_mean
from engine.stage import OptionInfo, option_info

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Place:
    """What is bound, and where, for messages.

    Parameters
    ----------
    where : str
        The key of the mapping: ``stages.squeeze``.
    name : str
        Whose options they are: ``clip``.
    set_by : callable
        Who set a key.
    defined : str
        ``stage built in: plugins/clip.py``; may be empty.
    keys : tuple of str
        Keys allowed besides the options, which "did you mean" may name.
    first : tuple of str
        What the list of options begins with: ``columns (required)``.
    """

    where: str
    name: str
    set_by: Callable[[str], str]
    defined: str = ""
    keys: tuple[str, ...] = ()
    first: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Bound(Generic[_T]):
    """An instance with its options bound, or what is wrong with them.

    Parameters
    ----------
    value : object or None
        None where there are mistakes.
    mistakes : tuple of Mistake
    """

    value: _T | None
    mistakes: tuple[Mistake, ...]


def bind(
    cls: type[_T], given: Mapping[Any, Any], place: Place, fixed: Mapping[str, Any] | None = None
) -> Bound[_T]:
    """Bind a mapping to a dataclass: check its keys, convert its values, check their range.

    Parameters
    ----------
    cls : type
        A dataclass: a plugin, or any other. Its fields' metadata may hold an `OptionInfo`.
    given : mapping
    place : Place
    fixed : mapping, optional
        Values of fields that are no options.

    Examples
    --------
    >>> from engine.plan.plan import Split
    >>> bind(Split, {"kind": "time", "gap": 5}, Place("split", "split", lambda key: "")).value.gap
    5.0
    """
    fixed = fixed or {}
    fields = [item for item in dataclasses.fields(cls) if item.init and item.name not in fixed]  # type: ignore[arg-type]
    kinds = _hints(cls)
    names = [item.name for item in fields]
    notes = _notes(fields, kinds, place)
    values = dict(fixed)
    mistakes: list[Mistake] = []
    for key in given:
        if key not in names:
            hint = did_you_mean(str(key), [*names, *place.keys])
            message = f"{place.name!r} has no option {str(key)!r}.{hint}"
            mistakes.append(Mistake(f"{place.where}.{key}", message, notes(f"{place.where}.{key}")))
    for item in fields:
        where = f"{place.where}.{item.name}"
        if item.name not in given:
            if required(item):
                message = f"{place.name!r} needs the option {item.name!r}"
                mistakes.append(Mistake(where, message, notes(where)))
            continue
        try:
            value = convert(given[item.name], kinds[item.name])
        except Misfit as misfit:
            message = f"{item.name!r} of {place.name!r} {misfit.message}"
            mistakes.append(Mistake(where + misfit.place, message, notes(where)))
            continue
        values[item.name] = value
        for inner, message in _outside(value, item, kinds[item.name]):
            mistakes.append(
                Mistake(where + inner, f"{item.name!r} of {place.name!r} {message}", notes(where))
            )
    if mistakes:
        return Bound(None, tuple(mistakes))
    try:
        return Bound(cls(**values), ())
    except ConfigError as error:
        return Bound(
            None, tuple(replace(found, notes=(*found.notes, *notes(found.where))) for found in error.mistakes)
        )
    except (UserError, ValueError, TypeError) as error:
        return Bound(None, (Mistake(place.where, str(error), notes(place.where)),))


def required(item: dataclasses.Field[Any]) -> bool:
    """Whether an option has no default."""
    return item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING


def described(item: dataclasses.Field[Any], kind: Any) -> str:
    """An option for messages: ``lo: float = -inf``."""
    info = option_info(item)
    name = " | ".join(map(repr, info.choices)) if info.choices is not None else type_name(kind)
    if required(item):
        return f"{item.name}: {name} (required)"
    default = item.default if item.default_factory is dataclasses.MISSING else item.default_factory()
    return f"{item.name}: {name} = {shown(default)}"


def option_kinds(cls: type[Any]) -> Mapping[str, Any]:
    """The type of every option by name."""
    hints = _hints(cls)
    return {item.name: hints[item.name] for item in dataclasses.fields(cls)}


def _hints(cls: type[Any]) -> Mapping[str, Any]:
    try:
        return typing.get_type_hints(cls)
    except NameError:
        # A name that the module imports for the type checker only; the others are still known by themselves.
        return {
            item.name: item.type if not isinstance(item.type, str) else Any
            for item in dataclasses.fields(cls)
        }


def _notes(
    fields: Iterable[dataclasses.Field[Any]], kinds: Mapping[str, Any], place: Place
) -> Callable[[str], tuple[str, ...]]:
    options = ", ".join((*place.first, *(described(item, kinds[item.name]) for item in fields)))

    def notes(where: str) -> tuple[str, ...]:
        origin = f"set by: {place.set_by(where)}"
        last = f"{origin}        {place.defined}" if place.defined else origin
        return (f"options: {options or 'none'}", last)

    return notes


_BOUNDS: tuple[tuple[str, str, Callable[[float, float], bool]], ...] = (
    ("ge", "at least", operator.ge),
    ("gt", "above", operator.gt),
    ("le", "at most", operator.le),
    ("lt", "below", operator.lt),
)


def _outside(value: Any, item: dataclasses.Field[Any], kind: Any) -> Iterable[tuple[str, str]]:
    """Where in the value an option's bounds or choices are broken, and how."""
    info: OptionInfo = option_info(item)
    if info.choices is not None and value is not None:
        for inner, one in enumerate(value) if isinstance(value, list | tuple) else ((None, value),):
            if one not in info.choices:
                texts = [choice for choice in info.choices if isinstance(choice, str)]
                hint = did_you_mean(one, texts) if isinstance(one, str) else ""
                allowed = ", ".join(map(shown, info.choices))
                message = f"must be one of {allowed}, not {shown(one)}{'.' if hint else ''}{hint}"
                yield (f"[{inner}]" if inner is not None else ""), message
    limits = [
        (text, getattr(info, name), holds) for name, text, holds in _BOUNDS if getattr(info, name) is not None
    ]
    for inner_place, number in numbers_in(value):
        if not all(holds(number, limit) for _, limit, holds in limits):
            wanted = " and ".join(f"{text} {_digits(limit)}" for text, limit, _ in limits)
            yield inner_place, f"must be {wanted}, not {_digits(number)}"


def _digits(number: float) -> str:
    return f"{number:,}" if isinstance(number, int) else f"{number:g}"
