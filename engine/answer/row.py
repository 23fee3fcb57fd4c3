"""One row to its answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from engine.compile.kernel import vocabulary
from engine.compile.layout import is_passed
from engine.compile.program import Program
from engine.decode import RowDecoder
from engine.encode import to_python
from engine.plan.plan import Plan
from engine.schema import Kind
from engine.values import MISSING


def row_answerer(
    plan: Plan, program: Program, decoded: tuple[str, ...]
) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """The function that answers one row; everything that can be decided beforehand is.

    Parameters
    ----------
    plan : Plan
    program : Program
    decoded : tuple of str
        Inputs to decode: what the program reads, then those whose text is only passed on.
    """
    layout = program.layout
    decoder = RowDecoder(plan.inputs, decoded, layout.vocabularies)
    values, one = decoder.values, program.one
    keep = plan.keep
    read = len(layout.reads)
    passed = [
        (column.name, str(node.data), decoded.index(str(node.data)))
        for column, node in layout.outputs
        if is_passed(node)
    ]
    names = [column.name for column, _ in layout.computed]
    coded = [
        (i, column, vocabulary(node, layout.vocabularies) if node.kind is Kind.CATEGORY else ())
        for i, (column, node) in enumerate(layout.computed)
        if node.kind in (Kind.CATEGORY, Kind.TIMESTAMP)
    ]
    order = [*keep, *(column.name for column, _ in layout.outputs)]

    def simple(row: Mapping[str, Any]) -> dict[str, Any]:
        given = values(row)
        answer = {name: row.get(name) for name in keep}
        answer.update(zip(names, one(given), strict=True))
        return answer

    def general(row: Mapping[str, Any]) -> dict[str, Any]:
        given = values(row)
        found = list(one(given[:read]))
        for i, column, texts in coded:
            found[i] = to_python(found[i], column, texts)
        answer = dict(zip(names, found, strict=True))
        answer.update((name, row.get(name)) for name in keep)
        for name, source, place in passed:
            answer[name] = None if given[place] == MISSING else str(row[source])
        return {name: answer[name] for name in order}

    return general if coded or passed else simple
