"""Random pipelines over the built-in stages, and random tables for them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

NUMBERS = ("a", "b", "c", "d")
CATEGORIES = ("k", "m")
TEXTS = ("red", "green", "blue", "", "ünï", "a b", "x,y")
INPUTS = dict.fromkeys(NUMBERS, "number") | dict.fromkeys(CATEGORIES, "category") | {"t": "timestamp"}
INPUTS |= {"u": "timestamp", "w": "text"}


def training_table(seed: int, rows: int = 300) -> pa.Table:
    """Numbers with gaps, categories with nulls, timestamps on both sides of 1970, a target that follows."""
    rng = np.random.default_rng([seed, 7])
    columns: dict[str, Any] = {}
    for name in NUMBERS:
        values = rng.normal(size=rows) * 10.0 ** rng.integers(-2, 3)
        columns[name] = pa.array(values, mask=rng.random(rows) < 0.1)
    for name in CATEGORIES:
        values = rng.choice(np.array(TEXTS[:5], object), rows)
        columns[name] = pa.array(values, pa.string(), mask=rng.random(rows) < 0.1)
    moments = rng.integers(-(10**15), 2 * 10**15, rows)
    columns["t"] = pa.array(moments, pa.timestamp("us", "UTC"), mask=rng.random(rows) < 0.1)
    own = np.random.default_rng([seed, 11])
    columns["u"] = pa.array(moments + own.integers(-(10**12), 10**12, rows), pa.timestamp("us", "UTC"))
    words = own.choice(np.array([*TEXTS, "a\0b", "e\u0301", "👩‍🚀"], object), rows)
    columns["w"] = pa.array(words, pa.string(), mask=own.random(rows) < 0.1)
    noise = rng.normal(size=rows)
    signal = np.nan_to_num(columns["a"].to_numpy(zero_copy_only=False)) / 10 + noise
    columns["y"] = pa.array(signal)
    columns["y_class"] = pa.array(np.array(["low", "middle", "high"])[np.digitize(signal, [-0.5, 0.5])])
    return pa.table(columns)


def pipelines(rng: np.random.Generator) -> dict[str, Any]:
    """The config of a random pipeline: some preparing stages, mostly a model, mostly decisions."""

    def some(names: tuple[str, ...], least: int = 1) -> list[str]:
        return sorted(rng.choice(names, rng.integers(least, len(names) + 1), replace=False).tolist())

    expressions = (
        "a + b * c - d / (a + 1)",
        "where(isnan(a) or b < 0, c, min(a, b, 2))",
        "max(abs(a), sqrt(abs(b))) + floor(c)",
        "exp(clip(a, -3, 3)) - log1p(abs(b)) * log(abs(c) + 1)",
        "k == 'red' and not (m != 'green')",
        "1 / a + 1 / b",
        "a >= b or c == d",
        "where(k == 'blue', a, -b) * 2",
    )
    parts = (
        "year",
        "quarter",
        "month",
        "week",
        "day",
        "weekday",
        "hour",
        "minute",
        "day_of_year",
        "is_weekend",
    )
    impute, scale = ("mean", "median", "most_frequent"), ("standard", "minmax", "robust", "maxabs")
    choices: list[dict[str, Any]] = [
        {"use": "impute", "columns": some(NUMBERS), "strategy": str(rng.choice(impute))},
        {"use": "impute", "columns": some(NUMBERS), "value": float(rng.normal())},
        {"use": "scale", "columns": some(NUMBERS), "strategy": str(rng.choice(scale))},
        {"use": "clip", "columns": some(NUMBERS), "lo": -2.5, "hi": float(rng.integers(3, 60))},
        {"use": "clip", "columns": some(NUMBERS), "lo": "-inf", "hi": 1.25},
        {"use": "log1p", "columns": some(NUMBERS)},
        {"use": "expr", "value": str(rng.choice(expressions))},
        {"use": "expr", "value": str(rng.choice(expressions))},
        {"use": "missing_flag", "columns": [str(rng.choice([*NUMBERS, *CATEGORIES, "t"]))]},
        {"use": "onehot", "columns": some(CATEGORIES), "min_count": int(rng.integers(1, 30))},
        {"use": "calendar", "columns": ["t"], "parts": some(parts)},
        {"use": "label", "columns": ["flag"], "labels": ["no", "yes"]},
        {"use": "label", "columns": ["flag"], "labels": ["same", "same"]},
        {"use": "impute", "columns": some(NUMBERS), "value": -0.0},
        *_more_numbers(rng, some),
    ]
    picked = rng.choice(len(choices), rng.integers(2, 7), replace=False)
    stages: dict[str, Any] = {"flag": {"use": "expr", "value": "a > b"}}
    for i in picked:
        spec = choices[i]
        stages[f"s{i}"] = spec | ({"into": f"made{i}"} if spec["use"] in ("expr", "label") else {})
    if rng.random() < 0.5:
        unknown = float(rng.choice([-1.0, -0.0, 0.0]))
        stages["codes"] = {"use": "ordinal", "columns": ["k"], "into": "k_code", "unknown": unknown}
        # a zero's sign is hidden everywhere but here
        stages["inverse"] = {"use": "expr", "value": "1 / k_code", "into": "k_inverse"}
    config: dict[str, Any] = {
        "name": "random",
        "inputs": dict(INPUTS),
        "stages": stages,
        "split": {"kind": "random", "valid": 0.2, "test": 0.2},
        "keep": [],
        "golden": 8,
    }
    model = rng.random()
    stages |= _category_stages(rng, boolean=model < 0.7)
    config["target"] = {"value": "y > 0"} if model < 0.7 else {"column": "y"}
    if model < 0.9:
        config["keep"] = ["b"] if rng.random() < 0.3 else []
        # a logarithm may give -inf in training, which XGBoost does not learn from
        stages["bound"] = {"use": "clip", "columns": ["numbers"], "lo": -1e30, "hi": 1e30}
        stages["model"] = {"use": "xgboost", "rounds": 4, "params": {"max_depth": 3}}
        stages["decide"] = {"use": "threshold", "columns": ["score"], "at": 0.4, "into": "hit"}
        stages["verdict"] = {"use": "label", "columns": ["hit"], "labels": ["low", "high"], "into": "said"}
        stages["after"] = {"use": "expr", "value": "score * 2 + where(isnan(a), 0, a)", "into": "mix"}
    kinds = _other_kinds(rng, model < 0.9)
    config["stages"] = stages = {"flag": stages.pop("flag"), **_texts_and_times(rng), **stages}
    if kinds:
        front = {label: spec for label, spec in kinds.items() if not label.startswith("late")}
        late = {label: spec for label, spec in kinds.items() if label.startswith("late")}
        config["stages"] = {"flag": stages.pop("flag"), **front, **stages, **late}
        config["plugins"] = [KINDS]
    if model < 0.9:
        _decide(rng, config)
        if rng.random() < 0.4:
            stages["model"]["columns"] = ["numbers", "k", "m"]
            stages["model"] |= {"explain": {"top": 2}} if rng.random() < 0.5 else {}
    config["stages"] = {"flag": config["stages"].pop("flag"), **_rules(rng), **config["stages"]}
    if rng.random() < 0.2:
        config["stages"]["rule_flag"] = {"use": "require", "columns": ["flag"], "allowed": [False]}
    return config


def _more_numbers(rng: np.random.Generator, some: Any) -> list[dict[str, Any]]:
    """Stages that search among what they learned, or raise to learned powers."""
    bins = ("quantile", "uniform")
    return [
        {"use": "scale", "columns": some(NUMBERS), "strategy": "minmax", "feature_range": [-1.0, 1.0]},
        {
            "use": "clip",
            "columns": some(NUMBERS),
            "quantiles": [None, 0.9] if rng.random() < 0.5 else [0.1, 0.8],
        },
        {
            "use": "bin",
            "columns": some(NUMBERS),
            "n_bins": int(rng.integers(2, 40)),
            "strategy": str(rng.choice(bins)),
        },
        {"use": "bin", "columns": some(NUMBERS), "edges": [-1.0, -0.0, 2.5]},
        {"use": "power", "columns": some(NUMBERS), "standardize": bool(rng.random() < 0.5)},
        {"use": "cyclic", "columns": [str(rng.choice(NUMBERS))], "period": 24.0},
        {"use": "quantile_transform", "columns": some(NUMBERS), "n_quantiles": int(rng.integers(1, 200))},
        {"use": "quantile_transform", "columns": some(NUMBERS), "output_distribution": "normal"},
    ]


def _category_stages(rng: np.random.Generator, *, boolean: bool) -> dict[str, Any]:
    """Stages that learn from categories, behind those that read the raw ones; some on a made category."""
    made: dict[str, Any] = {}
    if rng.random() < 0.4:
        made["rare"] = {
            "use": "rare",
            "columns": ["k"],
            "replace_with": str(rng.choice(["rare", "red"])),
            "tol": float(rng.choice([0.0, 0.15, 0.19, 0.9])),
            "max_categories": int(rng.integers(1, 5)),
        }
    unknown, missing = ("zero", "missing"), ("missing", "category")
    options = {"unknown": str(rng.choice(unknown)), "missing": str(rng.choice(missing))}
    smooth = "auto" if rng.random() < 0.5 else float(rng.choice([0.0, 3.5]))
    choices: dict[str, dict[str, Any]] = {
        "target": {"use": "target_encode", "columns": ["k", "m"], "smooth": smooth},
        "often": {"use": "count_encode", "columns": ["k"], "into": "k_often", **options},
        "share": {"use": "count_encode", "columns": ["m"], "into": "m_share", "method": "frequency"},
        "grouped": {"use": "rare", "columns": ["m"], "into": "m_group", "tol": 0.0, "max_categories": 3},
        "others": {
            "use": "onehot", "columns": ["m_group"], "max_categories": 2, "unknown": "other", "drop": True,
        },
        "place": {
            "use": "ordinal", "columns": ["k"], "into": "k_place", "missing": float(rng.choice([-2.0, -0.0])),
        },
        "two": {"use": "expr", "value": "where(k == 'rare', 1, k_target) / m_target", "into": "ratio"},
    }  # fmt: skip
    if boolean:
        choices["evidence"] = {
            "use": "woe", "columns": ["k"], "into": "k_evidence", "regularization": 0.5, **options,
        }  # fmt: skip
    made |= {label: spec for label, spec in choices.items() if rng.random() < 0.35}
    if "target" not in made:
        made.pop("two", None)
    if "grouped" not in made:
        made.pop("others", None)
    return made


def _texts_and_times(rng: np.random.Generator) -> dict[str, Any]:
    """Stages that read texts themselves and two timestamps at once, each in some of the pipelines."""
    units = ("seconds", "minutes", "hours", "days")
    column = str(rng.choice(["k", "w"]))
    choices: dict[str, dict[str, Any]] = {
        "between": {"use": "elapsed", "columns": ["t", "u"], "unit": str(rng.choice(units))},
        "since": {"use": "elapsed", "columns": ["u"], "since": "1969-12-31T23:59:59.5Z", "unit": "days"},
        "lengths": {"use": "text_length", "columns": ["k", "w"]},
        "has": {
            "use": "contains",
            "columns": [column],
            "pattern": "E",
            "ignore_case": bool(rng.random() < 0.7),
        },
        "matches": {"use": "contains", "columns": ["w"], "pattern": "^.?[a-r]", "regex": True},
        "bucket": {"use": "hash_encode", "columns": ["w", "m"], "buckets": 7, "seed": int(rng.integers(9))},
    }
    return {label: spec for label, spec in choices.items() if rng.random() < 0.25}


def _rules(rng: np.random.Generator) -> dict[str, Any]:
    """Rules that values are to keep, in front of all else; most rows of `training_table` keep them."""
    choices: dict[str, dict[str, Any]] = {
        "rule_range": {"columns": ["c", "d"], "min": -250, "max": float(rng.integers(200, 400))},
        "rule_there": {"columns": ["k", "t"], "not_null": True},
        "rule_known": {"columns": ["k", "m", "w"], "allowed": [*TEXTS, "e\u0301", "👩‍🚀"]},
        "rule_spelt": {"columns": ["w", "m"], "pattern": "(?i)[a-z ]*|.{2,9}"},
        "rule_time": {"columns": ["t", "u"], "min": "1941-06-01T12:00:00.5Z", "max": "2040-01-01"},
    }
    return {label: {"use": "require", **spec} for label, spec in choices.items() if rng.random() < 0.2}


def _decide(rng: np.random.Generator, config: dict[str, Any]) -> None:
    """Decisions on the model's scores, behind all else."""
    classes = rng.random() < 0.25
    method = str(rng.choice(["platt", "isotonic"]))
    calibrate = {"use": "calibrate", "columns": ["score"], "method": method, "into": "sure"}
    edges = np.sort(rng.random(int(rng.integers(1, 6)))).tolist()
    names = [f"band {i}" for i in range(len(edges) + 1)]
    choices: dict[str, dict[str, Any]] = {
        "bands": {"use": "bands", "columns": ["score"], "edges": edges, "names": names, "into": "band"},
        "b_bands": {"use": "bands", "columns": ["b"], "edges": [-1.5, 0, 2], "names": ["a", "b", "a", ""]},
        "greatest": {"use": "label", "columns": ["score", "b"], "labels": ["model", "b"], "into": "wins"},
    }
    if "target" in config and "value" in config["target"]:
        choices["calibrate"] = calibrate
    picked = {label: spec for label, spec in choices.items() if rng.random() < 0.4}
    if "calibrate" in picked:
        picked["odds"] = {"use": "expr", "value": "sure / (1 - sure) + where(isnan(a), 0, a)"}
    if classes and not config.get("plugins"):  # others read the one score by its name
        config["target"] = {"column": "y_class"}
        config["stages"] = {
            label: spec
            for label, spec in config["stages"].items()
            if label not in ("decide", "verdict", "after")
        }
        picked = {
            "calibrate": {"use": "calibrate", "columns": ["score_*"], "method": method},
            "best": {"use": "label", "columns": ["calibrated_*"], "prefix": "calibrated_"},
            "gap": {"use": "expr", "value": "calibrated_high - score_low"},
        }
    config["stages"] |= picked


KINDS = str(Path(__file__).parent / "kinds" / "stages")
"""Stages of the kinds that no built-in stage is of."""


def _other_kinds(rng: np.random.Generator, scored: bool) -> dict[str, Any]:
    """Filters, stages that compute with NumPy, loops and tables, each in some of the pipelines."""
    choices: dict[str, dict[str, Any]] = {
        "guard": {"use": "refuse_beyond", "columns": ["a", "c"], "share": 0.9},
        "text": {"use": "refuse_text", "columns": ["k"], "text": "x,y"},
        "spread": {"use": "kind_spread", "columns": ["a", "b"], "center": bool(rng.random() < 0.5)},
        "turns": {"use": "kind_turns", "columns": ["a", "d"], "into": "turned"},
        "grid": {"use": "kind_grid", "columns": ["b"], "size": 0.5, "into": "cell"},
        "grid_of_two": {
            "use": "kind_grid",
            "columns": ["a", "c"],
            "size": 2.0,
            "cells": 3,
            "into": "cell_of_two",
        },
        "late_spread": {"use": "kind_spread", "columns": ["b", "d"], "prefix": "late"},
        "late_flag": {"use": "expr", "value": "late_middle > row_middle", "into": "wide"},
    }
    if scored:
        choices["late_score"] = {"use": "kind_spread", "columns": ["score", "a"], "prefix": "end"}
        choices["late_guard"] = {"use": "refuse_beyond", "columns": ["end_middle"], "bound": 3.0}
    picked = {label: spec for label, spec in choices.items() if rng.random() < 0.35}
    if not {"spread", "late_spread"} <= picked.keys():
        picked.pop("late_flag", None)
    if "late_score" not in picked:
        picked.pop("late_guard", None)
    return picked


finite = st.floats(allow_nan=False, allow_infinity=False, width=64)
number = st.one_of(
    st.none(),
    st.floats(width=64),
    st.sampled_from([0.0, -0.0, float("inf"), float("-inf"), float("nan"), 5e-324, 2.0**53 + 2, 1.0, -1.0]),
    st.integers(-5, 5).map(float),
)
moment = st.one_of(
    st.none(),
    st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)).map(lambda d: d.replace(tzinfo=UTC)),
    st.integers(-5, 5).map(lambda us: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)),
)


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    """Tables of up to 12 rows: number types, layouts of text and units of time as they come."""
    rows = draw(st.integers(0, 12))

    def column(values: st.SearchStrategy[Any], dtype: pa.DataType) -> pa.Array:
        return pa.array(draw(st.lists(values, min_size=rows, max_size=rows)), dtype)

    columns: dict[str, pa.Array] = {}
    for name in NUMBERS:
        kind = draw(
            st.sampled_from(
                ["float64", "float32", "int64", "int8", "uint64", "bool", "decimal", "bool8", "runs"]
            )
        )
        if kind == "float64":
            columns[name] = column(number, pa.float64())
        elif kind == "float32":
            columns[name] = column(st.one_of(st.none(), st.floats(width=32)), pa.float32())
        elif kind == "bool":
            columns[name] = column(st.one_of(st.none(), st.booleans()), pa.bool_())
        elif kind == "decimal":
            values = st.decimals(-(10**6), 10**6, places=4, allow_nan=False, allow_infinity=False)
            columns[name] = column(st.one_of(st.none(), values.map(Decimal)), pa.decimal128(20, 4))
        elif kind == "bool8":
            stored = column(st.one_of(st.none(), st.integers(-128, 127)), pa.int8())
            columns[name] = pa.ExtensionArray.from_storage(pa.bool8(), stored)
        elif kind == "runs":
            columns[name] = run_ends(column(number, pa.float64()))
        else:
            low, high = {"int64": (-(2**63), 2**63 - 1), "int8": (-128, 127), "uint64": (0, 2**64 - 1)}[kind]
            columns[name] = column(st.one_of(st.none(), st.integers(low, high)), getattr(pa, kind)())
    texts = st.one_of(st.none(), st.sampled_from([*TEXTS, "never seen"]), st.text(max_size=3))
    for name in CATEGORIES:
        values = column(texts, pa.string())
        columns[name] = draw(st.sampled_from(TEXT_LAYOUTS))(values)
    words = st.one_of(texts, st.sampled_from(["a\0b", "e\u0301", "👩‍🚀", "long " * 99]))
    columns["w"] = draw(st.sampled_from(TEXT_LAYOUTS))(column(words, pa.string()))
    columns["u"] = column(moment, pa.timestamp("us", "UTC"))
    unit = draw(st.sampled_from(["us", "us", "ms", "s", "date32", "date64"]))
    if unit.startswith("date"):
        # milliseconds that are no midnight: the date is what counts
        days = column(st.one_of(st.none(), st.integers(-(2**45), 2**45)), pa.int64()).view(pa.date64())
        columns["t"] = days.cast(pa.date32(), safe=False) if unit == "date32" else days
    else:
        columns["t"] = column(moment, pa.timestamp("us", "UTC")).cast(pa.timestamp(unit, "UTC"), safe=False)
    return pa.table({name: draw(st.sampled_from(PLACES))(array) for name, array in columns.items()})


def run_ends(values: pa.Array) -> pa.Array:
    """Run-end encoded, each run of one value."""
    return pa.RunEndEncodedArray.from_arrays(pa.array(range(1, len(values) + 1), pa.int32()), values)


def dictionary(values: pa.Array, dtype: pa.DataType) -> pa.Array:
    """A dictionary of this type of text, which Arrow can't always make itself."""
    encoded = values.dictionary_encode()
    return pa.DictionaryArray.from_arrays(encoded.indices, encoded.dictionary.cast(dtype))


def offset(values: pa.Array) -> pa.Array:
    """The same values in the middle of a longer array."""
    return pa.concat_arrays([values, values, values]).slice(len(values), len(values))


def chunked(values: pa.Array) -> pa.ChunkedArray:
    """The same values in two chunks; those of a dictionary have their own, in another order."""
    half = len(values) // 2
    parts = [values.slice(0, half), values.slice(half)]
    if pa.types.is_dictionary(values.type):
        texts = values.dictionary.cast(pa.string())
        turned = texts.take(pa.array(range(len(texts) - 1, -1, -1), pa.int64())).cast(texts.type)
        flipped = pa.array([None if i is None else len(texts) - 1 - i for i in parts[1].indices.to_pylist()])
        parts[1] = pa.DictionaryArray.from_arrays(
            flipped.cast(values.type.index_type), turned.cast(values.type.value_type)
        )
    return pa.chunked_array(parts, values.type)


TEXT_LAYOUTS = (
    lambda values: values,
    lambda values: values.cast(pa.large_string()),
    lambda values: values.cast(pa.string_view()),
    lambda values: dictionary(values, pa.string()),
    lambda values: dictionary(values, pa.large_string()),
    lambda values: dictionary(values, pa.string_view()),
    lambda values: pa.ExtensionArray.from_storage(pa.json_(), values),
    lambda values: run_ends(values.cast(pa.string_view())),
    lambda values: run_ends(dictionary(values, pa.string())),
)
PLACES = (lambda values: values, lambda values: values, offset, chunked)
