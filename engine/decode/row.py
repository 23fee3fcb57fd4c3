"""One row, a mapping of Python values, to what the compiled program takes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from engine.decode import messages, scalar
from engine.errors import RowError
from engine.schema import Input, Kind, Policy
from engine.values import FIRST, MISSING, NAT, UNKNOWN

Convert = Callable[[Any], Any]

_EXACT = 2**53


class RowDecoder:
    """Decodes rows given as mappings.

    An absent key, None and NaN all mean missing; a key that is no input is ignored, and not counted: a
    server's metrics are the place for that.

    Parameters
    ----------
    inputs : sequence of Input
    needed : collection of str, optional
        The inputs wanted, in order; None is all of them. Another input is looked at only if its entry
        states a policy that can refuse a row.
    vocabularies : mapping of str to tuple of str, optional
        The texts of each category, in order.

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
    ) -> None:
        by_name = {item.name: item for item in inputs}
        self.names = tuple(by_name) if needed is None else tuple(needed)
        slots = {name: slot for slot, name in enumerate(self.names)}
        self._blank = [_MISSING[by_name[name].kind] for name in self.names]
        self._checked: list[tuple[str, Convert]] = []
        self._checks: list[tuple[str, Convert]] = []
        numbers, categories, others = [], [], []
        for item in inputs:
            name = item.name
            if name not in slots and not looks_anyway(item):
                continue
            codes = None
            if vocabularies and name in vocabularies and item.kind in (Kind.CATEGORY, Kind.TEXT):
                codes = {text: FIRST + i for i, text in enumerate(vocabularies[name])}
            convert = converter(item, codes)
            self._checked.append((name, convert))
            if name not in slots:
                self._checks.append((name, convert))
            elif item.kind is Kind.NUMBER and item.missing == "null":
                numbers.append((slots[name], name, convert))
            elif codes is not None and item.missing == item.unknown == "null":
                categories.append((slots[name], name, codes, convert))
            else:
                others.append((slots[name], name, convert))
        self._numbers, self._categories, self._others = tuple(numbers), tuple(categories), tuple(others)

    def values(self, row: Mapping[str, Any]) -> list[Any]:
        """The values of ``names`` in order.

        Returns
        -------
        list
            For a number a float (missing: NaN), for a timestamp whole µs (missing: ``NAT``), for a
            category its code.

        Raises
        ------
        RowError
            The first value, in the order of the inputs, that its input refuses.
        TypeError
            It is no mapping.
        """
        out = self._blank.copy()
        try:
            get = row.get
        except AttributeError:
            raise TypeError(
                f"predict_one takes a mapping from input to value, not {type(row).__name__}: "
                "such as {'distance': 200.0}; predict_many takes tables"
            ) from None
        try:
            for slot, name, convert in self._numbers:
                value = get(name)
                if type(value) is float:
                    out[slot] = value
                elif type(value) is int and -_EXACT <= value <= _EXACT:
                    out[slot] = float(value)
                elif value is not None:
                    out[slot] = convert(value)
            for slot, name, codes, convert in self._categories:
                value = get(name)
                if type(value) is str:
                    out[slot] = codes.get(value, UNKNOWN)
                elif value is not None:
                    out[slot] = convert(value)
            for slot, name, convert in self._others:
                out[slot] = convert(get(name))
            for name, convert in self._checks:
                convert(get(name))
        except RowError:
            for name, convert in self._checked:
                convert(get(name))
            raise
        return out

    def decode(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The same as `values`, by name."""
        return dict(zip(self.names, self.values(row), strict=True))


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


def converter(item: Input, codes: Mapping[str, int] | None) -> Convert:
    """What turns one value of this input into a float, µs or a code, or raises `RowError`."""
    name, missing_policy, invalid_policy = item.name, item.missing, item.invalid
    read = {Kind.NUMBER: scalar.number, Kind.TIMESTAMP: scalar.timestamp}.get(item.kind, scalar.text)
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
        if read is not scalar.text:
            return found
        code = known.get(found, UNKNOWN)
        if code == UNKNOWN and unknown_policy != "null":
            raise RowError(messages.unknown(item, found), column=name, code="unknown")
        return code

    return convert
