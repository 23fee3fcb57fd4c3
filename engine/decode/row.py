"""One row, a mapping of Python values, to what the compiled program takes."""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any

from engine.decode import messages, scalar
from engine.decode.readers import PYTHON, Readers
from engine.errors import RowError
from engine.schema import Input, Kind, Policy
from engine.values import FIRST, MISSING, NAT, SLOTS, UNKNOWN

Convert = Callable[[Any], Any]

_PLAIN = frozenset({float, int, bool, str, datetime})
"""Types of which `struct` makes the same float as `scalar.number` does, or none."""


class RowDecoder:
    """Decodes rows given as mappings.

    An absent key, None and NaN all mean missing; a key that is no input is ignored, and not counted here: a
    server's metrics do that.

    Parameters
    ----------
    inputs : sequence of Input
    needed : collection of str, optional
        The inputs wanted, in order; None is all of them. Another input is looked at only if its entry
        states a policy that can refuse a row.
    vocabularies : mapping of str to tuple of str, optional
        The texts of each category, in order.
    raw : collection of str
        Inputs whose text itself is read, so that it is looked at and must be UTF-8.
    readers : Readers
        Whether the values are Python's or JSON's.

    Attributes
    ----------
    names : tuple of str
        The inputs wanted, in the order of `values`.

    Examples
    --------
    >>> inputs = [Input("delay", Kind.NUMBER), Input("carrier", Kind.CATEGORY)]
    >>> decoder = RowDecoder(inputs, None, {"carrier": ("AA", "UA")})
    >>> decoder.decode({"delay": 12, "carrier": "UA"})
    {'delay': 12.0, 'carrier': 3}
    """

    def __init__(
        self,
        inputs: Sequence[Input],
        needed: Collection[str] | None = None,
        vocabularies: Mapping[str, tuple[str, ...]] | None = None,
        raw: Collection[str] = (),
        readers: Readers = PYTHON,
    ) -> None:
        by_name = {item.name: item for item in inputs}
        self.names = tuple(by_name) if needed is None else tuple(needed)
        slots = {name: slot for slot, name in enumerate(self.names)}
        slotted = struct.Struct("=" + "".join(SLOTS[by_name[name].kind] for name in self.names))
        self._pack, self._unpack = slotted.pack, slotted.unpack
        self._take = _taker(self.names)
        # what stands for an absent key: None, or at once what a number's None would become
        self._absent = tuple(
            scalar.NAN if item.kind is Kind.NUMBER and item.missing == "null" else None
            for item in map(by_name.__getitem__, self.names)
        )
        self._checked: list[tuple[str, Convert]] = []
        self._checks: list[tuple[str, Convert]] = []
        numbers, categories, others = [], [], []
        for item in inputs:
            name = item.name
            if name not in slots and name not in raw and not looks_anyway(item):
                continue
            codes = None
            if vocabularies and name in vocabularies and item.kind in (Kind.CATEGORY, Kind.TEXT):
                codes = {text: FIRST + i for i, text in enumerate(vocabularies[name])}
            convert = converter(item, codes, readers)
            self._checked.append((name, convert))
            if name not in slots:
                self._checks.append((name, convert))
            elif item.kind is Kind.NUMBER and item.missing == "null":
                numbers.append((slots[name], convert))
            elif codes is not None and item.unknown == "null" and name not in raw:
                categories.append((slots[name], codes.get, convert))
            else:
                others.append((slots[name], convert))
        self._numbers, self._categories, self._others = tuple(numbers), tuple(categories), tuple(others)

    def pack(self, row: Mapping[str, Any]) -> bytes:
        """The values of ``names`` in order, each in a slot of 8 bytes: see `engine.values.SLOTS`.

        Raises
        ------
        RowError
            The first value, in the order of the inputs, that its input refuses.
        TypeError
            It is no mapping.
        """
        given = self._given(row)
        try:
            # most rows pass this, and nobody has to look at their numbers one by one
            if not _PLAIN.issuperset(map(type, given)):
                for slot, convert in self._numbers:
                    value = given[slot]
                    if value is None:
                        given[slot] = scalar.NAN
                    elif type(value) is not float and type(value) is not int:
                        given[slot] = convert(value)
            for slot, code, convert in self._categories:
                value = given[slot]
                found = code(value) if type(value) is str else None
                given[slot] = convert(value) if found is None else found
            for slot, convert in self._others:
                given[slot] = convert(given[slot])
            for name, convert in self._checks:
                convert(row.get(name))
            try:
                return self._pack(*given)
            except struct.error:  # text as a number, or a whole number too large for a float
                for slot, convert in self._numbers:
                    given[slot] = convert(given[slot])
                return self._pack(*given)
        except RowError:
            for name, convert in self._checked:
                convert(row.get(name))
            raise

    def _given(self, row: Mapping[str, Any]) -> list[Any]:
        if type(row) is dict:
            if len(row) >= len(self.names):  # otherwise a key is absent, and asking for it the slower way
                try:
                    return [*self._take(row)]
                except KeyError:
                    pass
            return [*map(row.get, self.names, self._absent)]
        try:
            get = row.get
        except AttributeError:
            raise TypeError(
                f"predict_one takes a mapping from input to value, not {type(row).__name__}: "
                "such as {'distance': 200.0}; predict_many takes tables"
            ) from None
        return [*map(get, self.names)]

    def values(self, row: Mapping[str, Any]) -> list[Any]:
        """The values of ``names`` in order.

        Returns
        -------
        list
            For a number a float (missing: NaN), for a timestamp whole µs (missing: ``NAT``), for a
            category its code.

        Raises
        ------
        RowError, TypeError
            As `pack` does.
        """
        return list(self._unpack(self.pack(row)))

    def decode(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The same as `values`, by name."""
        return dict(zip(self.names, self.values(row), strict=True))


def _taker(names: tuple[str, ...]) -> Callable[[Mapping[str, Any]], Iterable[Any]]:
    # itemgetter gives no tuple for a single name, and takes no less
    return itemgetter(*names) if len(names) > 1 else lambda row: [row[name] for name in names]


_MISSING: Mapping[Kind, float | int] = {
    Kind.NUMBER: scalar.NAN,
    Kind.TIMESTAMP: NAT,
    Kind.CATEGORY: MISSING,
    Kind.TEXT: MISSING,
}


def looks_anyway(item: Input) -> bool:
    """Whether a stated policy can refuse a row, so that an input is looked at although nothing needs it."""
    can_refuse = not item.missing == item.invalid == item.unknown == "null"
    is_default = item.missing == item.unknown == "null" and item.invalid == "reject"
    return can_refuse and (item.checked or not is_default)


def converter(item: Input, codes: Mapping[str, int] | None, readers: Readers = PYTHON) -> Convert:
    """What turns one value of this input into a float, µs or a code, or raises `RowError`."""
    name, missing_policy, invalid_policy = item.name, item.missing, item.invalid
    read = readers[item.kind]
    is_text = item.kind in (Kind.CATEGORY, Kind.TEXT)
    known = codes if codes is not None else {}
    unknown_policy: Policy = item.unknown if codes is not None else "null"
    nothing = _MISSING[item.kind]
    is_time = item.kind is Kind.TIMESTAMP

    def convert(value: Any) -> Any:
        try:
            found: Any = read(value)
        except ValueError as error:
            if invalid_policy != "null":
                message = messages.invalid(item, str(error))
                raise RowError(message, column=name, code="invalid") from None
            found = None
        if found is None or found != found or (is_time and found == NAT):
            if missing_policy != "null":
                raise RowError(messages.missing(item), column=name, code="missing")
            return nothing
        if not is_text:
            return found
        code = known.get(found, UNKNOWN)
        if code == UNKNOWN and unknown_policy != "null":
            raise RowError(messages.unknown(item, found), column=name, code="unknown")
        return code

    return convert
