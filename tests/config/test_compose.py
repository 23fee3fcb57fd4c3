"""Config files and overrides: what they become, and how each mistake is said."""

import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.singleton import Singleton
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from engine.config import refuse
from engine.config.compose import bundle_path, compose
from engine.config.config import ROOT_KEYS, Config
from engine.errors import ConfigError

MINE = """\
# @package _global_
name: mine
inputs: {x: number}
stages:
  squeeze: {use: clip, columns: [x], lo: 0}
  double: {use: expr, into: twice, value: "x * 2"}
"""


def mistake(*overrides: str, config_dir: Path | None = None, base: dict | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        compose(overrides, config_dir, base)
    return str(caught.value)


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder with ``pipeline/mine.yaml``, beside which tests run."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "own/pipeline/mine.yaml", MINE)
    return tmp_path / "own"


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


# -- what composes


def test_flights_has_every_root_key_and_plain_values() -> None:
    config = compose(["pipeline=flights"])
    assert tuple(config.data) == ROOT_KEYS
    assert config["name"] == "flights"
    assert list(config["stages"])[:3] == ["fill", "gaps", "squeeze"]
    assert type(config["stages"]["squeeze"]) is dict
    assert type(config["keep"]) is list
    assert config["golden"] == 64
    assert config["seed"] == 0
    assert config["outputs"] is None
    assert config["source"] == {"use": "auto", "path": None}


def test_stages_inputs_and_sources_are_open() -> None:
    config = compose(
        [
            "pipeline=flights",
            "stages.speed.round=2",
            "inputs.foo=number",
            "source.path=x.parquet",
            "split.gap=60",
            "stages.model.params.eta=0.3",
            "server={port: 8081}",
        ]
    )
    assert config["stages"]["speed"]["round"] == 2
    assert config["inputs"]["foo"] == "number"
    assert config["source"] == {"use": "auto", "path": "x.parquet"}
    assert config["split"]["gap"] == 60
    assert config["stages"]["model"]["params"] == {"max_depth": 6, "eta": 0.3}
    assert config["server"] == {"port": 8081}


def test_stages_are_added_and_removed() -> None:
    added = "+stages.log={use: log1p, columns: [distance], after: fill}"
    stages = compose(["pipeline=flights", added, "~stages.squeeze"])["stages"]
    assert stages["log"] == {"use": "log1p", "columns": ["distance"], "after": "fill"}
    assert "squeeze" not in stages


def test_interpolations_are_resolved_after_overrides() -> None:
    config = compose(
        ["pipeline=flights", "stages.squeeze.lo='${stages.model.rounds}'", "stages.model.rounds=7"]
    )
    assert config["stages"]["squeeze"]["lo"] == 7


def test_own_pipeline_is_found_and_wins(mine: Path) -> None:
    assert compose(["pipeline=mine"], mine)["inputs"] == {"x": "number"}
    write(mine / "pipeline/flights.yaml", MINE.replace("name: mine", "name: other"))
    config = compose(["pipeline=flights"], mine)
    assert config["name"] == "other"
    assert config.files["pipeline"] == "own/pipeline/flights.yaml"
    assert config.set_by("stages.squeeze.lo") == "own/pipeline/flights.yaml"
    assert (
        compose(["pipeline=flights", "stages.squeeze.lo=1"], mine).set_by("stages.squeeze.lo")
        == "command line"
    )


def test_a_pipeline_can_start_from_another(mine: Path) -> None:
    text = "# @package _global_\ndefaults: [mine, _self_]\nname: more\nstages: {squeeze: {hi: 9}}\n"
    write(mine / "pipeline/more.yaml", text)
    config = compose(["pipeline=more"], mine)
    assert config["name"] == "more"
    assert config["stages"]["squeeze"] == {"use": "clip", "columns": ["x"], "lo": 0, "hi": 9}


def test_a_pipeline_without_a_name_has_its_files(mine: Path) -> None:
    write(mine / "pipeline/unnamed.yaml", MINE.replace("name: mine", ""))
    assert compose(["pipeline=unnamed"], mine)["name"] == "unnamed"


def test_an_experiment_lies_over_the_pipeline(mine: Path) -> None:
    text = (
        "# @package _global_\ndefaults: [{override /pipeline: mine}]\n"
        "stages: {squeeze: {lo: 5}}\nsource: {path: there.csv}\n"
    )
    write(mine / "experiment/best.yaml", text)
    config = compose(["experiment=best", "seed=3"], mine)
    assert (config["name"], config["experiment"], config["seed"]) == ("mine", "best", 3)
    assert config["stages"]["squeeze"]["lo"] == 5
    assert config["source"] == {"use": "auto", "path": "there.csv"}
    for key in ("stages.squeeze.lo", "source.path"):
        assert config.set_by(key) == "own/experiment/best.yaml"
    assert config.set_by("stages.squeeze.hi") == "own/pipeline/mine.yaml"
    assert config.set_by("seed") == "command line"


def test_null_chooses_nothing() -> None:
    assert compose(["pipeline=flights", "source=null", "experiment=null"])["source"] == {}


# -- a bundle's config


STORED = {
    "name": "stored",
    "inputs": {"x": "number"},
    "stages": {"squeeze": {"use": "clip", "columns": ["x"]}},
}


def test_overrides_apply_to_a_stored_config() -> None:
    config = compose(["bundle=bundles/stored", "stages.squeeze.hi=5"], base=STORED)
    assert config["name"] == "stored"
    assert config["stages"]["squeeze"] == {"use": "clip", "columns": ["x"], "hi": 5}
    assert config["golden"] == 64
    assert config.set_by("stages.squeeze.use") == "the bundle bundles/stored"


def test_nothing_in_a_stored_config_is_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "leaked")
    text = r"${oc.env:SECRET} \${oc.env:SECRET} \\${x} a\b"
    base = STORED | {"keep": [text]}
    assert compose(["bundle=b"], base=base)["keep"] == [text]


@given(st.text(alphabet=st.sampled_from("\\${}a:.'\"")))
def test_escaped_text_resolves_to_itself(text: str) -> None:
    made = OmegaConf.create({"x": refuse.escaped(text)})
    assert OmegaConf.to_container(made, resolve=True) == {"x": text}


def test_a_stored_config_holds_a_pipelines_keys_and_no_code() -> None:
    base = STORED | {"source": {}, "stages": {"x": {"_target_": "os.system"}}}
    assert mistake("bundle=b", base=base) == (
        "2 mistakes in the config:\n\n"
        "source: a bundle's config doesn't hold this key.\n\n"
        "stages.x._target_: _target_ is refused: names come from the registry of plugins only (use: NAME)\n"
        "  set by: the bundle"
    )


def test_bundle_path_reads_one_override_alone() -> None:
    assert bundle_path(["stages.x=(", "bundle=bundles/flights"]) == "bundles/flights"
    assert bundle_path(["bundle='a=b'"]) == "a=b"
    assert bundle_path(["bundle=x", "pipeline=flights"]) is None
    assert bundle_path(["bundle=null"]) is None
    assert bundle_path([]) is None
    with pytest.raises(ConfigError, match="needs quotes"):
        bundle_path(["bundle=a=b"])


# -- beside another Hydra application


def test_another_applications_hydra_is_left_alone(tmp_path: Path) -> None:
    write(tmp_path / "config.yaml", "theirs: 1\n")
    with initialize_config_dir(str(tmp_path), job_name="theirs", version_base="1.3"):
        # Hydra would validate a file of the same name against this.
        ConfigStore.instance().store(name="config", node={"db": "mysql"})
        before, hydra = dict(Singleton._instances), GlobalHydra.instance().hydra
        assert compose(["pipeline=flights"])["name"] == "flights"
        mistake("pipeline=nothing")
        assert dict(Singleton._instances) == before
        assert GlobalHydra.instance().hydra is hydra
        del ConfigStore.instance().repo["config.yaml"]
        assert hydra_compose("config") == {"theirs": 1}


def test_composing_imports_nothing_heavy() -> None:
    code = (
        "import sys; from engine.config.compose import compose; compose(['pipeline=flights'])\n"
        "print([n for n in ('xgboost', 'numba', 'pyarrow', 'sklearn') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# -- mistakes: which file


def test_no_pipeline(mine: Path) -> None:
    assert mistake(config_dir=mine) == (
        "no pipeline is chosen; add pipeline=NAME or bundle=PATH\n"
        "  pipelines: flights, mine\n  looked in: own, built in"
    )
    assert compose([], need_pipeline=False)["stages"] == {}


def test_unknown_pipeline(mine: Path) -> None:
    assert mistake("pipeline=mime", config_dir=mine) == (
        "pipeline: there is no pipeline 'mime'. Did you mean 'mine'?\n"
        "  pipelines: flights, mine\n"
        "  looked in: own/pipeline, built in"
    )


def test_a_file_with_the_other_ending(mine: Path) -> None:
    write(mine / "pipeline/short.yml", MINE)
    assert mistake("pipeline=short", config_dir=mine).splitlines()[-1] == (
        "  own/pipeline/short.yml must end in .yaml"
    )


def test_unknown_experiment_where_there_is_none() -> None:
    assert mistake("experiment=best").startswith(
        "experiment: there is no experiment 'best'.\n  experiments: none\n"
    )


def test_unknown_file_in_a_defaults_list(mine: Path) -> None:
    write(mine / "pipeline/more.yaml", "# @package _global_\ndefaults: [nine, _self_]\n")
    assert mistake("pipeline=more", config_dir=mine) == (
        "own/pipeline/more.yaml, defaults: there is no pipeline 'nine'. Did you mean 'mine'?\n"
        "  pipelines: flights, mine, more\n"
        "  looked in: own/pipeline, built in"
    )


def test_missing_folder(tmp_path: Path) -> None:
    assert mistake(config_dir=tmp_path / "no") == f"--config-dir: the folder {tmp_path}/no doesn't exist"


def test_own_root_config(mine: Path) -> None:
    write(mine / "config.yaml", "seed: 1\n")
    assert mistake("pipeline=mine", config_dir=mine) == (
        "--config-dir: own/config.yaml would replace the engine's own config.yaml; rename it\n"
        "  put settings of your own in experiment/NAME.yaml and choose it with experiment=NAME"
    )


def test_broken_yaml(mine: Path) -> None:
    write(mine / "pipeline/broken.yaml", "# @package _global_\ninputs: {x: number\nstages: {}\n")
    assert mistake("pipeline=broken", config_dir=mine) == (
        "own/pipeline/broken.yaml, line 3, column 7: this is no YAML: expected ',' or '}', but got ':'\n"
        "  stages: {}\n"
        "        ^"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"# @package _global_\nname: caf\xe9\n", "this is not UTF-8: byte 29: invalid continuation byte"),
        (b"# @package _global_\n- a\n", "a list stands where a mapping is due"),
        (b"# @package _global_\nsplit: [1]\n", "a list stands where a mapping is due"),
        (
            b"# @package _global_\ndefaults: [{override /nothing: x}]\n",
            "Could not override 'nothing'. No match in the defaults list.",
        ),
    ],
)
def test_a_file_that_is_no_config(mine: Path, text: bytes, message: str) -> None:
    (mine / "pipeline/odd.yaml").write_bytes(text)
    assert mistake("pipeline=odd", config_dir=mine) == f"own/pipeline/odd.yaml: {message}"


def test_yaml_makes_no_objects(mine: Path) -> None:
    write(mine / "pipeline/evil.yaml", 'name: !!python/object/apply:os.system ["touch made"]\n')
    assert "this is no YAML: could not determine a constructor" in mistake("pipeline=evil", config_dir=mine)
    assert not Path("made").exists()


def test_two_pipelines(mine: Path) -> None:
    assert mistake("pipeline=[flights,mine]", config_dir=mine) == (
        "pipeline: one pipeline is chosen at a time, not 2"
    )


def test_a_pipeline_without_its_first_line(mine: Path) -> None:
    write(mine / "pipeline/headless.yaml", MINE.split("\n", 1)[1])
    assert mistake("pipeline=headless", config_dir=mine) == (
        "own/pipeline/headless.yaml: its first line must be: # @package _global_"
    )


def test_unknown_root_key_in_a_file(mine: Path) -> None:
    write(mine / "pipeline/typo.yaml", MINE.replace("stages:", "stagse:"))
    lines = mistake("pipeline=typo", config_dir=mine).splitlines()
    assert lines[0] == "stagse: no such key 'stagse'. Did you mean 'stages'?"
    assert lines[-1] == "  set by: own/pipeline/typo.yaml"


@pytest.mark.parametrize(
    ("override", "typed", "others"),
    [
        ("stages.squeeze={use: log1p}", ["use"], ["lo", "hi", "columns"]),
        ("stages={squeeze: {lo: 1, into: x}}", ["lo", "into"], ["use", "hi"]),
        ("stages.squeeze.hi=5", ["hi"], ["lo", "use"]),
        ("stages.squeeze.columns.0=distance", ["columns", "columns[0]"], ["hi"]),
        ("~stages.squeeze.hi", ["hi"], ["lo"]),
        ("+stages.squeeze.drop=true", ["drop"], ["lo"]),
    ],
)
def test_who_set_an_option_of_a_stage(override: str, typed: list[str], others: list[str]) -> None:
    config = compose(["pipeline=flights", override])
    assert {config.set_by(f"stages.squeeze.{key}") for key in typed} == {"command line"}
    assert {config.set_by(f"stages.squeeze.{key}") for key in others} == {"conf/pipeline/flights.yaml"}
    assert config.set_by("stages.squeeze") == "command line"
    assert config.set_by("stages.fill") == config.set_by("stages.fill.columns") == config.set_by("split.kind")


def test_who_set_what_is_new_or_no_mapping() -> None:
    added = compose(["pipeline=flights", "+stages.x={use: expr, value: {deep: 1}}", "seed=3", "keep=[a, b]"])
    for key in ("stages.x", "stages.x.value.deep", "seed", "keep", "keep[1]"):
        assert added.set_by(key) == "command line"
    assert added.set_by("stages.fill.strategy") == "conf/pipeline/flights.yaml"
    assert (
        compose(["pipeline=flights", "split={gap: 5}"]).set_by("split.kind") == "conf/pipeline/flights.yaml"
    )


# -- mistakes: overrides


def test_unknown_root_key() -> None:
    lines = mistake("pipeline=flights", "sourec.path=x").splitlines()
    assert lines[0] == "sourec.path: no such key 'sourec'. Did you mean 'source'?"
    assert lines[-1] == "  set by: command line"
    assert "To append" not in "".join(lines)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "source.path=data/year=2013",
            "source.path: the value 'data/year=2013' needs quotes\n  write: 'source.path=\"data/year=2013\"'",
        ),
        (
            "stages.speed.value=a / (b + 1)",
            "stages.speed.value: the value 'a / (b + 1)' needs quotes\n"
            "  write: 'stages.speed.value=\"a / (b + 1)\"'",
        ),
        (
            "+stages.x={use: expr, value: a=b}",
            "stages.x: can't read the list or mapping {use: expr, value: a=b}\n"
            "  a text in it that holds blanks, '=', ':' or brackets needs double quotes of its own:\n"
            "    '+stages.speed={use: expr, value: \"dep_delay / (distance + 1)\"}'\n"
            "  the parser says: no viable alternative at input '{use: expr, value: a='",
        ),
        ("flights", "'flights' is no override; did you mean pipeline=flights?"),
        ("--verbose", "'--verbose' is no override: write key=value, +key=value or ~key"),
        (
            "seed=1,2",
            "seed: '1,2' is several values\n  as a list: 'seed=[1,2]'\n  as one text: 'seed=\"1,2\"'",
        ),
        (
            "~stages.sqeeze",
            "stages.sqeeze: there is no 'stages.sqeeze' to remove. Did you mean 'squeeze'?\n"
            "  stages: fill, gaps, squeeze, speed, far, clock, carrier, dest, model, decide\n"
            "  set by: command line",
        ),
        (
            "+stages.squeeze.hi=5",
            "stages.squeeze.hi: it is there already, so it can't be added; without the '+': "
            "stages.squeeze.hi=5\n"
            "  set by: command line",
        ),
        (
            "+stages.squeeze={use: log1p}",
            "stages.squeeze: it is there already, so it can't be added; "
            "without the '+': stages.squeeze={use: log1p}\n"
            "  set by: command line",
        ),
        (
            "seed.x=3",
            "seed.x: seed is the single value 0, with nothing below it\n  set by: command line",
        ),
        (
            "stages.fill.columns.7=x",
            "stages.fill.columns.7: this is a list of 2, without a place '7'; give the whole list\n"
            "  set by: command line",
        ),
        (
            "~outputs",
            "outputs: a root key can't be removed; to give it no value: outputs=null\n  set by: command line",
        ),
        (
            "~stages.squeeze.hi=5",
            "stages.squeeze.hi: it is 600, not 5, so it stays; to remove it: ~stages.squeeze.hi\n"
            "  set by: command line",
        ),
        (
            "stages.x=???",
            "stages.x: has no value yet (???); add stages.x=VALUE\n  set by: command line",
        ),
        (
            "seed='${nothing}'",
            "seed: Interpolation key 'nothing' not found\n  set by: command line",
        ),
        (
            "stages={}",
            "stages: an empty mapping changes nothing: a mapping is merged into the one that is there\n"
            "  it holds: fill, gaps, squeeze, speed, far, clock, carrier, dest, model, decide\n"
            "  to remove one: ~stages.fill\n  set by: command line",
        ),
        (
            "pipeline={a: 1}",
            "pipeline: a file is chosen by its name, pipeline=NAME; what it says is changed by keys of its "
            "own\n  such as: stages.LABEL.OPTION=VALUE\n  set by: command line",
        ),
        (
            "experiment.a=1",
            "experiment.a: a file is chosen by its name, experiment=NAME; what it says is changed by keys of "
            "its own\n  such as: stages.LABEL.OPTION=VALUE\n  set by: command line",
        ),
        ("bundle=[a]", "bundle: must be the path of a folder, not ['a']"),
        (
            f"keep={'[' * 5000}{']' * 5000}",
            "keep: its lists and mappings stand too deep in one another\n  set by: command line",
        ),
        *(
            (
                f"{key}=x",
                f"{key}: has no effect: Hydra only composes the config here, and nothing reads its own "
                "settings\n  set by: command line",
            )
            for key in ("hydra.run.dir", "hydra.job.chdir", "hydra/job_logging")
        ),
        (
            "hydra.searchpath=[elsewhere]",
            "hydra.searchpath: the search path is the engine's; name a folder of your own with --config-dir\n"
            "  set by: command line",
        ),
    ],
)
def test_mistaken_override(override: str, message: str) -> None:
    assert mistake("pipeline=flights", override) == message


def test_the_quoted_form_works() -> None:
    assert compose(["pipeline=flights", 'source.path="data/year=2013"'])["source"]["path"] == "data/year=2013"


def test_every_mistaken_override_is_told() -> None:
    assert mistake("pipeline=flights", "a b", "source.path=x=y").startswith("2 mistakes in the config:")
    assert mistake("pipeline=fligts", "sed=1", "sinc.path=x").startswith("3 mistakes in the config:")


# -- what is refused


REFUSED = "_target_ is refused: names come from the registry of plugins only (use: NAME)"


@pytest.mark.parametrize(
    ("override", "where"),
    [
        ("stages.x._target_=os.system", "stages.x._target_"),
        ("+stages.x={_target_: os.system}", "stages.x._target_"),
        ("+stages.x={y: [{_target_: os.system}]}", "stages.x.y[0]._target_"),
    ],
)
def test_target_in_an_override(override: str, where: str) -> None:
    assert mistake("pipeline=flights", override) == f"{where}: {REFUSED}\n  set by: command line"


def test_target_in_a_file(mine: Path) -> None:
    write(mine / "pipeline/evil.yaml", MINE + "  evil: {use: clip, deep: [{_target_: os.system}]}\n")
    assert mistake("pipeline=evil", config_dir=mine) == (
        f"stages.evil.deep[0]._target_: {REFUSED}\n  set by: own/pipeline/evil.yaml"
    )


def test_target_made_by_an_interpolation() -> None:
    text = "stages.x='${oc.create:{_target_: os.system}}'"
    assert mistake("pipeline=flights", text) == f"stages.x._target_: {REFUSED}\n  set by: command line"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "+hydra.callbacks.x._target_=os.system",
            "hydra.callbacks: callbacks are refused: a config calls no code\n  set by: command line",
        ),
        (
            "hydra.launcher._target_=os.system",
            "hydra.launcher._target_: _target_ is refused under hydra, but for Hydra's own\n"
            "  set by: command line",
        ),
    ],
)
def test_code_under_hydra_in_an_override(override: str, message: str) -> None:
    assert mistake("pipeline=flights", override) == message


def test_code_under_hydra_in_a_file(mine: Path) -> None:
    hooks = "hydra: {callbacks: {x: {_target_: os.system}}, launcher: {_target_: os.system}}\n"
    write(mine / "pipeline/evil.yaml", MINE + hooks)
    assert mistake("pipeline=evil", config_dir=mine) == (
        "3 mistakes in the config:\n\n"
        "hydra.launcher._target_: _target_ is refused under hydra, but for Hydra's own\n"
        "  found: os.system\n\n"
        "hydra.callbacks.x._target_: _target_ is refused under hydra, but for Hydra's own\n"
        "  found: os.system\n\n"
        "hydra.callbacks: callbacks are refused: a config calls no code"
    )


def test_the_config_is_a_value() -> None:
    first, second = compose(["pipeline=flights"]), compose(["pipeline=flights"])
    assert isinstance(first, Config)
    assert first == second


@pytest.mark.parametrize("null", ["source=null", "~source"])
def test_what_is_left_out_and_changed(null: str) -> None:
    assert mistake("pipeline=flights", "source.path=x.csv", null) == (
        "source: source=null leaves it out, and source.path=x.csv changes it; remove one\n"
        "  set by: command line"
    )


def test_defaults_lists_in_a_circle(mine: Path) -> None:
    write(mine / "pipeline/self.yaml", "# @package _global_\ndefaults: [self, _self_]\n")
    assert mistake("pipeline=self", config_dir=mine) == (
        "own/pipeline/self.yaml, defaults: the lists run in a circle: pipeline/self → pipeline/self"
    )
    write(mine / "pipeline/one.yaml", "# @package _global_\ndefaults: [two, _self_]\n")
    write(mine / "pipeline/two.yaml", "# @package _global_\ndefaults: [/pipeline/one, _self_]\n")
    assert mistake("pipeline=one", config_dir=mine) == (
        "own/pipeline/one.yaml, defaults: the lists run in a circle: "
        "pipeline/one → pipeline/two → pipeline/one"
    )


def test_yaml_that_is_nested_too_deep(mine: Path) -> None:
    write(mine / "pipeline/deep.yaml", MINE + f"keep: {'[' * 5000}{']' * 5000}\n")
    assert mistake("pipeline=deep", config_dir=mine) == (
        "own/pipeline/deep.yaml: its lists and mappings stand too deep in one another"
    )


# -- options of a server, in a file


def test_a_server_is_chosen_by_its_name_and_changed(mine: Path) -> None:
    write(mine / "server/prod.yaml", "port: 8443\nworkers: 4\npredictions: {path: log}\n")
    config = compose(["pipeline=mine", "server=prod", "server.port=1", "server.predictions.rows=5"], mine)
    assert config["server"] == {"port": 1, "workers": 4, "predictions": {"path": "log", "rows": 5}}
    assert config.set_by("server.port") == "command line"
    assert config.set_by("server.workers") == "own/server/prod.yaml"
    laid_over = compose(["pipeline=mine", "server=prod", "server={port: 3}"], mine)["server"]
    assert laid_over == {"port": 3, "workers": 4, "predictions": {"path": "log"}}


@pytest.mark.parametrize("override", ["server=default", "server=null", "~server", "server={}"])
def test_a_server_without_options(override: str) -> None:
    assert compose(["pipeline=flights", override])["server"] == {}


def test_an_experiment_lies_over_the_server(mine: Path) -> None:
    write(mine / "server/prod.yaml", "port: 8443\nworkers: 4\n")
    write(mine / "experiment/more.yaml", "# @package _global_\nserver: {workers: 8}\n")
    config = compose(["pipeline=mine", "server=prod", "experiment=more"], mine)
    assert config["server"] == {"port": 8443, "workers": 8}
    assert config.set_by("server.workers") == "own/experiment/more.yaml"


def test_a_server_of_a_bundle(mine: Path) -> None:
    write(mine / "server/prod.yaml", "port: 8443\n")
    assert compose(["bundle=b", "server=prod"], mine, base=STORED)["server"] == {"port": 8443}


def test_mistakes_in_choosing_a_server(mine: Path) -> None:
    write(mine / "server/prod.yaml", "port: 8443\n")
    assert mistake("pipeline=mine", "server=prdo", config_dir=mine) == (
        "server: there is no server 'prdo'. Did you mean 'prod'?\n"
        "  servers: default, prod\n"
        "  looked in: own/server, built in"
    )
    assert mistake("pipeline=mine", "server=null", "server.port=1", config_dir=mine) == (
        "server: server=null leaves it out, and server.port=1 changes it; remove one\n  set by: command line"
    )
