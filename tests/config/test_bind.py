"""Binding: plain values to typed options."""

import json
import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.bind import Place, bind
from engine.config.convert import Misfit, convert, plain
from engine.errors import ConfigError
from engine.registry import Registry
from engine.stage import ColumnStage, option, stage

PLACE = Place(
    "stages.squeeze",
    "clip",
    lambda key: "command line",
    "stage built in: plugins/clip.py",
    keys=("use", "columns"),
    first=("columns (required)",),
)


def mistakes(cls: type[Any], given: dict[Any, Any], place: Place = PLACE) -> str:
    bound = bind(cls, given, place)
    assert bound.value is None
    return str(ConfigError(bound.mistakes))


@stage("every")
class Every(ColumnStage):
    """A stage with an option of every sort."""

    at: float = option(ge=0, lt=1)
    rounds: int = option(10, gt=0)
    strategy: Literal["mean", "median"] = "mean"
    unknown: str = "other"
    cuts: list[float] = option([], ge=0)
    codes: dict[str, int] = field(default_factory=dict)
    value: float | str | None = None
    drop_first: bool = False
    policy: str = option("null", choices=["null", "fail"])
    params: dict[str, Any] = field(default_factory=dict)


ANYWHERE = Place("stages.x", "every", lambda key: "conf/pipeline/p.yaml")


# -- messages


def test_unknown_option() -> None:
    assert mistakes(Registry().load("clip"), {"hgh": 1}) == (
        "stages.squeeze.hgh: 'clip' has no option 'hgh'. Did you mean 'hi'?\n"
        "  options: columns (required), lo: float = -inf, hi: float = inf, "
        "quantiles: list[float | None] | None = null\n"
        "  set by: command line        stage built in: plugins/clip.py"
    )


def test_a_common_key_may_have_been_meant() -> None:
    assert "'clip' has no option 'colums'. Did you mean 'columns'?" in mistakes(
        Registry().load("clip"), {"colums": ["x"]}
    )


def test_wrong_type() -> None:
    assert mistakes(Registry().load("clip"), {"hi": "high"}) == (
        "stages.squeeze.hi: 'hi' of 'clip' must be a number, not the text 'high'\n"
        "  options: columns (required), lo: float = -inf, hi: float = inf, "
        "quantiles: list[float | None] | None = null\n"
        "  set by: command line        stage built in: plugins/clip.py"
    )


def test_every_mistake_is_told() -> None:
    given = {"rounds": 0, "strategy": "medain", "cuts": [1, -2, 3, -4], "roundz": 3, "drop_first": 1}
    options = (
        "  options: at: float (required), rounds: int = 10, strategy: 'mean' | 'median' = 'mean', "
        "unknown: str = 'other', cuts: list[float] = [], codes: dict[str, int] = {}, "
        "value: float | str | None = null, drop_first: bool = false, policy: 'null' | 'fail' = 'null', "
        "params: dict[str, Any] = {}\n  set by: conf/pipeline/p.yaml"
    )
    told = [
        "stages.x.roundz: 'every' has no option 'roundz'. Did you mean 'rounds'?",
        "stages.x.at: 'every' needs the option 'at'",
        "stages.x.rounds: 'rounds' of 'every' must be above 0, not 0",
        "stages.x.strategy: 'strategy' of 'every' must be one of 'mean', 'median', not 'medain'. "
        "Did you mean 'median'?",
        "stages.x.cuts[1]: 'cuts' of 'every' must be at least 0, not -2",
        "stages.x.cuts[3]: 'cuts' of 'every' must be at least 0, not -4",
        "stages.x.drop_first: 'drop_first' of 'every' must be true or false, not the number 1",
    ]
    assert mistakes(Every, given, ANYWHERE) == (
        "7 mistakes in the config:\n\n" + "\n\n".join(f"{one}\n{options}" for one in told)
    )


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("at", 1, "'at' of 'every' must be at least 0 and below 1, not 1"),
        ("at", math.nan, "'at' of 'every' must be at least 0 and below 1, not nan"),
        ("at", True, "'at' of 'every' must be a number, not the boolean true"),
        ("at", "0.5", "'at' of 'every' must be a number, not the text '0.5'"),
        ("at", None, "'at' of 'every' must be a number, not null"),
        ("rounds", 2.5, "'rounds' of 'every' must be a whole number, not 2.5"),
        ("rounds", [3], "'rounds' of 'every' must be a whole number, not a list"),
        (
            "unknown",
            False,
            "'unknown' of 'every' must be text, not the boolean false. "
            'YAML reads NO, no, off and false so; quote it: "NO"',
        ),
        (
            "unknown",
            10,
            "'unknown' of 'every' must be text, not the number 10. YAML reads 012 so too; quote it: \"10\"",
        ),
        (
            "strategy",
            False,
            "'strategy' of 'every' must be one of 'mean', 'median', not false. "
            'YAML reads NO, no, off and false so; quote it: "NO"',
        ),
        (
            "policy",
            "fall",
            "'policy' of 'every' must be one of 'null', 'fail', not 'fall'. Did you mean 'fail'?",
        ),
        ("cuts", 3, "'cuts' of 'every' must be a list, not the number 3; write [3]"),
        ("codes", [1], "'codes' of 'every' must be a mapping, not a list"),
        ("value", [1], "'value' of 'every' must be float | str | None, not a list"),
        (
            "value",
            math.inf,
            "'value' of 'every' can't be inf: in a bundle it couldn't be told from the text 'inf'",
        ),
    ],
)
def test_message(option: str, value: Any, message: str) -> None:
    bound = bind(Every, {"at": 0.5, option: value}, ANYWHERE)
    assert [mistake.message for mistake in bound.mistakes] == [message]


def test_a_misfit_deep_inside_says_where() -> None:
    bound = bind(Every, {"at": 0.5, "codes": {"a": 1, "b": "x"}, "cuts": [0, "y"]}, ANYWHERE)
    assert [mistake.where for mistake in bound.mistakes] == ["stages.x.cuts[1]", "stages.x.codes.b"]


def test_keys_that_yaml_changed() -> None:
    (mistake,) = bind(Every, {"at": 0.5, "codes": {False: 1}}, ANYWHERE).mistakes
    assert mistake.message == (
        "'codes' of 'every' has a key that must be text, not the boolean false. "
        'YAML reads NO, no, off and false so; quote it: "NO"'
    )


def test_what_the_class_refuses_is_a_mistake() -> None:
    @dataclass(frozen=True)
    class Refusing:
        x: int = 0

        def __post_init__(self) -> None:
            raise ValueError("x and y don't go together")

    (mistake,) = bind(Refusing, {"x": 1}, ANYWHERE).mistakes
    assert (mistake.where, mistake.message) == ("stages.x", "x and y don't go together")


# -- conversion


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


@pytest.mark.parametrize(
    ("value", "kind", "result"),
    [
        (3, float, 3.0),
        (3.0, int, 3),
        ("inf", float, math.inf),
        ("-inf", float, -math.inf),
        (".inf", float, math.inf),
        ("-.INF", float, -math.inf),
        (math.inf, float, math.inf),
        ([1, 2], list[float], [1.0, 2.0]),
        ([1, 2], tuple[int, ...], (1, 2)),
        ({"a": 1}, dict[str, float], {"a": 1.0}),
        ({"1": "x"}, dict[int, str], {1: "x"}),
        (None, float | None, None),
        (3, float | None, 3.0),
        (3, int | str, 3),
        ("3", int | str, "3"),
        ("inf", float | str, "inf"),
        (3, float | str, 3.0),
        ([1, "a"], list[int | str], [1, "a"]),
        ("red", Colour, Colour.RED),
        (1, Literal[1, "a"], 1),
        ({"a": [1, None, "b"]}, Any, {"a": [1, None, "b"]}),
    ],
)
def test_conversion(value: Any, kind: Any, result: Any) -> None:
    converted = convert(value, kind)
    assert converted == result
    assert type(converted) is type(result)


def test_nan_is_a_number() -> None:
    assert math.isnan(convert("nan", float))


@pytest.mark.parametrize(
    ("value", "kind"),
    [(True, int), (True, float), (1, bool), (True, Literal[1]), ("1", int), (10**400, float), (1, set[int])],
)
def test_no_conversion(value: Any, kind: Any) -> None:
    with pytest.raises(Misfit):
        convert(value, kind)


EVERY = st.builds(
    Every,
    at=st.floats(0, 1, exclude_max=True),
    rounds=st.integers(1, 10**6),
    strategy=st.sampled_from(["mean", "median"]),
    unknown=st.text(),
    cuts=st.lists(st.floats(0, allow_nan=False)),
    codes=st.dictionaries(st.text(), st.integers()),
    value=st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    drop_first=st.booleans(),
    policy=st.sampled_from(["null", "fail"]),
    params=st.dictionaries(st.text(), st.integers() | st.text() | st.booleans() | st.lists(st.text())),
)


@given(EVERY)
def test_what_is_bound_binds_again_after_json(made: Every) -> None:
    stored = json.loads(
        json.dumps({name: plain(value) for name, value in vars(made).items()}, allow_nan=False)
    )
    assert bind(Every, stored, ANYWHERE).value == made


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.booleans() | st.integers(), inner),
    ),
    st.sampled_from(
        [int, float, bool, str, list[float], dict[str, int], float | None, int | str, Any, Colour]
    ),
)
def test_any_value_is_converted_or_told(value: Any, kind: Any) -> None:
    try:
        converted = convert(value, kind)
    except Misfit as misfit:
        assert misfit.message
    else:
        again = convert(json.loads(json.dumps(plain(converted), allow_nan=False)), kind)
        assert again == converted or repr(again) == repr(converted)
