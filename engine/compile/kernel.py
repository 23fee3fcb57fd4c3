"""A compiled kernel with its numbers: what a program calls for a block of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.compile.emit import BLOCK, emit, model_at, record_length, stride_at
from engine.compile.passes import Group, Root, cut, data_key, fold, group, share
from engine.expr import single
from engine.expr.graph import Expr, leaves
from engine.expr.interpret import Leaf, lookup_table
from engine.values import FIRST


@dataclass(frozen=True)
class KernelPlan:
    """A kernel before it is compiled.

    Parameters
    ----------
    groups : tuple of Group
    columns : tuple of Leaf
        What it reads, in the order of its ``columns`` argument.
    roots : tuple of Root
        What it writes, without scratch.
    width : int
        Features in a row of the matrix; 0: it writes no features.
    source : str
    numbers : float64 array
    integers : int64 array
        For one row: features lie side by side.
    scratch : int
        Scratch columns.
    """

    groups: tuple[Group, ...]
    columns: tuple[Leaf, ...]
    roots: tuple[Root, ...]
    width: int
    source: str
    numbers: NDArray[np.float64]
    integers: NDArray[np.int64]
    scratch: int


def plan_kernel(roots: Sequence[Root], width: int, vocabularies: Mapping[str, Sequence[str]]) -> KernelPlan:
    """Run the passes and lay a kernel's arguments out.

    Parameters
    ----------
    roots : sequence of Root
    width : int
        Features in a row of the matrix.
    vocabularies : mapping of str to sequence of str
        What the codes of each category input stand for.
    """
    simple = share(fold([root.expr for root in roots]))
    cuts = cut(simple)
    scratch = {id(node): i for i, node in enumerate(cuts)}
    results = [Root(node, "scratch", i, "") for i, node in enumerate(cuts)]
    final = [replace(r, expr=node) for node, r in zip(simple, roots, strict=True)]
    groups = group([*results, *final], scratch)
    columns = {(leaf.op, leaf.data): i for i, leaf in enumerate(leaves(simple))}
    numbers, integers = _pack(groups, columns, scratch, vocabularies)
    return KernelPlan(
        tuple(groups), tuple(columns), tuple(final), width, emit(groups), numbers, integers, len(cuts)
    )


def _pack(
    groups: Sequence[Group],
    columns: Mapping[Leaf, int],
    scratch: Mapping[int, int],
    vocabularies: Mapping[str, Sequence[str]],
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    numbers: list[float] = []
    integers: list[int] = [0] * (3 * len(groups)) + [1, 0, 0]
    tables: dict[Any, int] = {}
    for number, item in enumerate(groups):
        integers[3 * number : 3 * number + 3] = [len(item.members), len(integers), len(numbers)]
        for member in item.members:
            numbers.extend(member.constants)
        for member in item.members:
            record = [scratch[id(x)] if id(x) in scratch else columns[(x.op, x.data)] for x in member.leaves]
            for node in member.tables:
                texts = tuple(vocabulary(node.args[0], vocabularies)) if node.op == "lookup" else ()
                key = (node.op, data_key(node.data), texts)
                if key not in tables:
                    tables[key] = len(numbers)
                    numbers.extend(_table(node, texts))
                record.append(tables[key])
            record += [_count(node, vocabularies) for node in member.counts]
            record.append(member.root.slot)
            assert len(record) == record_length(item.shape)
            integers.extend(record)
    return np.array(numbers or [0.0], np.float64), np.array(integers, np.int64)


def _table(node: Expr, texts: Sequence[str]) -> list[float]:
    if node.op == "single":
        return single.table(node.data)
    if node.op in ("table", "search"):
        return node.data.numbers  # type: ignore[no-any-return]
    return lookup_table(node.data, texts).tolist()  # type: ignore[no-any-return]


def _count(node: Expr, vocabularies: Mapping[str, Sequence[str]]) -> int:
    if node.op == "choose":
        return len(node.data)
    if node.op == "single":
        return single.levels(node.data)
    texts = vocabulary(node.args[0], vocabularies)
    text = node.data.texts[0] if node.data.texts else None
    return FIRST + texts.index(text) if text in texts else -1


def vocabulary(node: Expr, vocabularies: Mapping[str, Sequence[str]]) -> Sequence[str]:
    """What the codes of a category node stand for."""
    return node.data if node.op == "choose" else vocabularies.get(node.data, ())


class Kernel:
    """A kernel, compiled, with the addresses of its numbers.

    Parameters
    ----------
    plan : KernelPlan
    """

    def __init__(self, plan: KernelPlan) -> None:
        from engine.jit.cache import compile_kernel
        from engine.jit.direct import address

        self.plan = plan
        self.call = compile_kernel(plan.source)
        self.address = address(self.call)
        self._numbers = plan.numbers
        self._integers = plan.integers
        self.numbers = plan.numbers.ctypes.data
        self.integers = plan.integers.ctypes.data

    def with_stride(self, stride: int) -> NDArray[np.int64]:
        """Whole numbers with which the kernel writes ``stride`` rows of a feature before the next feature."""
        integers = self.plan.integers.copy()
        integers[stride_at(self.plan.groups)] = stride
        return integers

    def with_walk(self, address: int, model: int) -> NDArray[np.int64]:
        """Whole numbers with which the kernel, after the features of one row, has a model walk at once.

        Parameters
        ----------
        address, model : int
            ``row_address`` and ``row_model`` of `engine.forest.native.NativeScorer`; ``outputs[1]`` must hold
            the address of the scores.
        """
        integers = self.plan.integers.copy()
        at = model_at(self.plan.groups)
        integers[at : at + 2] = address, model
        return integers

    def new_scratch(self) -> NDArray[np.float64]:
        """Room for one block of shared subexpressions; one for each thread."""
        return np.empty(max(1, self.plan.scratch * BLOCK), np.float64)

    def __call__(self, rows: int, columns: int, outputs: int, scratch: int) -> None:
        self.call(rows, columns, outputs, self.numbers, self.integers, scratch)
