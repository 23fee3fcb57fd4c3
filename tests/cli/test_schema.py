"""``engine schema`` takes what the engine takes, and refuses what it refuses."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

import engine
from engine.cli.main import main
from engine.cli.schema import config_schema
from engine.config.config import ROOT_KEYS
from engine.plan.build import build_plan
from engine.registry import Registry
from engine.runtime.serve.predictions.settings import PredictionLog
from engine.runtime.serve.settings import Settings
from engine.stage import COMMON_KEYS, option_fields
from tests.test_docs import DOCUMENTS, ROOT, blocks

SCHEMA = config_schema(Registry())


def wrong(config: Any, schema: Any = SCHEMA) -> list[str]:
    """The innermost messages of what is wrong, with their places."""
    found = []
    pending = list(Draft202012Validator(schema).iter_errors(config))
    while pending:
        error = pending.pop()
        if error.context:
            pending.extend(error.context)
        else:
            found.append(f"{error.json_path}: {error.message}")
    return found


def shown_in_documents() -> list[Any]:
    """Every pipeline, part of one, experiment and source that the documents show."""
    found = []
    for document in DOCUMENTS:
        for block in blocks(document):
            if block.language == "yaml":
                plain = yaml.safe_load(block.text)
                if "plugins" in plain:  # stages that this schema doesn't know
                    continue
                named = "\n".join(block.text.splitlines()[:2])
                alone = next((key for key in ("source", "server") if f"conf/{key}/" in named), None)
                found.append(pytest.param(plain if alone is None else {alone: plain}, id=block.place))
    return found


def with_stage(**stage: Any) -> dict[str, Any]:
    return {"inputs": {"x": "number"}, "stages": {"one": stage}}


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == Draft202012Validator.META_SCHEMA["$id"]


def test_no_key_and_no_stage_is_missing() -> None:
    assert set(SCHEMA["properties"]) == {*ROOT_KEYS, "defaults"}
    named = {choice["const"] for choice in SCHEMA["$defs"]["stage"]["properties"]["use"]["anyOf"][:-1]}
    assert named == set(Registry().names())
    for name in Registry().names():
        cls = Registry().load(name)
        defined = SCHEMA["$defs"][f"stage.{name}"]
        assert defined["properties"]["use"] == {"const": name}
        own = set(defined["properties"]) - set(COMMON_KEYS)
        assert own == {item.name for item in option_fields(cls)} - set(COMMON_KEYS)


def test_the_packaged_pipeline() -> None:
    assert wrong(yaml.safe_load((ROOT / "conf" / "pipeline" / "flights.yaml").read_text())) == []


@pytest.mark.parametrize("config", shown_in_documents())
def test_what_documents_show(config: Any) -> None:
    assert wrong(config) == []


def test_what_the_engine_makes_of_a_pipeline() -> None:
    composed = engine.compose(["pipeline=flights", "stages.squeeze.lo=-inf", "sink.path=x"])
    assert wrong(dict(composed.data)) == []
    assert wrong(json.loads(json.dumps(build_plan(composed).config))) == []


@pytest.mark.parametrize(
    "config",
    [
        with_stage(use="clip", columns="x", lo="-inf", hi=".inf"),
        with_stage(use="clip", columns=["x"], lo="${seed}"),
        with_stage(enabled=False),
        with_stage(use="xgboost", early_stopping=None, params={"max_depth": 3}),
        {"inputs": {"x": {"kind": "number", "missing": None, "unknown": "null"}}},
        {"source": {"path": "x.csv", "delimiter": ";"}, "sink": {"path": "out", "format": "csv"}},
        {"defaults": ["other", "_self_"], "target": {"column": None}, "plugins": "stages"},
        {"executor": {"threads": None}, "rejects": {"max": 0.1}},
        {"server": {"port": 0, "grpc_port": None, "grace_seconds": 0, "log_format": "json"}},
        {"server": {"predictions": {"path": "log", "omit": ["name"], "share": 0.01}}},
        {"server": {"predictions": None}},
        {"server": None},
    ],
)
def test_what_it_takes(config: Any) -> None:
    assert wrong(config) == []


@pytest.mark.parametrize(
    ("config", "where", "told"),
    [
        (with_stage(use="clip", columns="x", hgh=3), "$.stages.one", "'hgh' was unexpected"),
        (with_stage(use="clip", columns="x", hi="high"), "$.stages.one.hi", "'high' is not of type 'number'"),
        (with_stage(use="clip", columns="x", enabled="yes"), "$.stages.one.enabled", "not of type 'boolean'"),
        (with_stage(use="clip"), "$.stages.one", "'columns' is a required property"),
        (with_stage(use="clop", columns="x"), "$.stages.one.use", "'clip' was expected"),
        (with_stage(use="impute", columns="x", strategy="maen"), "$.stages.one.strategy", "not one of"),
        (with_stage(use="xgboost", rounds=0), "$.stages.one.rounds", "0 is less than the minimum of 1"),
        (with_stage(use="xgboost", rounds=1.5), "$.stages.one.rounds", "1.5 is not of type 'integer'"),
        (with_stage(use="xgboost", scorer="fast"), "$.stages.one.scorer", "not one of"),
        (with_stage(use="calendar", columns="x", parts="hour"), "$.stages.one.parts", "not of type 'array'"),
        (with_stage(hgh=3), "$.stages.one", "'hgh' is not one of"),
        ({"stages": [{"use": "clip"}]}, "$.stages", "is not of type 'object'"),
        ({"stages": {"a b": {"use": "clip", "columns": "x"}}}, "$.stages", "does not match"),
        ({"stage": {}}, "$", "'stage' was unexpected"),
        ({"inputs": {"x": "float"}}, "$.inputs.x", "'float' is not one of"),
        ({"inputs": {"x": {"kind": "number", "missing": "drop"}}}, "$.inputs.x.missing", "not one of"),
        ({"target": "late"}, "$.target", "'late' is not of type 'object'"),
        ({"target": {"column": "a", "value": "b"}}, "$.target", "should not be valid"),
        ({"split": {"kind": "tiem"}}, "$.split.kind", "'tiem' is not one of"),
        ({"split": {"valid": 1.0}}, "$.split.valid", "1.0 is greater than or equal to the maximum of 1"),
        ({"source": {"use": "cvs"}}, "$.source.use", "'cvs' is not one of"),
        ({"source": {"use": "parquet", "delimiter": ";"}}, "$.source", "'delimiter' was unexpected"),
        ({"sink": {"mode": "replce"}}, "$.sink.mode", "'replce' is not one of"),
        ({"executor": {"threads": 0}}, "$.executor.threads", "0 is less than the minimum of 1"),
        ({"server": {"prot": 80}}, "$.server", "'prot' was unexpected"),
        ({"server": {"port": 65536}}, "$.server.port", "65536 is greater than the maximum of 65535"),
        ({"server": {"log_format": "xml"}}, "$.server.log_format", "not one of"),
        ({"server": {"predictions": {"sahre": 1}}}, "$.server.predictions", "'sahre' was unexpected"),
        ({"server": {"predictions": {"omit": "name"}}}, "$.server.predictions.omit", "not of type 'array'"),
        ({"seed": -1}, "$.seed", "-1 is less than the minimum of 0"),
    ],
)
def test_what_it_refuses(config: Any, where: str, told: str) -> None:
    found = wrong(config)
    assert any(message.startswith(f"{where}: ") and told in message for message in found), found


def test_every_option_of_a_server_is_described() -> None:
    server = SCHEMA["properties"]["server"]["anyOf"][0]["properties"]
    assert set(server) == {item.name for item in dataclasses.fields(Settings)} | {"predictions"}
    log = server["predictions"]["anyOf"][0]["properties"]
    assert set(log) == {item.name for item in dataclasses.fields(PredictionLog)}
    assert all(found["description"] for found in (*server.values(), *log.values()) if "anyOf" not in found)
    assert server["grpc_port"]["description"] == "Of gRPC. 0: any that is free; null: no gRPC."
    assert server["port"]["default"] == 8080


def test_plugins_of_the_user(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "schema_steps.py").write_text(
        "from engine.stage import ColumnStage, option, stage\n\n"
        "@stage('schema_steps')\nclass Steps(ColumnStage):\n"
        "    '''Round down.'''\n\n"
        "    size: float = option(gt=0, help='the step', runtime=True)\n"
    )
    (tmp_path / "schema_broken.py").write_text("import nothing_of_the_kind\n")
    assert main(["schema", f"plugins=[{tmp_path}]"]) == 0
    out, err = capsys.readouterr()
    schema = json.loads(out)
    assert schema["$defs"]["stage.schema_steps"]["properties"]["size"]["description"] == (
        "the step; may be changed on a bundle"
    )
    assert wrong(with_stage(use="schema_steps", columns="x", size=2), schema) == []
    assert "0 is less than or equal to the minimum of 0" in str(
        wrong(with_stage(use="schema_steps", columns="x", size=0), schema)
    )
    assert wrong(with_stage(use="schema_broken", anything=1), schema) == []
    assert err.startswith(
        "warning: any option is allowed for the stage 'schema_broken': the stage 'schema_broken' can't be "
    )


def test_help_tells_the_line_for_editors(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "--help"]) == 0
    assert "# yaml-language-server: $schema=../../engine.schema.json" in capsys.readouterr().out
