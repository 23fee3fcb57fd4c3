"""Facts of a saved model, and what is said of files that are none."""

from __future__ import annotations

import gzip
import json
import pickle
import subprocess
import sys

import numpy as np
import pytest
import xgboost
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import ModelError
from engine.forest import ubjson
from engine.forest.model import read_model
from tests.forest import models

EXPECTED = 'expected an XGBoost model saved by booster.save_model("model.ubj") or ("model.json")'


def said(data: bytes) -> str:
    with pytest.raises(ModelError) as caught:
        read_model(data, "m.ubj")
    return str(caught.value)


@pytest.mark.parametrize(
    ("kind", "n_outputs", "num_class", "n_targets", "n_trees"),
    [
        ("binary", 1, 0, 1, 8),
        ("softprob", 4, 4, 1, 32),
        ("two classes", 2, 2, 1, 16),
        ("softmax", 1, 4, 1, 32),
        ("regression", 1, 0, 1, 8),
        ("quantile", 3, 0, 3, 24),
        ("targets", 2, 0, 2, 16),
        ("vector leaves", 2, 0, 2, 8),
        ("forest", 1, 0, 1, 24),
        ("dart", 1, 0, 1, 8),
        ("zero", 1, 0, 1, 0),
    ],
)
def test_facts(kind: str, n_outputs: int, num_class: int, n_targets: int, n_trees: int) -> None:
    model = read_model(models.saved(kind), "m.ubj")
    assert (model.n_features, model.n_outputs) == (models.N_FEATURES, n_outputs)
    assert (model.num_class, model.n_targets, model.n_trees) == (num_class, n_targets, n_trees)
    assert model.objective == models.KINDS[kind]["objective"]
    assert model.booster == ("dart" if kind == "dart" else "gbtree")
    assert model.feature_names == () and not model.categorical
    assert model.alphas == ((0.1, 0.5, 0.9) if kind == "quantile" else ())


@pytest.mark.parametrize("kind", models.KINDS)
def test_used_features_are_those_that_xgboost_names(kind: str) -> None:
    booster = models.booster(kind).copy()
    booster.feature_names = list("abcdef")
    model = read_model(models.saved(kind), "m.ubj")
    names = {"abcdef"[number] for number in model.used}
    # A vector-leaf tree has no gain in older releases, so its text dump is what shows its features.
    dumped = {name for text in booster.get_dump() for name in "abcdef" if f"[{name}<" in text}
    assert names == dumped


def test_best_iteration_base_score_and_names() -> None:
    stopped = models.booster("stopped")
    assert read_model(models.saved("stopped"), "m.ubj").best_iteration == stopped.best_iteration
    assert read_model(models.saved("binary"), "m.ubj").best_iteration is None
    assert float(read_model(models.saved("zero"), "m.ubj").base_score.strip("[]")) == 0.5
    named = xgboost.train(
        {}, xgboost.DMatrix(models.data(50)[:, :2], np.arange(50.0), feature_names=["b", "ä"]), 1
    )
    assert read_model(bytes(named.save_raw("ubj")), "m.ubj").feature_names == ("b", "ä")


@pytest.mark.parametrize("kind", models.KINDS)
def test_json_and_ubjson_are_one_model(kind: str) -> None:
    as_json = read_model(bytes(models.booster(kind).save_raw("json")), "m.json")
    assert as_json == read_model(models.saved(kind), "m.ubj")


def test_an_indented_json_file_is_read() -> None:
    document = json.loads(models.booster("binary").save_raw("json"))
    data = ("\n " + json.dumps(document, indent=2)).encode()
    assert read_model(data, "m.json").objective == "binary:logistic"


def test_ubjson_is_read_without_importing_xgboost() -> None:
    program = (
        "import sys; from engine.forest.model import read_model;"
        "read_model(sys.stdin.buffer.read(), 'm'); print('xgboost' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], input=models.saved("binary"), capture_output=True, check=True
    )
    assert done.stdout.strip() == b"False"


# -- files that are no models


def test_an_empty_file() -> None:
    assert said(b"") == f"m.ubj is empty; {EXPECTED}"


def test_garbage() -> None:
    assert said(b"hello, world") == (f"m.ubj is no XGBoost model: it starts with b'hello, world'; {EXPECTED}")


@pytest.mark.parametrize(
    ("data", "hint"),
    [
        (
            pickle.dumps({"a": 1}),
            "it looks like a pickle, which can run any code; load it where it is trusted, then save it",
        ),
        (
            b"binf" + bytes(99),
            "it is XGBoost's old binary format; load it with XGBoost < 3.1 and save it again",
        ),
        (gzip.compress(b"x", mtime=0), "it is compressed by gzip; unpack it first"),
        (
            b"version https://git-lfs.github.com/spec/v1",
            "it is a Git LFS pointer, not the file itself; run `git lfs pull`",
        ),
        (b"tree\nversion=v4\n", "it looks like a LightGBM model"),
        (
            b"[\n  {",
            "it looks like booster.get_dump(format='json'), which can't be loaded again",
        ),
    ],
)
def test_known_beginnings_are_named(data: bytes, hint: str) -> None:
    assert said(data) == f"m.ubj is no XGBoost model: it starts with {data[:12]!r}; {EXPECTED}\n  {hint}"


def test_json_without_a_learner() -> None:
    assert said(b'{"a": 1}') == f"m.ubj is no XGBoost model: it has no 'learner', only ['a']; {EXPECTED}"


def test_a_memory_snapshot() -> None:
    data = bytes(models.booster("binary").__getstate__()["handle"])
    assert said(data) == (
        f"m.ubj holds a pickled booster's state, which only its own release reads; {EXPECTED}"
    )


def test_a_cut_file() -> None:
    data = models.saved("binary")[:3000]
    assert said(data) == (
        f"m.ubj is damaged or cut short: the file ends at byte 3,000 in the middle of a value; {EXPECTED}"
    )


def test_cut_json() -> None:
    assert said(bytes(models.booster("binary").save_raw("json"))[:3000]).startswith(
        "m.ubj is damaged or cut short JSON: "
    )
    assert said(b'{"a":' * 100_000).startswith("m.ubj is damaged or cut short JSON: ")


def test_something_behind_the_model() -> None:
    data = models.saved("binary")
    size = len(data)
    assert said(data + b"x") == (
        f"m.ubj is damaged or cut short: the document ends at byte {size:,} of {size + 1:,}; {EXPECTED}"
    )


def test_nesting_is_bounded() -> None:
    key = b"L" + (1).to_bytes(8, "big") + b"a"
    with pytest.raises(ubjson.UBJSONError, match="nested more than 64 deep"):
        ubjson.parse((b"{" + key) * 10_000)


def test_a_length_beyond_the_file() -> None:
    with pytest.raises(ubjson.UBJSONError, match="ends at byte"):
        ubjson.parse(b"[$d#L" + (2**62).to_bytes(8, "big"))
    with pytest.raises(ubjson.UBJSONError, match="in the middle of a value"):
        ubjson.parse(b"{L" + (-1).to_bytes(8, "big", signed=True))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda tree: tree["left_children"].append(1), "the arrays of tree 0 have different lengths"),
        (lambda tree: tree["left_children"].__setitem__(0, 10**6), "tree 0 has a child outside its "),
        (lambda tree: tree["split_indices"].__setitem__(0, 9), "tree 0 splits on feature 9, but there are 6"),
        (lambda tree: tree.pop("split_indices"), "'split_indices' is missing"),
    ],
)
def test_a_damaged_tree(change, reason: str) -> None:  # type: ignore[no-untyped-def]
    document = json.loads(models.booster("binary").save_raw("json"))
    change(document["learner"]["gradient_booster"]["model"]["trees"][0])
    assert said(json.dumps(document).encode()).startswith(f"m.ubj is no whole XGBoost model: {reason}")


@given(st.binary(max_size=200), st.sampled_from([b"", b"{L", b"{", b"\x80\x04"]))
@settings(max_examples=200, deadline=None)
def test_any_bytes_raise_one_kind_of_error(data: bytes, start: bytes) -> None:
    with pytest.raises(ModelError):
        read_model(start + data, "m.ubj")


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_any_cut_is_noticed_before_xgboost_sees_it(data: st.DataObject) -> None:
    whole = models.saved("softprob")
    end = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(ModelError):
        read_model(whole[:end], "m.ubj")
