"""Functions of an author's own, compiled by numba, that expressions call.

A kernel imports the function by its name, and lies in the cache under a name of its own for each state of the
function's source, and of that of all it calls. The interpreter calls the same compiled function.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import numpy as np

from engine.errors import UserError


@dataclass(frozen=True, slots=True)
class Called:
    """A compiled function of numbers, as an expression knows it.

    Parameters
    ----------
    module, name : str
        Where it is imported from.
    digest : str
        The sha256 of the source of its module, and of all that it reaches in others.
    """

    module: str
    name: str
    digest: str

    @property
    def alias(self) -> str:
        """What an emitted kernel calls it."""
        return f"{self.name}_{self.digest[:12]}"


def describe(function: Any, arity: int) -> Called:
    """What an expression needs of a function.

    Parameters
    ----------
    function : numba dispatcher
        Of ``arity`` float64; it gives a float64.

    Raises
    ------
    UserError
        It isn't compiled by numba, can't be imported by its name, or takes another number of arguments.
    """
    plain = getattr(function, "py_func", function)
    if not inspect.isfunction(plain):
        raise UserError(f"call takes a function compiled by numba.njit, not {type(function).__name__}")
    where = f"call: {plain.__module__}.{plain.__qualname__}"
    if "<" in plain.__qualname__ or "." in plain.__qualname__:
        raise UserError(
            f"{where} can't be imported by kernels: define it at the top level of the plugin's module"
        )
    module = sys.modules.get(plain.__module__)
    if plain.__module__ == "__main__" or getattr(module, plain.__name__, None) is not function:
        raise UserError(f"{where} can't be imported by kernels: {plain.__name__!r} is something else there")
    if plain is function and not _disabled():
        raise UserError(f"{where} isn't compiled: decorate it with numba.njit")
    options = getattr(function, "targetoptions", {})
    if options.get("fastmath") or options.get("parallel"):
        raise UserError(f"{where} has fastmath or parallel: the same row would have other bits elsewhere")
    try:
        inspect.signature(plain).bind(*range(arity))
    except TypeError as error:
        raise UserError(f"{where} is called with {arity} numbers: {error}") from None
    digest = hashlib.sha256()
    for part in sorted(set(_reached(plain))):
        digest.update(part)
    return Called(plain.__module__, plain.__name__, digest.hexdigest())


def lowered(function: Any) -> Any:
    """The function as kernels and the interpreter call it: division by zero is IEEE's, no error."""
    import numba

    plain = getattr(function, "py_func", function)
    return numba.njit(error_model="numpy", nogil=True)(plain)


@cache
def array(called: Called, arity: int) -> Callable[..., Any]:
    """The function over float64 arrays."""
    function = getattr(importlib.import_module(called.module), called.name)
    if _disabled():
        plain = getattr(function, "py_func", function)
        ready: Any = lambda *xs: float(plain(*map(np.float64, xs)))  # noqa: E731
    else:
        import numba

        ready = lowered(function)
        ready.compile(numba.float64(*[numba.float64] * arity))
    each = np.frompyfunc(ready, arity, 1)
    return lambda *xs: np.asarray(each(*xs), np.float64)


def _disabled() -> bool:
    try:
        import numba
    except ImportError:
        return True
    return bool(numba.config.DISABLE_JIT)


def _reached(function: Any) -> Iterator[bytes]:
    """What decides on the answers of a function: sources of modules, and the values of what they import."""
    seen: set[int] = set()
    waiting = [function]
    while waiting:
        plain = waiting.pop()
        if id(plain) in seen:
            continue
        seen.add(id(plain))
        file = inspect.getsourcefile(plain)
        yield b"source" + (Path(file).read_bytes() if file and Path(file).is_file() else b"")
        names = set(_names(plain.__code__))
        found = [plain.__globals__[name] for name in sorted(names) if name in plain.__globals__]
        for module in found:  # which grows: a module may hold a module
            if not isinstance(module, ModuleType):
                continue
            if module.__name__.partition(".")[0] not in (*sys.stdlib_module_names, "numpy", "numba", "scipy"):
                found += [getattr(module, name) for name in sorted(names) if hasattr(module, name)]
        for value in found:
            inner = getattr(value, "py_func", value)
            if inspect.isfunction(inner):
                waiting.append(inner)
            elif isinstance(value, np.ndarray | np.generic):
                yield repr((value.dtype.str, value.shape)).encode() + value.tobytes()
            elif isinstance(value, bool | int | float | complex | str | tuple):
                yield repr(value).encode()


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
