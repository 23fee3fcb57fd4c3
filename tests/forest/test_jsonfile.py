"""Numbers of a JSON model are rounded once, as XGBoost rounds them."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.forest import jsonfile, oracle
from engine.forest.forest import read_document, read_forest
from engine.forest.jsonfile import single
from engine.forest.native import NativeScorer
from tests.forest import zoo


def test_decimals_are_rounded_once() -> None:
    text = "1.00000005960464477539062500000000001"
    assert float(text) == 1 + 2.0**-24 and np.float32(float(text)) == 1
    assert single(text) == np.float32(1 + 2.0**-23)
    assert single("-5E-1") == np.float32(-0.5) and np.isinf(single("1e99"))
    edge = "3.4028235677973366163753939545814256844"
    assert single(edge + "7e38") == np.finfo(np.float32).max and np.isinf(single(edge + "9e38"))


HALFWAY = (
    "1.00000005960464477539062500000000001", "1.00000005960464477539062499999999999",
    "-16777217.00000000000000000000000000001", "2.1019476964872256063855943e-45",
    "3.40282356779733661637539395458142568447e38",
)  # fmt: skip


@pytest.mark.parametrize("text", HALFWAY)
def test_thresholds_are_those_of_xgboost(text: str) -> None:
    def change(document: dict) -> None:
        for tree in document["learner"]["gradient_booster"]["model"]["trees"]:
            for node, left in enumerate(tree["left_children"]):
                if left != -1:
                    tree["split_conditions"][node] = "HERE"

    data = zoo.edited("squared error", change).replace(b'"HERE"', text.encode())
    forest = read_forest(read_document(data, "m"), "m", zoo.RELEASE)
    near = np.float32(float(text)) if abs(float(text)) < 3.4e38 else np.finfo(np.float32).max
    with np.errstate(over="ignore"):
        beside = [np.nextafter(near, np.float32(side)) for side in (-np.inf, np.inf)]
    values = [near, *beside, np.inf]
    x = np.random.default_rng(0).choice(np.array(values, np.float32), (300, zoo.N_FEATURES))
    assert zoo.bits(NativeScorer(forest).many(x)) == zoo.bits(oracle.predict(data, x))


@given(st.integers(0, 2**31 - 2**23 - 2), st.sampled_from(["", "1", "0" * 25 + "1"]))
@settings(max_examples=200, deadline=None)
def test_the_middle_of_two_numbers_and_a_bit_more(pattern: int, more: str) -> None:
    low, high = (np.array([pattern + i], np.int32).view(np.float32)[0] for i in range(2))
    middle = (Fraction(float(low)) + Fraction(float(high))) / 2
    digits = f"{float(middle):.17e}".split("e")
    text = f"{digits[0]}{more}e{digits[1]}"
    document = jsonfile.parse(f'{{"trees": [{{"split_conditions": [{text}]}}]}}'.encode())
    exact = Fraction(text)
    wanted = low if exact < middle else high
    if exact == middle:
        wanted = low if pattern % 2 == 0 else high
    found = np.float32(document["trees"][0]["split_conditions"][0])
    assert found == wanted
