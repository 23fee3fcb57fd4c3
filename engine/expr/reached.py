"""What decides on a compiled function's answers: its source, that of all it calls, the values that it reads.

numba freezes a function's globals into machine code. A kernel on disk is found by the digest of all of them,
so what can't be followed is refused instead of being left out.
"""

from __future__ import annotations

import contextlib
import dis
import enum
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

from engine.errors import UserError

_LIBRARIES = frozenset({*sys.stdlib_module_names, "numpy", "numba", "llvmlite", "scipy"})
"""What numba knows by itself, or names by its version: not followed."""
_INNER = ("py_func", "_pyfunc", "_defn")
"""Where numba's wrappers hold the function: of njit, of cfunc, of an intrinsic."""
_FOLLOWED = "a number, a text, a tuple, a NumPy array of numbers, or a function that numba compiles"
_UNNOTICED = "a kernel on disk wouldn't notice when it changes"


class CallError(UserError):
    """A function that expressions can't call, or whose changes a kernel on disk wouldn't be told by.

    Attributes
    ----------
    called : engine.expr.called.Called or None
        The function, where it was described and then couldn't be compiled.
    """

    def __init__(self, message: str, called: Any = None) -> None:
        super().__init__(message)
        self.called = called


def name_of(function: Any) -> str:
    """Module and name, for messages."""
    return f"{function.__module__}.{function.__qualname__}"


def python_function(value: Any) -> FunctionType | None:
    """The Python function that numba compiles in a wrapper of its own; a function itself; else None."""
    value = getattr(value, "_dispatcher", value)  # of numba.vectorize
    for name in _INNER:
        inner = getattr(value, name, None)
        if isinstance(inner, FunctionType):
            return inner
    return value if isinstance(value, FunctionType) else None


def reached(function: FunctionType) -> Iterator[bytes]:
    """What decides on the answers of a function, in parts of no particular order.

    Raises
    ------
    CallError
        It reads something that can't be followed.
    """
    yield b"source" + _source(function)
    for plain, name, value in _followed(function):
        _refuse_otherwise_rounded(value, plain)
        inner = python_function(value)
        if inner is not None:
            if not _is_librarys(inner):
                yield b"source" + _source(inner)
            continue
        text = _value(value)
        if text is None:
            raise CallError(
                f"call: {name_of(plain)} reads {name}, which is {_kind(value)}: {_UNNOTICED}\n"
                f"  give it as an argument, or make it {_FOLLOWED}"
            )
        yield f"{name_of(plain)} {name} ".encode() + text


def dispatchers(function: FunctionType) -> list[Any]:
    """The functions compiled by numba that a function calls, and those that these call."""
    return [value for _, _, value in _followed(function) if hasattr(value, "targetoptions")]


def _followed(function: FunctionType) -> Iterator[tuple[FunctionType, str, Any]]:
    """What a function reads, and every function that it calls: who reads it, as what, and the value."""
    seen: set[FunctionType] = set()
    waiting = [function]
    while waiting:
        plain = waiting.pop()
        if plain in seen:
            continue
        seen.add(plain)
        for name, value in _read(plain):
            yield plain, name, value
            inner = python_function(value)
            if inner is not None and not _is_librarys(inner):
                waiting.append(inner)


def _is_librarys(function: FunctionType) -> bool:
    return _root(function.__module__) in _LIBRARIES


def _root(module: str | None) -> str:
    return (module or "").partition(".")[0]


def _source(plain: FunctionType) -> bytes:
    file = Path(inspect.getsourcefile(plain) or "")
    if file.is_file():
        return file.read_bytes()
    try:
        return inspect.getsource(sys.modules[plain.__module__]).encode()
    except (OSError, TypeError, KeyError):
        raise CallError(
            f"call: the source of {name_of(plain)} isn't there: {_UNNOTICED}\n  define it in a file"
        ) from None


def _read(plain: FunctionType) -> Iterator[tuple[str, Any]]:
    """What a function reads besides its arguments, by the name it has there."""
    enclosing = dict(_enclosing(plain))
    for place, value in enumerate((*(plain.__defaults__ or ()), *(plain.__kwdefaults__ or {}).values())):
        yield f"default {place}", value
    for name, *attributes in sorted(set(_names(plain.__code__))):
        where = enclosing if name in enclosing else plain.__globals__
        if name not in where:
            continue  # a builtin, or nothing: numba says so
        value = where[name]
        for attribute in attributes:
            if not isinstance(value, ModuleType | type) or _is_library(value):
                break
            if not hasattr(value, attribute):
                break
            value, name = getattr(value, attribute), f"{name}.{attribute}"
        yield name, value


def _enclosing(plain: FunctionType) -> Iterator[tuple[str, Any]]:
    for name, cell in zip(plain.__code__.co_freevars, plain.__closure__ or (), strict=True):
        with contextlib.suppress(ValueError):  # not set: numba says so
            yield name, cell.cell_contents


def _names(code: CodeType) -> Iterator[tuple[str, ...]]:
    """Globals and names of enclosing functions, each with the attributes that are taken of it at once."""
    chain: tuple[str, ...] = ()
    for instruction in dis.get_instructions(code):
        if chain and instruction.opname in ("LOAD_ATTR", "LOAD_METHOD"):
            chain = (*chain, str(instruction.argval))
            continue
        if chain:
            yield chain
        outer = instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF", "LOAD_CLASSDEREF")
        chain = (str(instruction.argval),) if outer else ()
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _is_library(value: Any) -> bool:
    """Whether numba knows it by itself: a module, class or function of a library."""
    if isinstance(value, ModuleType):
        return _root(value.__name__) in _LIBRARIES
    foreign = any(_root(base.__module__) == "_ctypes" for base in type(value).__mro__)
    return callable(value) and not foreign and _root(getattr(value, "__module__", None)) in _LIBRARIES


def _value(value: Any) -> bytes | None:
    """A value as bytes that differ where it does; None: it can't be followed."""
    if _is_library(value):
        return b""
    if isinstance(value, np.ndarray | np.generic):
        if value.dtype.hasobject:
            return None
        return repr((value.dtype.str, value.shape)).encode() + value.tobytes()
    if isinstance(value, tuple):
        parts = [_value(item) for item in value]
        return None if None in parts else b"(" + b",".join(part or b"" for part in parts) + b")"
    if value is None or isinstance(value, bool | int | float | complex | str | bytes | np.dtype | enum.Enum):
        return repr(value).encode()
    if isinstance(value, type) and issubclass(value, enum.Enum):
        return repr(list(value)).encode()
    if isinstance(value, type) and issubclass(value, tuple):  # a namedtuple
        return repr((value.__name__, getattr(value, "_fields", ()))).encode()
    return None


def _kind(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return "an array of objects"
    if isinstance(value, ModuleType):
        return "a module as a whole"
    return f"of type {type(value).__name__}"


def _refuse_otherwise_rounded(value: Any, caller: FunctionType) -> None:
    options = getattr(value, "targetoptions", {})
    if options.get("fastmath") or options.get("parallel"):
        raise CallError(
            f"call: {name_of(caller)} calls {value.py_func.__qualname__}, which has fastmath or parallel: "
            "the same row would have other bits elsewhere"
        )
