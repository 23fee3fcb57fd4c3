"""Numbers in vector registers, as LLVM's generic vectors.

LLVM makes AVX-512, AVX2 or anything else of it. Only looking numbers up in a small table needs an
instruction of the processor's own (`lookup`); where there is none, the caller does it by plain loads.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils

_I32, _I64, _F32 = ir.IntType(32), ir.IntType(64), ir.FloatType()
LANES = {"avx512": 16, "avx2": 8}
"""Floats in a register, where `lookup` has an instruction."""


def splat(builder: Any, value: Any, count: int) -> Any:
    """A vector of one value."""
    kind = ir.VectorType(value.type, count)
    if isinstance(value, ir.Constant):
        return ir.Constant(kind, [value.constant] * count)
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), value, _I32(0))
    zeros = ir.Constant(ir.VectorType(_I32, count), [0] * count)
    return builder.shuffle_vector(first, ir.Constant(kind, ir.Undefined), zeros)


def constant(kind: Any, value: int, count: int) -> Any:
    """A constant vector of one value."""
    return ir.Constant(ir.VectorType(kind, count), [value] * count)


def load(builder: Any, kind: Any, address: Any, align: int = 1) -> Any:
    """What lies at an address, given as a number."""
    return builder.load(builder.inttoptr(address, kind.as_pointer()), align=align)


def store(builder: Any, value: Any, address: Any, align: int = 1) -> None:
    """Put a value at an address, given as a number."""
    builder.store(value, builder.inttoptr(address, value.type.as_pointer()), align=align)


def plus(builder: Any, address: Any, offset: int) -> Any:
    """An address so many bytes further."""
    return builder.add(address, _I64(offset))


def load_table(builder: Any, level: str, address: Any, size: int) -> list[Any]:
    """A table of floats in registers."""
    lanes = LANES[level]
    kind = ir.VectorType(_F32, lanes)
    return [load(builder, kind, plus(builder, address, 4 * i), 4) for i in range(0, max(size, lanes), lanes)]


def lookup(builder: Any, level: str, table: list[Any], index: Any) -> Any:
    """``table[index]`` for each lane; bits of ``index`` beyond the table's size don't count."""
    lanes = LANES[level]
    floats, whole = ir.VectorType(_F32, lanes), ir.VectorType(_I32, lanes)
    module = builder.module
    parts = table
    bit = lanes
    if level == "avx512" and len(table) > 1:
        kind = ir.FunctionType(floats, [floats, whole, floats])
        both = cgutils.get_or_insert_function(module, kind, "llvm.x86.avx512.vpermi2var.ps.512")
        parts = [builder.call(both, [a, index, b]) for a, b in zip(table[::2], table[1::2], strict=True)]
        bit = 2 * lanes
    else:
        name = "llvm.x86.avx512.permvar.sf.512" if level == "avx512" else "llvm.x86.avx2.permps"
        one = cgutils.get_or_insert_function(module, ir.FunctionType(floats, [floats, whole]), name)
        parts = [builder.call(one, [part, index]) for part in table]
    while len(parts) > 1:
        # The bit's place is the sign's, which is what a blend looks at.
        moved = builder.shl(index, constant(_I32, 31 - (bit.bit_length() - 1), lanes))
        high = builder.icmp_signed("<", moved, constant(_I32, 0, lanes))
        parts = [builder.select(high, b, a) for a, b in zip(parts[::2], parts[1::2], strict=True)]
        bit *= 2
    return parts[0]
