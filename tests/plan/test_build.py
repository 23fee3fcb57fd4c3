"""Configs to plans: what is bound, and how each mistake is said."""

import json
from pathlib import Path
from typing import Any

import pytest

from engine.config.compose import compose
from engine.config.config import Config
from engine.errors import ConfigError
from engine.plan.build import build_plan
from engine.plan.plan import Split, Target
from engine.registry import Registry
from engine.schema import Input, Kind

CLIP_NOTES = (
    "  options: columns (required), lo: float = -inf, hi: float = inf, "
    "quantiles: list[float | None] | None = null\n"
    "  set by: command line        stage built in: plugins/clip.py"
)


def config(*overrides: str, **changes: Any) -> Config:
    data: dict[str, Any] = {
        "name": "p",
        "inputs": {"x": "number", "y": "number", "t": "timestamp", "c": "category"},
        "stages": {
            "fill": {"use": "clip", "columns": ["x"], "lo": 0},
            "squeeze": {"use": "clip", "columns": "numbers", "hi": 600},
        },
    }
    return Config(data | changes, overrides, {"pipeline": "conf/pipeline/p.yaml"})


def with_stages(*overrides: str, **stages: Any) -> Config:
    return config(*overrides, stages={**config()["stages"], **stages})


def mistake(given: Config, registry: Registry | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        build_plan(given, registry)
    return str(caught.value)


# -- what a plan holds


def test_stages_are_bound() -> None:
    plan = build_plan(config())
    clip = Registry().load("clip")
    assert [(s.label, s.stage, s.columns, s.defined) for s in plan.stages] == [
        ("fill", clip(lo=0.0), ("x",), "stage built in: plugins/clip.py"),
        ("squeeze", clip(hi=600.0), ("numbers",), "stage built in: plugins/clip.py"),
    ]
    assert (plan.keep, plan.outputs, plan.target, plan.golden, plan.seed) == ((), None, None, 64, 0)
    assert plan.split == Split()


def test_inputs() -> None:
    inputs = {
        "x": "number",
        "c": {"kind": "category", "optional": True, "missing": "fail", "unknown": None},
    }
    assert build_plan(config(inputs=inputs, stages={})).inputs == (
        Input("x", Kind.NUMBER),
        Input("c", Kind.CATEGORY, optional=True, missing="fail", unknown="null", checked=True),
    )


def test_the_rest() -> None:
    plan = build_plan(
        config(
            target={"value": "a >= 15"},
            split={"kind": "time", "column": "t", "gap": 5, "part": "test"},
            keep="id",
            outputs=["x"],
            weight="w",
            group="g",
            seed=3,
            golden=0,
        )
    )
    assert plan.target == Target(value="a >= 15")
    assert plan.split == Split("time", "t", gap=5.0, part="test")
    assert (plan.keep, plan.outputs, plan.weight, plan.group) == (("id",), ("x",), "w", "g")
    assert (plan.seed, plan.golden) == (3, 0)


def test_stages_are_moved_and_switched_off() -> None:
    plan = build_plan(
        with_stages(
            first={"use": "clip", "columns": "x", "before": "fill"},
            off={"use": "clip", "columns": "x", "enabled": False, "before": "first"},
            beside={"use": "clip", "columns": "x", "after": "off"},
        )
    )
    assert [stage.label for stage in plan.stages] == ["beside", "first", "fill", "squeeze"]
    assert list(plan.config["stages"]) == ["beside", "first", "fill", "squeeze"]
    squeezed = {"use": "clip", "columns": ["x"], "lo": "-inf", "hi": "inf", "quantiles": None}
    assert plan.config["stages"]["first"] == squeezed


@pytest.mark.parametrize(
    "given",
    [
        config(),
        config(
            target={"column": "x"}, split={"kind": "group", "column": "c", "seed": 4}, outputs=[], keep=["k"]
        ),
        config(inputs={"x": {"kind": "number", "missing": "reject"}}, golden=0),
        config(inputs={"x": {"kind": "number", "invalid": "reject"}, "y": "number"}),
        config(inputs={"x": {"kind": "number", "optional": True}, "y": {"kind": "number", "missing": None}}),
        with_stages(a={"use": "clip", "columns": ["x"], "into": "z", "drop": True, "after": "squeeze"}),
        compose(["pipeline=flights"]),
    ],
)
def test_a_plans_config_gives_the_same_plan(given: Config) -> None:
    plan = build_plan(given)
    stored = json.loads(json.dumps(plan.config, allow_nan=False))
    assert build_plan(Config(stored)) == plan
    assert build_plan(compose(["bundle=b"], base=stored)) == plan


def test_a_folder_of_own_stages(tmp_path: Path) -> None:
    source = """
from engine.stage import ColumnStage, option, stage

@stage("build_test_halve")
class Halve(ColumnStage):
    by: float = option(2.0, gt=0)

    def express(self, x, learned):
        return x / self.by
"""
    (tmp_path / "build_test_halve.py").write_text(source)
    halve = {"use": "build_test_halve", "columns": "x", "by": 4}
    given = config(stages={"half": halve}, plugins=[str(tmp_path)])
    assert repr(build_plan(given).stages[0].stage) == "Halve(by=4.0)"
    assert mistake(config(stages={"half": halve | {"by": 0}}, plugins=str(tmp_path))) == (
        "stages.half.by: 'by' of 'build_test_halve' must be above 0, not 0\n"
        "  options: columns (required), by: float = 2.0\n"
        f"  set by: conf/pipeline/p.yaml        stage defined in: {tmp_path}/build_test_halve.py"
    )
    assert mistake(config(plugins=["no/such"])) == (
        f"plugins: {Path.cwd()}/no/such is no folder\n  set by: conf/pipeline/p.yaml"
    )


# -- stages that are wrong


def test_unknown_option() -> None:
    given = with_stages("stages.squeeze.hgh=3", squeeze={"use": "clip", "columns": "x", "hgh": 3})
    assert mistake(given) == (
        f"stages.squeeze.hgh: 'clip' has no option 'hgh'. Did you mean 'hi'?\n{CLIP_NOTES}"
    )


def test_a_stage_without_columns() -> None:
    assert mistake(with_stages(squeeze={"use": "clip"})) == (
        "stages.squeeze.columns: 'clip' needs columns: names, globs (temp_*) or kinds (numbers)\n"
        "  set by: conf/pipeline/p.yaml        stage built in: plugins/clip.py"
    )
    assert mistake(with_stages(squeeze={"use": "clip", "columns": []})).startswith(
        "stages.squeeze.columns: it names no column\n"
    )


def test_columns_of_a_stage_that_has_none(tmp_path: Path) -> None:
    source = """
from engine.stage import RowStage, stage

@stage("build_test_constant")
class Constant(RowStage):
    selects = False
    value: float = 0.0
"""
    (tmp_path / "build_test_constant.py").write_text(source)
    one = {"use": "build_test_constant", "columns": "x"}
    assert mistake(config(stages={"one": one}), Registry([tmp_path])) == (
        "stages.one.columns: 'build_test_constant' has no option 'columns'.\n"
        "  options: value: float = 0.0\n"
        f"  set by: conf/pipeline/p.yaml        stage defined in: {tmp_path}/build_test_constant.py"
    )


def test_no_such_stage() -> None:
    assert mistake(with_stages("stages.sqeeze.hi=3", sqeeze={"hi": 3})) == (
        "stages.sqeeze: no stage is labelled 'sqeeze'. Did you mean 'squeeze'?\n"
        "  labels: fill, squeeze\n"
        "  to add a stage: '+stages.sqeeze={use: NAME, columns: [NAME]}'\n"
        "  set by: command line"
    )
    assert mistake(with_stages(another={"hi": 3})) == (
        "stages.another: it has no 'use', which names the plugin that it is made by\n"
        "  set by: conf/pipeline/p.yaml"
    )


def test_a_stage_that_is_null() -> None:
    assert mistake(with_stages("stages.fill=null", fill=None)) == (
        "stages.fill: a stage can't be null\n"
        "  to remove the stage: ~stages.fill\n"
        "  to switch it off: stages.fill.enabled=false\n"
        "  set by: command line"
    )


def test_unknown_plugin() -> None:
    lines = mistake(with_stages(fill={"use": "clp", "columns": "x"})).splitlines()
    assert lines[0] == "stages.fill.use: no stage is called 'clp'. Did you mean 'clip'?"
    assert lines[1].startswith("  stages: ")
    assert lines[2] == "  set by: conf/pipeline/p.yaml"


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        ("clip", "stages.fill: must be a mapping such as {use: clip, …}, not 'clip'"),
        ({"use": 3}, "stages.fill.use: must be the name of a stage, not 3"),
        (
            {"use": "clip", "columns": ["x", 3]},
            "stages.fill.columns[1]: 'columns' must be text, not the number 3. Quote it: \"3\"",
        ),
        (
            {"use": "clip", "columns": "x", "enabled": "no"},
            "stages.fill.enabled: 'enabled' must be true or false, not the text 'no'",
        ),
        (
            {"use": "clip", "columns": "x", "after": "squeze"},
            "stages.fill.after: no stage is labelled 'squeze'. Did you mean 'squeeze'?\n  labels: squeeze",
        ),
    ],
)
def test_a_malformed_stage(stage: Any, message: str) -> None:
    assert mistake(with_stages(fill=stage)) == message + "\n  set by: conf/pipeline/p.yaml"


def test_a_list_of_stages() -> None:
    assert mistake(config(stages=[{"use": "clip"}])) == (
        "stages: must be a mapping from label to stage, not a list\n"
        "  such as: stages: {squeeze: {use: clip, columns: [dep_delay], hi: 600}}\n"
        "  set by: conf/pipeline/p.yaml"
    )


def test_labels_name_files() -> None:
    assert mistake(with_stages(**{"../x": {"use": "clip", "columns": "x"}})) == (
        "stages.../x: '../x' can't label a stage; use letters, digits, '_' and '-', a letter first\n"
        "  set by: conf/pipeline/p.yaml"
    )


def test_every_mistake_is_told() -> None:
    given = config(
        inputs={"x": "nmber"},
        stages={"a": None, "b": {"use": "clip", "columns": "x", "lo": "x", "hx": 1}, "c": {"use": "clp"}},
        split={"kind": "tme"},
        golden=-1,
    )
    lines = mistake(given).splitlines()
    assert lines[0] == "7 mistakes in the config:"
    told = [line.split(":")[0] for line in lines[1:] if line and not line.startswith(" ")]
    assert told == [
        "inputs.x",
        "stages.a",
        "stages.b.hx",
        "stages.b.lo",
        "stages.c.use",
        "split.kind",
        "golden",
    ]


# -- the parts around


SET_BY = "\n  set by: conf/pipeline/p.yaml"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": None}, "name: a pipeline needs a name"),
        ({"name": "a/b"}, "name: 'a/b' can't name a folder; use letters, digits, '_', '-' and '.'"),
        (
            {"inputs": {"x": "float"}},
            "inputs.x: there is no kind 'float'. Did you mean 'number'?\n"
            "  kinds: number, category, timestamp, text",
        ),
        (
            {"inputs": {"x": "boolean"}},
            "inputs.x: there is no kind 'boolean'. Did you mean 'number'?\n"
            "  kinds: number, category, timestamp, text",
        ),
        (
            {"inputs": {False: "number"}},
            "inputs.False: a column's name must be text, not the boolean false. "
            'YAML reads NO, no, off and false so; quote it: "NO"',
        ),
        (
            {"inputs": {"x": {"optional": True}}},
            "inputs.x.kind: the input needs a kind: number, category, timestamp, text",
        ),
        (
            {"inputs": {"x": {"kind": "number", "missing": "drop"}}},
            "inputs.x.missing: 'missing' of 'input' must be one of 'null', 'fail', 'reject', not 'drop'\n"
            "  options: kind (required), optional: bool = false, missing: 'null' | 'fail' | 'reject' "
            "= 'null', "
            "invalid: 'null' | 'fail' | 'reject' = 'reject', unknown: 'null' | 'fail' | 'reject' = 'null'",
        ),
        ({"inputs": {}}, "inputs: a pipeline needs an input at least\n  such as: inputs.distance=number"),
        ({"inputs": ["x"]}, "inputs: must be a mapping from column to kind, not ['x']"),
        (
            {"target": "price"},
            "target: must be {column: NAME} or {value: EXPRESSION}, not 'price'\n  write: {column: price}",
        ),
        ({"target": {}}, "target: has neither column nor value; it needs one of them"),
        (
            {"target": {"column": "x", "value": "x"}},
            "target: has both column and value; it needs one of them\n"
            "  to learn the column: target.value=null; to learn the expression: target.column=null",
        ),
        (
            {"target": {"colum": "x"}},
            "target.colum: 'target' has no option 'colum'. Did you mean 'column'?\n"
            "  options: column: str = '', value: str = '', columns: list[str] = (), lower: str = '', "
            "upper: str = ''",
        ),
        (
            {"target": {"value": "a / )"}},
            "target.value: is no expression\n"
            "  expected a value at position 5: 'a / )'\n"
            "                                       ^",
        ),
        (
            {"split": {"kind": "time"}},
            "split.column: a split by time needs the column that holds the time to sort by",
        ),
        ({"split": {"valid": 1.5}}, "split.valid: must be a share from 0 to below 1, not 1.5"),
        (
            {"split": {"valid": 0.5, "test": 0.5}},
            "split: valid and test are 1 of the rows together, so none is left for train",
        ),
        ({"split": {"seed": -1}}, "split.seed: must be at least 0, not -1"),
        ({"split": {"gap": -1}}, "split.gap: must be at least 0, not -1"),
        ({"split": "time"}, "split: must be a mapping such as {kind: time, column: NAME}, not 'time'"),
        ({"keep": ["a", "b", "a"]}, "keep: 'a' stands in it twice"),
        ({"keep": ["a", 3]}, 'keep[1]: must be text, not the number 3. Quote it: "3"'),
        ({"golden": -1}, "golden: must be at least 0, not -1"),
        ({"seed": "x"}, "seed: must be a whole number, not the text 'x'"),
        ({"weight": 3}, 'weight: must be text, not the number 3. Quote it: "3"'),
    ],
)
def test_mistaken_part(changes: dict[str, Any], message: str) -> None:
    assert mistake(config(stages={}, **changes)) == message + SET_BY


def test_columns_are_followed_once_all_is_bound() -> None:
    given = with_stages(fill={"use": "clip", "columns": ["z"]})
    assert mistake(given).startswith("stages.fill.columns: ")
