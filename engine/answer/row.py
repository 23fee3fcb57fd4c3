"""One row to its answer."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

from engine.compile.kernel import vocabulary
from engine.compile.layout import is_passed
from engine.compile.program import Program
from engine.decode import row_packer
from engine.decode.readers import PYTHON, Readers
from engine.encode import to_python
from engine.errors import RowError
from engine.expr.derived import InputKey
from engine.plan.plan import Plan
from engine.schema import Kind
from engine.values import FILTERED, MISSING


def row_answerer(
    plan: Plan,
    program: Program,
    decoded: tuple[InputKey, ...],
    readers: Readers = PYTHON,
    seen: Callable[[bytes], None] | None = None,
) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """The function that answers one row; everything that can be decided beforehand is.

    Parameters
    ----------
    plan : Plan
    program : Program
    decoded : tuple of str or Derived
        Inputs to decode: what the program reads, then those whose text is only passed on.
    readers : Readers
        Whether a row's values are Python's or JSON's.
    seen : callable, optional
        Is given each row's values as they were decoded, in slots of 8 bytes (`engine.values.SLOTS`).
    """
    layout = program.layout
    pack = row_packer(plan.inputs, decoded, layout.vocabularies, readers)
    if seen is not None:
        pack = _noting(pack, seen)
    one = _refusing(program) if layout.refusals else program.one
    keep = plan.keep
    read = 8 * len(layout.reads)
    coded = [
        (i, column, vocabulary(node, layout.vocabularies) if node.kind is Kind.CATEGORY else ())
        for i, (column, node) in enumerate(layout.computed)
        if column.whole or node.kind in (Kind.CATEGORY, Kind.TIMESTAMP)
    ]
    passed = [str(node.data) for _, node in layout.outputs if is_passed(node)]
    codes = [(source, 8 * decoded.index(source)) for source in passed]
    # where the value of each output is found: what is passed on comes behind what is computed
    computed, behind = count(), count(len(layout.computed))
    places = [(column.name, next(behind if is_passed(node) else computed)) for column, node in layout.outputs]

    def special(row: Mapping[str, Any], packed: bytes) -> list[Any]:
        found = [*one(packed[:read])]
        for i, column, texts in coded:
            found[i] = to_python(found[i], column, texts)
        for source, at in codes:
            found.append(None if _code(packed, at)[0] == MISSING else str(row[source]))
        return found

    plain = not (coded or passed) and len(decoded) == len(layout.reads)

    def answer(row: Mapping[str, Any]) -> dict[str, Any]:
        packed = pack(row)
        found = one(packed) if plain else special(row, packed)
        # loops take half as long as dict(zip(…)) and comprehensions
        answered: dict[str, Any] = {}
        for name in keep:
            answered[name] = row.get(name)
        for name, place in places:
            answered[name] = found[place]
        return answered

    return answer


def _noting(
    pack: Callable[[Mapping[str, Any]], bytes], seen: Callable[[bytes], None]
) -> Callable[[Mapping[str, Any]], bytes]:
    def pack_and_note(row: Mapping[str, Any]) -> bytes:
        packed = pack(row)
        seen(packed)
        return packed

    return pack_and_note


def _refusing(program: Program) -> Callable[[bytes], tuple[Any, ...]]:
    """`Program.one` without what filters say, which is raised."""
    refusals, one = program.layout.refusals, program.one
    count = len(program.layout.computed)

    def checked(values: bytes) -> tuple[Any, ...]:
        found = one(values)
        for refusal, holds in zip(refusals, found[count:], strict=True):
            if holds:
                raise RowError(refusal.message, column=refusal.column, code=FILTERED)
        return found[:count]

    return checked


_code = struct.Struct("=i").unpack_from
