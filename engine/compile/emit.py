"""Groups of results to the source of a kernel, for people and for numba."""

from __future__ import annotations

from collections.abc import Sequence

from engine.compile.passes import Group, Line, Shape
from engine.expr.operations import OPERATIONS

BLOCK = 256
"""Rows that go through all groups together, so that what they share stays in the nearest cache."""

_HEADER = '''\
"""Emitted by the engine's compiler. A member of a group is one result: its own columns and numbers."""

from engine.jit.functions import *  # noqa: F403
from engine.jit import functions as parts
from engine.jit.lowlevel import call
{imports}

def kernel(rows, columns, outputs, numbers, integers, scratch):
    columns, outputs = int64s(columns), int64s(outputs)
    numbers, integers, scratch = float64s(numbers), int64s(integers), float64s(scratch)
'''

_LEAF = {
    "float64": "float64s(columns[integers[m + {i}]])",
    "float32": "float32s(columns[integers[m + {i}]])",
    "int32": "int32s(columns[integers[m + {i}]])",
    "int64": "int64s(columns[integers[m + {i}]])",
    "uint8": "uint8s(columns[integers[m + {i}]])",
}

_STORE = {
    "feature": ("float32s(outputs[0] + 4 * slot * stride)", "out[i] = float32({v})"),
    "number": ("float64s(outputs[slot])", "out[i] = {v} if {v} == {v} else NAN"),
    "boolean": ("uint8s(outputs[slot])", "out[i] = 1 if {v} else 0"),
    "category": ("int32s(outputs[slot])", "out[i] = {v}"),
    "timestamp": ("int64s(outputs[slot])", "out[i] = {v}"),
}


def record_length(shape: Shape) -> int:
    """How many whole numbers describe one member of this shape."""
    return len(shape.leaves) + shape.tables + shape.counts + 1


def stride_at(groups: Sequence[Group]) -> int:
    """Where ``integers`` hold how many rows lie between two features of the matrix."""
    return 3 * len(groups)


def model_at(groups: Sequence[Group]) -> int:
    """Where ``integers`` hold the address of a model's walk and of its numbers; zero: none."""
    return stride_at(groups) + 1


def emit(groups: Sequence[Group]) -> str:
    """The source of a kernel.

    Only the shapes of the groups appear in it: neither names nor numbers, nor how many members there are. So
    the same structure has the same source, whatever was learned.
    """
    lines = [_HEADER.replace("{imports}", _imports(groups))]
    if any(group.shape.store == "feature" for group in groups):
        lines.append(f"    stride = integers[{stride_at(groups)}]  # rows from one feature to the next")
    lines.append(f"    for start in range(0, rows, {BLOCK}):")
    lines.append(f"        stop = min(start + {BLOCK}, rows)")
    for number, group in enumerate(groups):
        lines += _emit_group(number, group.shape)
    if not groups:
        lines.append("        pass")
    if any(group.shape.store == "feature" for group in groups):
        at = model_at(groups)
        lines += [
            f"    if integers[{at}] != 0:  # one row: the forest walks right away",
            f"        call(integers[{at}], outputs[0], outputs[1], integers[{at + 1}], 0, 0, 0)",
        ]
    return "\n".join(lines) + "\n"


def _imports(groups: Sequence[Group]) -> str:
    """The functions of authors that the groups call, prepared as the interpreter's are."""
    lines = [line for group in groups for line in group.shape.lines if line.op == "call"]
    found = sorted({line.data for line in lines}, key=lambda called: (called.module, called.name))
    if not found:
        return ""
    text = "from engine.expr.called import lowered\n"
    for called in found:
        text += f"from {called.module} import {called.name} as {called.alias}\n"
    for called in found:
        text += (
            f"\n{called.alias} = lowered({called.alias})  # sha256 of what it is made of: {called.digest}\n"
        )
    return text


def _emit_group(number: int, shape: Shape) -> list[str]:
    length = record_length(shape)
    out = [
        f"        # group {number}: {shape.store} = {formula(shape)}",
        f"        for j in range(integers[{3 * number}]):",
        f"            m = integers[{3 * number + 1}] + j * {length}",
    ]
    at = 0
    for i, kind in enumerate(shape.leaves):
        if kind.startswith("scratch"):
            out.append(f"            s{i} = integers[m + {at}] * {BLOCK} - start")
        else:
            out.append(f"            x{i} = {_LEAF[kind].format(i=at)}")
        at += 1
    for i in range(shape.tables):
        out.append(f"            t{i} = integers[m + {at}]")
        at += 1
    for i in range(shape.counts):
        out.append(f"            n{i} = int32(integers[m + {at}])")
        at += 1
    out.append(f"            slot = integers[m + {at}]")
    if shape.constants:
        out.append(f"            p = integers[{3 * number + 2}] + j * {shape.constants}")
        out += [f"            a{i} = numbers[p + {i}]" for i in range(shape.constants)]
    out += _emit_loop(shape)
    return out


def _emit_loop(shape: Shape) -> list[str]:
    body = []
    for i, kind in enumerate(shape.leaves):
        body.append(f"e{i} = {_load(i, kind)}")
    names = {f"x{i}": f"e{i}" for i in range(len(shape.leaves))}
    for number, line in enumerate(shape.lines):
        body.append(f"v{number} = {_operator(line, names)}")
    value = names.get(shape.result, shape.result)
    head = []
    if shape.store == "scratch":
        head.append(f"o = slot * {BLOCK} - start")
        body.append(f"scratch[o + i] = {value}")
    else:
        pointer, store = _STORE[shape.store]
        head.append(f"out = {pointer}")
        body.append(store.format(v=value))
    indent = " " * 12
    return (
        [indent + line for line in head]
        + [indent + "for i in range(start, stop):"]
        + [indent + "    " + line for line in body]
    )


def _load(i: int, kind: str) -> str:
    if kind == "scratch":
        return f"scratch[s{i} + i]"
    if kind == "scratch_boolean":
        return f"(scratch[s{i} + i] != 0.0)"
    if kind == "uint8":
        return f"(x{i}[i] != 0)"
    if kind == "float32":
        return f"float64(x{i}[i])"
    return f"x{i}[i]"


def _operator(line: Line, names: dict[str, str]) -> str:
    args = [names.get(arg, arg) for arg in line.args]
    if line.op == "lookup" and len(args) == 4:
        code, value, unknown, missing = args
        return f"({value} if {code} == {line.data} else ({missing} if {code} == 0 else {unknown}))"
    if line.op == "lookup":
        return f"numbers[{line.data} + {args[0]}]"
    if line.op == "single":
        table, size = line.data
        return f"single(numbers, {table}, {size}, {args[0]})"
    if line.op == "call":
        return f"float64({line.data.alias}({', '.join(args)}))"
    if line.op == "search":
        return f"below(numbers, {line.data}, {args[0]})"
    if line.op == "table":
        return f"cell{len(args)}(numbers, {line.data}, {', '.join(args)})"
    if line.op == "choose":
        inside = f"(({args[0]} >= 0.0) & ({args[0]} < {line.data}))"
        return f"(int32({args[0]}) + int32(2) if {inside} else int32(0))"
    if line.op == "calendar":
        return f"(NAN if {args[0]} == NAT else float64(parts.{line.data}({args[0]})))"
    return OPERATIONS[line.op].scalar.format(*args)


def formula(shape: Shape) -> str:
    """A shape as one expression over its columns (``x0``) and numbers (``a0``), for people."""
    texts: dict[str, str] = {}
    for number, line in enumerate(shape.lines):
        args = [texts.get(arg, arg) for arg in line.args]
        if line.op in ("lookup", "choose", "single", "search"):
            text = f"{line.op}({args[0]})"
        elif line.op == "call":
            text = f"{line.data.name}({', '.join(args)})"
        elif line.op == "table":
            text = f"table[{', '.join(args)}]"
        elif line.op == "calendar":
            text = f"{line.data}({args[0]})"
        elif OPERATIONS[line.op].symbol and len(args) == 2:
            text = f"({args[0]} {OPERATIONS[line.op].symbol} {args[1]})"
        else:
            text = f"{line.op}({', '.join(args)})"
        texts[f"v{number}"] = text if len(text) <= 400 else text[:400] + "…"
    return texts.get(shape.result, shape.result)
