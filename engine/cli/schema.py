"""``engine schema``: the JSON Schema of the config, by which editors complete and check pipeline files."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from engine.cli.arguments import Arguments
from engine.cli.docstring import parameters
from engine.cli.output import result, tell
from engine.cli.run_options import Sizes
from engine.cli.stages import registry_for
from engine.config.config import ROOT_KEYS
from engine.config.json_schema import DIALECT, Schema, mapping, of_kind, of_options, or_interpolation, or_null
from engine.plan.plan import Split
from engine.plan.stages import COMMON_KINDS
from engine.registry import PluginError, Registry
from engine.runtime.rejects import Rejects
from engine.runtime.serve.predictions.settings import PredictionLog
from engine.runtime.serve.settings import Settings
from engine.schema import INPUT_KINDS, POLICIES, Input
from engine.stage import ScoreStage, Stage

_COMMON_HELP = {
    "enabled": "false: left out, as if it weren't there",
    "before": "the label of the stage that it stands right before",
    "after": "the label of the stage that it stands right after",
    "columns": "which columns it gets: names, globs (temp_*) or kinds (numbers)",
    "drop": "true: the columns that it read go",
    "into": "the name of the column it makes",
}
_NAMES: Schema = {
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}, {"type": "null"}]
}
_NAME: Schema = {"type": ["string", "null"]}
_COUNT: Schema = or_interpolation({"type": ["integer", "null"], "minimum": 0})


def run(arguments: Arguments) -> int:
    """Print the schema."""
    registry, _ = registry_for(arguments)
    schema = config_schema(registry)
    # JSON in ASCII: whatever the terminal's encoding is, the file is UTF-8
    result(json.dumps(schema, indent=2))
    for name in registry.names():
        if f"stage.{name}" not in schema["$defs"]:
            tell(f"warning: any option is allowed for the stage {name!r}: {_why_not(registry, name)}")
    return 0


def config_schema(registry: Registry) -> Schema:
    """The JSON Schema (draft 2020-12) of a pipeline's file, with every root key.

    Parameters
    ----------
    registry : Registry
        Whose plugins ``use:`` may name. Of one that can't be imported the name alone is known.

    Examples
    --------
    >>> schema = config_schema(Registry())
    >>> schema["$defs"]["stage.clip"]["properties"]["hi"]["default"]
    'inf'
    """
    stages = _classes(registry, "stage")
    scorers = ["auto", *registry.names("scorer")]
    definitions = {
        f"stage.{name}": _stage(name, cls, registry.definition(name).place, scorers)
        for name, cls in stages.items()
        if cls is not None
    }
    sections: Mapping[str, Schema] = {
        "name": {
            "type": ["string", "null"],
            "description": "letters, digits, '_', '-' and '.'; null: the file's",
        },
        "inputs": _inputs(),
        "target": or_null(_target()),
        "group": {**_NAME, "description": "the column that says which rows belong together"},
        "weight": {**_NAME, "description": "the column of row weights"},
        "keep": {**_NAMES, "description": "columns carried to the output untouched"},
        "outputs": {**_NAMES, "description": "the other output columns; null: scores, then decisions"},
        "stages": {
            "type": "object",
            "description": "the steps by label, in the order in which they run",
            "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_-]*$"},
            "additionalProperties": {"$ref": "#/$defs/stage"},
        },
        "split": or_null(_split()),
        "seed": {**_COUNT, "description": "what every random choice starts from", "default": 0},
        "golden": {**_COUNT, "description": "test rows stored in the bundle; 0: none", "default": 64},
        "plugins": {**_NAMES, "description": "folders with plugins of your own"},
        "bundle": {**_NAME, "description": "a fitted pipeline; for fit: where it is saved"},
        "source": or_null(_by_extension("where rows come from", _classes(registry, "source"))),
        "sink": or_null(
            _by_extension(
                "where answers go",
                _classes(registry, "sink"),
                format={"enum": [*registry.names("sink"), None], "description": "of a folder's files"},
            )
        ),
        "rejects": or_null(mapping(_described(Rejects), description="what happens to refused rows")),
        "executor": or_null(_executor(registry)),
        "server": or_null(_server()),
    }
    return {
        "$schema": DIALECT,
        "title": "a pipeline of Engine",
        "type": "object",
        "properties": {
            "defaults": {"type": "array", "description": "Hydra's: the files that this one starts from"},
            **{key: sections.get(key, {}) for key in ROOT_KEYS},
        },
        "additionalProperties": False,
        "$defs": {"stage": _any_stage(stages, definitions), **definitions},
    }


# -- stages


def _classes(registry: Registry, kind: str) -> Mapping[str, type[Any] | None]:
    """The plugins of a kind by name; None for what can't be imported."""
    found: dict[str, type[Any] | None] = {}
    for name in registry.names(kind):
        try:
            found[name] = registry.load(name, kind)
        except PluginError:
            found[name] = None
    return found


def _why_not(registry: Registry, name: str) -> str:
    try:
        registry.load(name)
    except PluginError as error:
        return str(error).splitlines()[0]
    return ""


def _common() -> dict[str, Schema]:
    return {
        key: {**or_interpolation(of_kind(kind)), "description": _COMMON_HELP[key]}
        for key, kind in COMMON_KINDS.items()
    }


def _stage(name: str, cls: type[Stage], place: str, scorers: Sequence[str]) -> Schema:
    properties, needed = of_options(cls)
    if issubclass(cls, ScoreStage) and "scorer" in properties:
        names = or_interpolation({"enum": list(scorers)})
        properties["scorer"] = {**properties["scorer"], **names}
        properties["scorer"].pop("type", None)
    common = _common()
    if not cls.selects:
        del common["columns"]
    elif not cls.select_all:
        needed = ["columns", *needed]
    return mapping(
        {"use": {"const": name}, **common, **properties},
        needed,
        description=f"{_summary(cls)} ({place})",
    )


def _any_stage(stages: Mapping[str, type[Stage] | None], definitions: Mapping[str, Schema]) -> Schema:
    """A stage whose options follow from ``use``; where that is inherited, any stage's options."""
    use = {
        "description": "the plugin",
        "anyOf": [
            *(
                {"const": name, **({"description": _summary(cls)} if cls is not None else {})}
                for name, cls in stages.items()
            ),
            {"type": "string", "pattern": r"\$\{"},
        ],
    }
    known = sorted({key for found in definitions.values() for key in found["properties"]})
    by_use = [
        {
            "if": {"properties": {"use": {"const": name}}, "required": ["use"]},
            "then": {"$ref": f"#/$defs/stage.{name}"},
        }
        for name in stages
        if f"stage.{name}" in definitions
    ]
    inherited = {
        "if": {"not": {"required": ["use"]}},
        "then": {"properties": _common(), "propertyNames": {"enum": known}},
    }
    return {"type": "object", "properties": {"use": use}, "allOf": [*by_use, inherited]}


def _summary(cls: type[Any]) -> str:
    return (inspect.getdoc(cls) or "").strip().split("\n", 1)[0].replace("``", "")


# -- the sections around them


def _inputs() -> Schema:
    policies, _ = of_options(Input, without=("name", "kind", "checked"))
    for key in ("missing", "invalid", "unknown"):
        policies[key] = {"enum": [*POLICIES, None], "default": policies[key]["default"]}
    kind = {"enum": [str(kind.value) for kind in INPUT_KINDS]}
    long = mapping({"kind": kind, **policies})
    return {
        "type": "object",
        "description": "the raw columns, and the kind of each",
        "additionalProperties": {"anyOf": [kind, long]},
    }


def _target() -> Schema:
    forms = ("column", "value", "columns", "lower")
    two = [
        {"properties": {key: {"type": ["string", "array"]} for key in pair}, "required": list(pair)}
        for pair in combinations(forms, 2)
    ]
    found = mapping(
        {
            "column": {**_NAME, "description": "a column of the labelled source"},
            "value": {**_NAME, "description": "an expression over columns of the labelled source"},
            "columns": {**_NAMES, "description": "several columns, each a target of its own"},
            "lower": {**_NAME, "description": "the column of lower bounds of a time; missing: 0"},
            "upper": {**_NAME, "description": "the column of upper bounds; missing: it isn't over"},
        },
        description="what is learned: a column, an expression, several columns, or a time between bounds",
    )
    return {**found, "not": {"anyOf": two}}


def _split() -> Schema:
    properties, _ = of_options(Split)
    for key in ("column", "part"):
        properties[key] = or_null(properties[key])
    for key in ("valid", "test"):
        properties[key] |= {"minimum": 0, "exclusiveMaximum": 1}
    return mapping(properties, description="how labelled rows are parted into train, valid and test")


def _server() -> Schema:
    log = mapping(_described(PredictionLog), description="the log of what was asked and answered")
    return mapping({**_described(Settings), "predictions": or_null(log)}, description="how it is served")


def _executor(registry: Registry) -> Schema:
    every = _described(Sizes)
    classes = _classes(registry, "executor")
    for cls in classes.values():
        if cls is not None:
            every |= of_options(cls)[0]
    use = {"enum": list(classes), "description": "who scores the shards", "default": "local"}
    return mapping({"use": use, **every}, description="how a batch is run")


def _described(cls: type[Any]) -> dict[str, Schema]:
    """The options of a dataclass; what says nothing of itself is described as the docstring has it."""
    told = parameters(inspect.getdoc(cls) or "")
    return {
        name: {"description": told[name], **found} if told.get(name) else found
        for name, found in of_options(cls)[0].items()
    }


def _by_extension(text: str, formats: Mapping[str, type[Any] | None], **more: Schema) -> Schema:
    """A source or a sink: of the plugin in ``use``, else of any that goes by extensions."""
    every: dict[str, Schema] = dict(more)
    by_use = []
    for name, cls in formats.items():
        if cls is None:
            continue
        # what is required may be given on the command line
        properties = {key: or_null(found) for key, found in of_options(cls)[0].items()}
        every |= properties
        by_use.append(
            {
                "if": {"properties": {"use": {"const": name}}, "required": ["use"]},
                "then": mapping({"use": {}, **more, **properties}, description=_summary(cls)),
            }
        )
    use = {
        "enum": ["auto", *formats, None],
        "description": "auto: by the extension of path",
        "default": "auto",
    }
    return mapping({"use": use, **every}, description=text, allOf=by_use)
