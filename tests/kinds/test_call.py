"""Functions of the author's own in expressions, and tables that expressions index."""

from __future__ import annotations

import ctypes
import math
import os
import subprocess
import sys
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import numba
import numpy as np
import pyarrow as pa
import pytest

from engine.api import build, fit
from engine.errors import UserError
from engine.expr.graph import Expr, call, table
from engine.expr.interpret import interpret
from engine.jit.functions import exp
from engine.pipeline import Pipeline
from engine.schema import Kind

from .conftest import config_of

INPUTS = {"a": "number", "b": "number"}
ODD = [0.0, -0.0, 3.0, 1e300, -7.25, math.inf, -math.inf, math.nan, 0.1, 2.999999999999999]


def exact(column: pa.ChunkedArray) -> list[str]:
    return [float(x).hex() for x in column.to_pylist()]


def test_a_loop_has_the_same_bits_everywhere() -> None:
    stages = {
        "turned": {"use": "kind_turns", "columns": ["a", "b"]},
        "half": {"use": "expr", "value": "turned / 2"},
    }
    pipeline = build(config_of(stages, INPUTS))
    rng = np.random.default_rng(0)
    a, b = np.concatenate([ODD, rng.normal(size=500) * 100]), np.concatenate([ODD[::-1], rng.random(500)])
    rows = pa.table({"a": a, "b": b})
    found = pipeline.predict_many(rows)
    plain = Pipeline(pipeline.plan, pipeline.learned, interpreted=True).predict_many(rows)
    for name in ("turned", "half"):
        assert exact(found[name]) == exact(plain[name])
        ones = [pipeline.predict_one(row)[name] for row in rows.slice(0, 40).to_pylist()]
        assert [x.hex() for x in ones] == exact(found[name])[:40]

    def by_hand(x: float) -> float:
        count = 0.0
        while abs(x) > 0.5 and count < 50:
            x = float(np.float64(x) / 2 - np.float64(1.0) / (np.float64(x) - 3.0))
            count += 1.0
        return count + x

    with np.errstate(all="ignore"):
        expected = [by_hand(x) + by_hand(y) for x, y in zip(a.tolist(), b.tolist(), strict=True)]
    np.testing.assert_array_equal(found["turned"].to_numpy(), expected)
    assert "turns(x0, a0)" in pipeline.explain()


_PLUGIN = '''
import numba
from engine.expr.graph import call
from engine.schema import Kind
from engine.stage import RowStage, stage
from engine.plugins import _beside
from engine.plugins._beside import inner, held
PLUS = {plus}

@numba.njit
def outer(x):
    return inner(x) * _beside.FACTOR + PLUS + held(x)

@stage("changing")
class Changing(RowStage):
    """Calls what may change."""
    def declare(self, columns):
        return Kind.NUMBER
    def express(self, columns, learned):
        (x,) = columns.values()
        return call(outer, x)
'''
_BESIDE = """
import os
import numba
FACTOR = {factor}

@numba.njit
def inner(x):
    return x + {inner}

def hold(value):
    @numba.njit
    def held(x):
        return x * value
    return held

# a value that the text of this file doesn't tell
held = hold(float(os.environ.get("HELD", 0)))
"""
_RUN = """
import sys
from engine.api import build
from engine.config.config import Config
stages = {"c": {"use": "changing", "columns": ["x"]}}
config = {"name": "c", "inputs": {"x": "number"}, "stages": stages, "plugins": [sys.argv[1]]}
print(build(Config(config)).predict_one({"x": 1.0})["c"])
"""


def test_the_cache_notices_what_a_function_reaches(tmp_path: Path) -> None:
    folder = tmp_path / "stages"
    folder.mkdir()
    env = os.environ | {"ENGINE_CACHE_DIR": str(tmp_path / "cache"), "PYTHONDONTWRITEBYTECODE": "1"}

    def answer(plus: float, factor: float, inner: float, held: float = 0.0) -> float:
        (folder / "changing.py").write_text(_PLUGIN.format(plus=plus))
        (folder / "_beside.py").write_text(_BESIDE.format(factor=factor, inner=inner))
        done = subprocess.run(
            [sys.executable, "-c", _RUN, str(folder)],
            env=env | {"HELD": str(held)},
            capture_output=True,
            text=True,
            check=True,
        )
        return float(done.stdout)

    assert answer(1.0, 2.0, 3.0) == 9.0
    assert answer(1.5, 2.0, 3.0) == 9.5  # a constant of its module
    assert answer(1.5, 4.0, 3.0) == 17.5  # one of another
    assert answer(1.5, 4.0, 5.0) == 25.5  # a function that it calls
    assert answer(1.0, 2.0, 3.0, 0.5) == 9.5  # what a function was made with
    assert answer(1.0, 2.0, 3.0) == 9.0


_WRONG = '''
import numba
from engine.expr.graph import call
from engine.stage import ColumnStage, stage

LISTED = [1.0]

@numba.njit
def strange(x):
    return x.foo

@numba.njit
def silent(x):
    if x > 1:
        return

@numba.njit
def listed(x):
    return LISTED[0] + x

@stage("wrongly")
class Wrongly(ColumnStage):
    """Calls what numba can't compile."""
    what: str = "strange"
    def express(self, x, learned):
        return call(globals()[self.what], x)
'''


@pytest.fixture(scope="module")
def wrongly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plugin's file: a process knows one plugin of a name."""
    file = tmp_path_factory.mktemp("stages") / "wrongly.py"
    file.write_text(_WRONG)
    return file


_REFUSED = "can't be compiled by numba"


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("strange", f"strange {_REFUSED}: Unknown attribute 'foo' of type float64\n  {{file}}, line "),
        ("silent", f"silent {_REFUSED}: it gives none, and a number is expected\n  {{file}}, line "),
        ("listed", "listed reads LISTED, which is of type list: a kernel on disk wouldn't notice"),
    ],
)
def test_what_cannot_be_compiled_is_the_users_mistake(what: str, said: str, wrongly: Path) -> None:
    stages = {"w": {"use": "wrongly", "columns": ["a"], "what": what}}
    model = {"use": "xgboost", "columns": ["a"], "rounds": 1}
    more = {"target": {"value": "a > 1"}, "plugins": [str(wrongly.parent)]}
    stated, learned = (config_of(found, INPUTS, **more) for found in (stages, stages | {"model": model}))
    rows = pa.table({"a": [0.0, 1.0, 2.0, 3.0] * 9, "b": [1.0] * 36})
    for run in (lambda: build(stated).predict_one({"a": 1.0}), lambda: fit(learned, rows)):
        with pytest.raises(UserError) as caught:
            run()
        text = str(caught.value)
        assert text.startswith("stages.w: call: engine.plugins.wrongly." + said.format(file=wrongly)), text
        assert len(text) < 600


@numba.njit  # type: ignore[untyped-decorator]
def _part(x: float, y: float) -> float:
    return x / y


@numba.njit  # type: ignore[untyped-decorator]
def _parts(x: float, y: float) -> float:
    return _part(x, y) + _part(y, x)


def test_who_compiled_a_function_before_is_no_matter() -> None:
    with pytest.raises(ZeroDivisionError):
        _part(1.0, 0.0)
    x = Expr.input("x", Kind.NUMBER)
    (found,) = interpret([call(_parts, x, 2.0)], {("input", "x"): np.array([0.0, 1.0, -0.0])}, 3)
    np.testing.assert_array_equal(found, [math.inf, 2.5, -math.inf])


def _plain(x: float) -> float:
    return x


@numba.njit(fastmath=True)  # type: ignore[untyped-decorator]
def _fast(x: float) -> float:
    return x


@numba.njit  # type: ignore[untyped-decorator]
def _pair(x: float, y: float) -> float:
    return x + y


def test_functions_that_kernels_cannot_call() -> None:
    x = Expr.input("x", Kind.NUMBER)
    inner = numba.njit(lambda x: x)

    @numba.njit  # type: ignore[untyped-decorator]
    def local(x: float) -> float:
        return x

    for function, said in (
        (inner, "define it at the top level"),
        (local, "define it at the top level"),
        (_plain, r"isn't compiled: decorate it with numba\.njit"),
        (math.sqrt, r"takes a function compiled by numba\.njit, not builtin"),
        (_fast, "has fastmath or parallel"),
        (_pair, "is called with 1 numbers: missing a required argument: 'y'"),
    ):
        with pytest.raises(UserError, match=said):
            call(function, x)


_LIST, _DICT, _NONE = [1.0], {1.0: 2.0}, None
_OBJECTS = np.array([None])
_NAMED = namedtuple("_NAMED", "least most")(0.5, 4.0)
_TYPED = numba.typed.List([1.0])
_C = ctypes.CDLL(None).abs


def _holding(value: object) -> Callable[[float], float]:
    @numba.njit  # type: ignore[untyped-decorator]
    def held(x: float) -> float:
        return x if value is None else 1.0

    return held  # type: ignore[no-any-return]


_holds_none, _holds_list = _holding(None), _holding([1.0])


@numba.njit  # type: ignore[untyped-decorator]
def _reads_list(x: float) -> float:
    return x + _LIST[0]


@numba.njit  # type: ignore[untyped-decorator]
def _reads_dict(x: float) -> float:
    return x + _DICT[1.0]


@numba.njit  # type: ignore[untyped-decorator]
def _reads_objects(x: float) -> float:
    return x if _OBJECTS[0] is None else 1.0


@numba.njit  # type: ignore[untyped-decorator]
def _reads_typed(x: float) -> float:
    return x + _TYPED[0]


@numba.njit  # type: ignore[untyped-decorator]
def _reads_machine_code(x: float) -> float:
    return x + _C(-1)


@numba.njit  # type: ignore[untyped-decorator]
def _calls_fast(x: float) -> float:
    return _fast(x) + 1.0


@numba.njit  # type: ignore[untyped-decorator]
def _calls_holder(x: float) -> float:
    return _holds_list(x) + 1.0


@numba.njit  # type: ignore[untyped-decorator]
def _reads_what_can_be_followed(x: float) -> float:
    least = _NAMED.least + _NAMED[1] if _NONE is None else math.pi
    return np.sqrt(max(x, least)) + exp(_holds_none(x) * np.float64(0.0))


def test_what_a_function_reads_is_followed_or_refused() -> None:
    x = Expr.input("x", Kind.NUMBER)
    for function, read in (
        (_reads_list, "_reads_list reads _LIST, which is of type list"),
        (_reads_dict, "_reads_dict reads _DICT, which is of type dict"),
        (_reads_objects, "_reads_objects reads _OBJECTS, which is an array of objects"),
        (_reads_typed, "_reads_typed reads _TYPED, which is of type List"),
        (_reads_machine_code, "_reads_machine_code reads _C, which is of type _FuncPtr"),
        (_calls_fast, "_calls_fast calls _fast, which has fastmath or parallel"),
        (_calls_holder, "held reads value, which is of type list"),
    ):
        with pytest.raises(UserError, match=read):
            call(function, x)
    (found,) = interpret([call(_reads_what_can_be_followed, x)], {("input", "x"): np.array([1.0, 9.0])}, 2)
    np.testing.assert_array_equal(found, [math.sqrt(4.5) + 1.0, 4.0])


def test_tables() -> None:
    values = np.array([1.5, math.nan, -0.0, 4.0])
    x = Expr.input("x", Kind.NUMBER)
    places = np.array([0.0, 1.0, 2.0, 3.0, 4.0, -0.0, -0.5, -1.0, 1.7, math.nan, math.inf, -math.inf, 1e300])
    (found,) = interpret([table(values)[x]], {("input", "x"): places}, len(places))
    nan = math.nan
    expected = [1.5, nan, -0.0, 4.0, nan, 1.5, nan, nan, nan, nan, nan, nan, nan]
    np.testing.assert_array_equal(found, expected)
    assert repr(table(values)[x]) == "table(4)[x]"
    two = table([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    (found,) = interpret([two[x, 2 - x]], {("input", "x"): places}, len(places))
    np.testing.assert_array_equal(found[:5], [3.0, 5.0, nan, nan, nan])
    with pytest.raises(TypeError, match="takes 2 indices, not 1"):
        two[x]
    with pytest.raises(ValueError, match="one or two dimensions, not 3"):
        table(np.zeros((1, 1, 1)))


def test_tables_in_kernels() -> None:
    stages = {
        "one": {"use": "kind_grid", "columns": ["a"], "into": "one"},
        "two": {"use": "kind_grid", "columns": ["a", "b"], "cells": 3, "into": "two"},
        "other": {"use": "kind_grid", "columns": ["b"], "size": 0.25, "into": "other"},
    }
    rng = np.random.default_rng(1)
    rows = pa.table(
        {"a": np.concatenate([ODD, rng.random(50) * 5]), "b": np.concatenate([ODD, rng.random(50)])}
    )
    config = config_of(stages, INPUTS, target={"value": "a > 1"})
    pipeline = fit(config, rows.append_column("y", pa.nulls(60, pa.float64())))
    found = pipeline.predict_many(rows)
    plain = Pipeline(pipeline.plan, pipeline.learned, interpreted=True).predict_many(rows)
    assert [exact(found[name]) for name in stages] == [exact(plain[name]) for name in stages]
    ones = [pipeline.predict_one(row)["two"].hex() for row in rows.to_pylist()]
    assert ones == exact(found["two"])
    source = pipeline.explain(kernel=True)
    assert "cell1(numbers, t0" in source and "cell2(numbers, t0" in source
    assert "12.5" not in source.split("# kernel 0")[1]  # cells are arguments
