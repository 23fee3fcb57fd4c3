"""The native scorer's answers are XGBoost's, to the bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engine.errors import ModelError
from engine.forest import oracle
from engine.forest.forest import read_document, read_forest
from engine.forest.native import NativeScorer
from engine.jit.cache import compile_kernel
from tests.forest import zoo

GREATEST = float(np.finfo(np.float32).max)
SIZES = (0, 1, 2, 63, 64, 65, 511, 512, 513, 1000, 4097)


def native(kind: str) -> NativeScorer:
    return NativeScorer(zoo.forest(kind), kind)


@pytest.fixture(params=zoo.MODELS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_blocks_of_every_size(kind: str) -> None:
    x = np.concatenate([zoo.features(2048, 3, zoo.is_categorical(kind)), zoo.hard_rows(kind, 2049)])
    wanted = zoo.expected(kind, x)
    scorer = native(kind)
    for size in SIZES:
        found = scorer.many(x[-size:] if size else x[:0])
        assert found.shape == (size, scorer.n_outputs) and found.dtype == np.float32
        assert zoo.bits(found) == zoo.bits(wanted[len(x) - size :]), size


def test_single_rows(kind: str) -> None:
    x = np.concatenate([zoo.features(200, 4, zoo.is_categorical(kind)), zoo.hard_rows(kind, 300, seed=1)])
    assert zoo.bits(zoo.one_by_one(native(kind), x)) == zoo.bits(zoo.expected(kind, x))


def test_json_is_the_same_forest(kind: str) -> None:
    x = zoo.hard_rows(kind, 100)
    forest = read_forest(read_document(zoo.saved(kind, "json"), kind), kind, zoo.RELEASE)
    assert zoo.bits(NativeScorer(forest).many(x)) == zoo.bits(native(kind).many(x))


def test_threads_and_chunks_change_nothing(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.forest.native._WORTH_A_THREAD", 1)
    x = zoo.hard_rows(kind, 2500, seed=2)
    scorer = native(kind)
    whole = scorer.many(x)
    for threads in (2, 3):
        assert zoo.bits(scorer.many(x, threads)) == zoo.bits(whole)
    parts = [scorer.many(x[start : start + 333]) for start in range(0, 2500, 333)]
    assert zoo.bits(np.concatenate(parts)) == zoo.bits(whole)


def test_unused_features_change_nothing(kind: str) -> None:
    x = zoo.features(200, 6, zoo.is_categorical(kind))
    scorer = native(kind)
    changed = x.copy()
    changed[:, [i for i in range(zoo.N_FEATURES) if i not in scorer.used]] = np.nan
    assert zoo.bits(scorer.many(changed)) == zoo.bits(scorer.many(x))


values = st.one_of(
    st.floats(width=32),
    st.floats(-2, 2, width=32),
    st.integers(-2, zoo.CATEGORIES + 2).map(float),
    st.sampled_from([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45, -1e-45, GREATEST, -GREATEST, 2.0**24]),
)
blocks = st.integers(1, 130).flatmap(
    lambda n: arrays(np.float32, (n, zoo.N_FEATURES), elements=values, fill=st.just(np.float32("nan")))
)
SOME = ("binary", "softprob", "1024 bins", "deep lossguide", "partitions", "vector leaves", "deep")


@pytest.mark.parametrize("some", SOME)
@given(x=blocks)
@settings(max_examples=25, deadline=None)
def test_any_values(some: str, x: np.ndarray) -> None:
    scorer = native(some)
    wanted = zoo.bits(zoo.expected(some, x))
    assert zoo.bits(scorer.many(x)) == wanted
    assert zoo.bits(zoo.one_by_one(scorer, x)) == wanted


def test_hand_edited_thresholds() -> None:
    odd = [np.inf, -np.inf, np.nan, 0.0, -0.0, 1e-45, -1e-45, 0.5, GREATEST, -GREATEST]

    def change(document: dict) -> None:
        model = document["learner"]["gradient_booster"]["model"]
        number = 0
        for tree in model["trees"]:
            for node, left in enumerate(tree["left_children"]):
                if left != -1:
                    tree["split_conditions"][node] = odd[number % len(odd)]
                    tree["default_left"][node] = (number // 3) % 2
                    number += 1

    # JSON as XGBoost writes it knows Infinity, not 1e999.
    data = zoo.edited("binary", change)
    forest = read_forest(read_document(data, "odd"), "odd", zoo.RELEASE)
    rng = np.random.default_rng(0)
    x = rng.choice(np.array([*odd, 1.0, -1.0, 0.49999997, 2e-45], np.float32), (1500, zoo.N_FEATURES))
    wanted = oracle.predict(data, x)
    assert zoo.bits(NativeScorer(forest).many(x)) == zoo.bits(wanted)
    assert zoo.bits(zoo.one_by_one(NativeScorer(forest), x)) == zoo.bits(wanted)


def test_another_number_of_features_is_refused() -> None:
    scorer = NativeScorer(zoo.forest("binary"), "model.ubj")
    with pytest.raises(ModelError, match=r"model\.ubj takes 6 features"):
        scorer.many(np.zeros((2, 5), np.float32))
    with pytest.raises(ModelError, match=r"model\.ubj takes 6 features"):
        scorer.one(np.zeros(5, np.float32), np.zeros(1, np.float32))


def test_compiled_code_scores_a_row_by_address() -> None:
    source = (
        "from engine.jit.lowlevel import call\n\n\n"
        "def kernel(rows, features, scores, address, model, width):\n"
        "    for i in range(rows):\n"
        "        call(address, features + 4 * width * i, scores + 4 * i, model, 0, 0, 0)\n"
    )
    scorer, x = native("binary"), zoo.hard_rows("binary", 50)
    found = np.empty((50, 1), np.float32)
    compile_kernel(source)(
        50, x.ctypes.data, found.ctypes.data, scorer.row_address, scorer.row_model, zoo.N_FEATURES
    )
    assert zoo.bits(found) == zoo.bits(zoo.expected("binary", x))
