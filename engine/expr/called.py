"""Functions of an author's own, compiled by numba, that expressions call.

A kernel imports the function by its name, and lies in the cache under a name of its own for each state of the
function's source, and of that of all it calls. The interpreter calls the same compiled function.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from engine.expr.reached import CallError, dispatchers, name_of, python_function, reached

_MOST_SAID = 300
"""Characters of what numba says."""


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
    CallError
        It isn't compiled by numba, can't be imported by its name, takes another number of arguments, or reads
        something that can't be followed.
    """
    plain = python_function(function)
    if plain is None:
        raise CallError(f"call takes a function compiled by numba.njit, not {type(function).__name__}")
    where = f"call: {name_of(plain)}"
    if "<" in plain.__qualname__ or "." in plain.__qualname__:
        raise CallError(
            f"{where} can't be imported by kernels: define it at the top level of the plugin's module"
        )
    module = sys.modules.get(plain.__module__)
    if plain.__module__ == "__main__" or getattr(module, plain.__name__, None) is not function:
        raise CallError(f"{where} can't be imported by kernels: {plain.__name__!r} is something else there")
    if plain is function and not _disabled():
        raise CallError(f"{where} isn't compiled: decorate it with numba.njit")
    options = getattr(function, "targetoptions", {})
    if options.get("fastmath") or options.get("parallel"):
        raise CallError(f"{where} has fastmath or parallel: the same row would have other bits elsewhere")
    signature = inspect.signature(plain)
    try:
        given = signature.bind(*range(arity)).arguments
    except TypeError as error:
        raise CallError(f"{where} is called with {arity} numbers: {error}") from None
    if len(given) < len(signature.parameters):
        raise CallError(
            f"{where} is called with {arity} numbers and takes {len(signature.parameters)}: "
            "give it those that have defaults, too"
        )
    digest = hashlib.sha256()
    for part in sorted(hashlib.sha256(part).digest() for part in set(reached(plain))):
        digest.update(part)
    return Called(plain.__module__, plain.__name__, digest.hexdigest())


def lowered(function: Any) -> Any:
    """The function as kernels and the interpreter call it: division by zero is IEEE's, no error.

    So it is in the functions that it calls, which may have been compiled for somebody else before.
    """
    import numba

    plain = getattr(function, "py_func", function)
    for inner in dispatchers(plain):
        if inner.targetoptions.get("error_model") != "numpy":
            inner.targetoptions["error_model"] = "numpy"
            inner.recompile()
    return numba.njit(error_model="numpy", nogil=True)(plain)


@cache
def array(called: Called, arity: int) -> Callable[..., Any]:
    """The function over float64 arrays.

    Raises
    ------
    CallError
        numba can't compile it, or it gives no number.
    """
    function = getattr(importlib.import_module(called.module), called.name)
    if _disabled():
        plain = getattr(function, "py_func", function)
        ready: Any = lambda *xs: float(plain(*map(np.float64, xs)))  # noqa: E731
    else:
        ready = _compiled(called, function, arity)
    each = np.frompyfunc(ready, arity, 1)
    return lambda *xs: np.asarray(each(*xs), np.float64)


def _compiled(called: Called, function: Any, arity: int) -> Any:
    import numba

    ready = lowered(function)
    where = f"call: {called.module}.{called.name}"
    try:
        ready.compile(numba.float64(*[numba.float64] * arity))
    except Exception as error:  # numba raises others than its own, too
        said, place = _said(error, ready.py_func)
        raise CallError(
            f"{where} can't be compiled by numba: {said}\n  {place}\n"
            "  it may use numbers, tuples, NumPy arrays, math, and functions that numba compiles",
            called,
        ) from error
    return ready


def _said(error: Exception, plain: Any) -> tuple[str, str]:
    """What numba complains about, in a line, and where."""
    noise = ("Failed in ", "During: ", "File ", ">>>", "There are ", "- ")
    lines = [line.strip() for line in str(error).splitlines()]
    lines = [line for line in lines if line and not line.startswith(noise)]
    said = lines[0] if lines else type(error).__name__
    wrong = re.match(r"No conversion from (.+) to float64 for '\S*return_value", said)
    if wrong:
        said = f"it gives {wrong[1]}, and a number is expected"
    signature = next((line.strip()[4:] for line in str(error).splitlines() if line.strip()[:4] == ">>> "), "")
    found = getattr(error, "loc", None)
    file, line = (found.filename, found.line) if found else (plain.__code__.co_filename, None)
    text = f"{said} {signature}".strip()
    return text[:_MOST_SAID], f"{file}, line {line or plain.__code__.co_firstlineno}"


def _disabled() -> bool:
    try:
        import numba
    except ImportError:
        return True
    return bool(numba.config.DISABLE_JIT)
