"""What emitted kernels call. Importing this binds the C library's functions under private symbols.

A kernel that numba loads from its cache refers to those symbols by name, so they must be bound before it
is loaded: emitted files import this module, and that is enough.
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, register_jitable

from engine.expr import calendar as _calendar
from engine.expr import elapsed as _elapsed
from engine.expr import libm
from engine.expr import single as _single
from engine.values import NAT

__all__ = [
    "NAN", "NAT", "cell1", "cell2", "clip", "cos", "elapsed", "exp", "expm1", "float32", "float32s",
    "float64", "float64s", "floor", "int32", "int32s", "int64s", "log", "log1p", "maximum", "minimum",
    "moment", "power",
    "search", "sin", "single", "sqrt", "uint8s",
]  # fmt: skip

for _name, _address in libm.addresses().items():
    llvmlite.binding.add_symbol(f"engine_{_name}", _address)

NAN = float("nan")
float32 = np.float32
float64 = np.float64
int32 = np.int32
floor = register_jitable(lambda x: np.floor(x))
sqrt = register_jitable(lambda x: np.sqrt(x))
elapsed = register_jitable(_elapsed.elapsed)
moment = register_jitable(_elapsed.moment)


def _call(symbol: str) -> Any:
    """A function of one float64, or of two, that calls a bound symbol."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        double = ir.DoubleType()
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(double, [double] * len(args)), f"engine_{symbol}"
        )
        return builder.call(function, args)

    def one(typingctx: Any, x: Any) -> Any:
        return types.float64(types.float64), emit

    def two(typingctx: Any, x: Any, y: Any) -> Any:
        return types.float64(types.float64, types.float64), emit

    build = one if libm.FUNCTIONS[symbol] == 1 else two
    build.__name__ = symbol
    return intrinsic(build)


exp = _call("exp")
expm1 = _call("expm1")
log = _call("log")
log1p = _call("log1p")
sin = _call("sin")
cos = _call("cos")
_pow = _call("pow")


def _pointer(element: Any) -> Any:
    """A function that reads an address as a pointer to elements of this type."""

    def build(typingctx: Any, address: Any) -> Any:
        pointer = types.CPointer(element)

        def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return builder.inttoptr(args[0], context.get_value_type(pointer))

        return pointer(types.int64), emit

    build.__name__ = f"{element}s"
    return intrinsic(build)


float64s = _pointer(types.float64)
float32s = _pointer(types.float32)
int64s = _pointer(types.int64)
int32s = _pointer(types.int32)
uint8s = _pointer(types.uint8)


@register_jitable  # type: ignore[untyped-decorator]
def minimum(x: Any, y: Any) -> Any:
    return x if x != x else (y if (y < x) | (y != y) else x)


@register_jitable  # type: ignore[untyped-decorator]
def maximum(x: Any, y: Any) -> Any:
    return x if x != x else (y if (y > x) | (y != y) else x)


@register_jitable  # type: ignore[untyped-decorator]
def power(x: Any, y: Any) -> Any:
    return NAN if (x != x) | (y != y) else _pow(x, y)


@register_jitable  # type: ignore[untyped-decorator]
def clip(x: Any, lo: Any, hi: Any) -> Any:
    return lo if x < lo else (hi if x > hi else x)


def _reinterpret(source: Any, target: Any, bits: Any) -> Any:
    """A function that reads the bits of a number as another type's."""

    def build(typingctx: Any, x: Any) -> Any:
        def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return builder.bitcast(args[0], bits)

        return target(source), emit

    build.__name__ = f"{source}_as_{target}"
    return intrinsic(build)


_bits_of = _reinterpret(types.float32, types.uint32, ir.IntType(32))
_float_of = _reinterpret(types.uint32, types.float32, ir.FloatType())
_HASH, _FIVE, _ONE = np.uint64(_single.HASH), np.uint64(5), np.uint64(1)
_WORD = np.uint64(_single.WORD - 1)


@register_jitable  # type: ignore[untyped-decorator]
def _beside(x: Any, up: bool) -> Any:
    """The float32 above or below one that isn't infinite on that side."""
    bits = np.int64(_bits_of(x + np.float32(0)))
    if bits == 0:
        return _float_of(np.uint32(1 if up else 0x80000001))
    # away from zero the bits grow
    return _float_of(np.uint32(bits + 1 if (bits < 0x80000000) == up else bits - 1))


@register_jitable  # type: ignore[untyped-decorator]
def _on_its_side(numbers: Any, edges: Any, levels: Any, near: Any, x: Any) -> Any:
    low = _beside(near, False) if float64(near) > x else near
    at = edges
    for level in range(levels):
        half = _ONE << np.uint64(levels - 1 - level)
        at = at + (half if numbers[at + half - _ONE] <= low else np.uint64(0))
    high = _beside(low, True)
    return near if not numbers[at] <= high else (high if numbers[at] <= x else low)


@register_jitable  # type: ignore[untyped-decorator]
def single(numbers: Any, table: Any, levels: Any, x: Any) -> Any:
    """`engine.expr.single.single`, for one number: few have an edge beside them, or need rounding at all."""
    near = float32(x)
    if float64(near) != x:
        start = np.uint64(table)
        place = (np.uint64(_bits_of(near + np.float32(0))) * _HASH) >> np.uint64(64 - 5 - levels)
        word = np.int64(numbers[start + (place >> _FIVE)])
        if (word >> np.int64(place & _WORD)) & 1:
            return float64(_on_its_side(numbers, start + (_ONE << np.uint64(levels)), levels, near, x))
    return float64(near)


@register_jitable  # type: ignore[untyped-decorator]
def cell1(numbers: Any, table: Any, i: Any) -> Any:
    """`engine.expr.cells.Cells.at`, for one number."""
    if (i >= 0.0) & (i < numbers[table]):
        return numbers[table + 2 + np.int64(i)]
    return NAN


@register_jitable  # type: ignore[untyped-decorator]
def cell2(numbers: Any, table: Any, i: Any, j: Any) -> Any:
    """The same in two dimensions."""
    if (i >= 0.0) & (i < numbers[table]) & (j >= 0.0) & (j < numbers[table + 1]):
        return numbers[table + 2 + np.int64(i) * np.int64(numbers[table + 1]) + np.int64(j)]
    return NAN


@register_jitable  # type: ignore[untyped-decorator]
def search(numbers: Any, table: Any, x: Any) -> Any:
    """`engine.expr.cells.Cells.count`, for one number: without a branch that can be guessed wrong."""
    if x != x:
        return NAN
    first = np.int64(table) + 2
    at, left = first, np.int64(numbers[table])
    while left > 1:
        half = left >> 1
        at += half if numbers[at + half - 1] <= x else 0
        left -= half
    at += 1 if left == 1 and numbers[at] <= x else 0
    return float64(at - first)


for _helper in (
    "_days", "_century", "_day_of_century", "_march_year", "_march_day", "_year", "_month", "_day",
    "_weekday", "_day_of_year",
    *_calendar.PARTS,
):  # fmt: skip
    register_jitable(getattr(_calendar, _helper))

year = _calendar.year
quarter = _calendar.quarter
month = _calendar.month
week = _calendar.week
day = _calendar.day
weekday = _calendar.weekday
hour = _calendar.hour
minute = _calendar.minute
day_of_year = _calendar.day_of_year
is_weekend = _calendar.is_weekend
