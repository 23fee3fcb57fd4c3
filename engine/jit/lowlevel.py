"""What the forest's kernels need below numba: calls by address, room on the stack, the C library's floats.

Importing this binds the C library's functions under private symbols (by way of `engine.jit.functions`), so
every emitted kernel that uses them imports it.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from engine.jit import functions as _bound

float32s = _bound.float32s
float64s = _bound.float64s
int32s = _bound.int32s
int64s = _bound.int64s
uint8s = _bound.uint8s
_pointer = _bound._pointer
int8s = _pointer(types.int8)
int16s = _pointer(types.int16)
uint16s = _pointer(types.uint16)
uint32s = _pointer(types.uint32)
uint64s = _pointer(types.uint64)

__all__ = [
    "call",
    "expf",
    "float32s",
    "float64s",
    "int8s",
    "int16s",
    "int32s",
    "int64s",
    "stack",
    "uint8s",
    "uint16s",
    "uint32s",
    "uint64s",
]

_I64 = ir.IntType(64)


@intrinsic  # type: ignore[untyped-decorator]
def expf(typingctx: Any, x: Any) -> Any:
    """The C library's ``expf``."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        single = ir.FloatType()
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(single, [single]), "engine_expf"
        )
        return builder.call(function, args)

    return types.float32(types.float32), emit


@intrinsic  # type: ignore[untyped-decorator]
def stack(typingctx: Any, count: Any) -> Any:
    """The address of ``count`` bytes on the stack, for as long as the kernel runs; not for loops."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        room = builder.alloca(ir.IntType(8), args[0])
        room.align = 64
        return builder.ptrtoint(room, _I64)

    return types.int64(types.int64), emit


@intrinsic  # type: ignore[untyped-decorator]
def call(typingctx: Any, address: Any, a: Any, b: Any, c: Any, d: Any, e: Any, f: Any) -> Any:
    """Call the C function ``void (int64 × 6)`` at an address."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(ir.VoidType(), [_I64] * 6)
        builder.call(builder.inttoptr(args[0], kind.as_pointer()), args[1:])
        return context.get_dummy_value()

    return types.void(*[types.int64] * 7), emit
