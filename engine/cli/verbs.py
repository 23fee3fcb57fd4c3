"""The verbs: what each does, which keys of the config it takes, and what its help says."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass

from engine import __version__
from engine.cli.arguments import Arguments, root_key
from engine.config.config import PIPELINE_KEYS, ROOT_KEYS
from engine.errors import ConfigError, Mistake, listing


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb of the command line.

    Parameters
    ----------
    name : str
        Its module in ``engine.cli``, too, whose ``run(arguments)`` returns the exit code.
    summary : str
        One line for the list of verbs.
    usage : str
        What follows its name.
    keys : tuple of str
        The root keys that it takes besides the pipeline's own.
    help : tuple of (str, str)
        What can be typed, and what it means.
    examples : tuple of str
    pipeline : bool
        Whether it takes a pipeline and the keys of one.
    names : bool
        Whether it takes names.
    """

    name: str
    summary: str
    usage: str
    keys: tuple[str, ...]
    help: tuple[tuple[str, str], ...]
    examples: tuple[str, ...]
    pipeline: bool = True
    names: bool = False

    def run(self, arguments: Arguments) -> int:
        """Do it; returns the exit code."""
        run: Callable[[Arguments], int] = importlib.import_module(f"engine.cli.{self.name}").run
        return run(arguments)


_PIPELINE = ("pipeline=NAME", "the pipeline in conf/pipeline/NAME.yaml, or in your --config-dir")
_BUNDLE = ("bundle=PATH", "a fitted pipeline: the folder of a bundle, or of one of its versions")
_SOURCE = ("source.path=PATH", "what to read: a file, a folder, a pattern or a URL (s3://…), by its ending")
_CHANGE = ("stages.LABEL.OPTION=…", "any key of the pipeline may be changed; ~stages.LABEL removes a stage")
_RUNTIME = ("stages.LABEL.OPTION=…", "on a bundle: options marked runtime, where nothing learned lies behind")
_PLUGINS = ("plugins=[DIR]", "folders with stages and other plugins of your own")

VERBS = (
    Verb(
        "demo",
        "the main job on real data: fit, batch, one row at a time, and a check that both gave the same bits",
        "[overrides]",
        (),
        (_CHANGE,),
        ("engine demo", "engine demo stages.model.rounds=50"),
    ),
    Verb(
        "fit",
        "labelled source → bundle, with the metrics of a held-out part",
        "pipeline=NAME source.path=PATH [overrides]",
        ("plugins", "bundle", "source", "experiment"),
        (
            _PIPELINE,
            _SOURCE,
            (
                "bundle=PATH",
                "where to save (bundles/NAME); without pipeline=, the bundle that is fitted again",
            ),
            ("target.column=NAME", "what is learned; or 'target.value=\"arr_delay >= 15\"'"),
            ("split.kind=…", "time, random or group; split.column, split.valid, split.test"),
            _CHANGE,
            _PLUGINS,
        ),
        ("engine fit pipeline=flights source.path=flights.parquet stages.model.rounds=300",),
    ),
    Verb(
        "batch",
        "bundle + source → sink: scores every row of a source",
        "bundle=PATH source.path=PATH sink.path=PATH [overrides]",
        ("plugins", "bundle", "source", "sink", "rejects", "executor", "resume", "experiment"),
        (
            _BUNDLE,
            ("pipeline=NAME", "instead of a bundle, where nothing is to be learned"),
            _SOURCE,
            ("sink.path=PATH", "a path or a URL: with an ending one file, without one a folder of parts"),
            ("… path=-", "standard input or output, with source.use or sink.use: csv or jsonl"),
            (
                "sink.mode=error",
                "what happens to a sink that is there: error, replace or append",
            ),
            ("rejects.path=PATH", "where refused rows go (beside the sink)"),
            ("rejects.max=0", "how many rows may be refused: a count (100), a share (0.01) or null: any"),
            ("source.new_only=true", "only files that no committed run of this sink has read"),
            ("executor.threads=N", "threads (all processors)"),
            ("executor=ray", "shards on the machines of a Ray cluster: executor.address=ADDRESS"),
            ("resume=auto", "what happens to a run that was begun: auto: goes on; never: discarded; require"),
            _RUNTIME,
        ),
        ("engine batch bundle=bundles/flights source.path=new.parquet sink.path=scores.parquet",),
    ),
    Verb(
        "serve",
        "bundle → HTTP and gRPC: answers requests until it is stopped, and takes new versions meanwhile",
        "bundle=PATH [server.…] [overrides]",
        ("plugins", "bundle", "server", "experiment"),
        (
            _BUNDLE,
            ("pipeline=NAME", "instead of a bundle, where nothing is to be learned"),
            ("server.host=127.0.0.1", "the address; 0.0.0.0 is all of this machine's, and needs server.keys"),
            ("server.port=8080", "of HTTP; 0: any that is free"),
            ("server.grpc_port=9000", "of gRPC; null: none"),
            ("server.workers=1", "processes that answer"),
            ("server.keys=PATH", "the file of API keys' hashes: engine new key NAME"),
            ("server.tls_cert=PATH", "a certificate; server.tls_key, server.tls_client_ca"),
            ("server.predictions.path=DIR", "keep what was asked and answered, as Parquet"),
            ("server.OPTION=…", "limits and times: docs/serving.md has them all"),
            ("server=NAME", "options of your own: DIR/server/NAME.yaml below --config-dir DIR"),
            _RUNTIME,
            _PLUGINS,
        ),
        ("engine serve bundle=bundles/flights", "engine serve bundle=bundles/flights server.workers=4"),
    ),
    Verb(
        "evaluate",
        "bundle + labelled source → metrics, overall and by segment, and a report with charts",
        "bundle=PATH source.path=PATH [by=NAME] [report=PATH.html] [overrides]",
        ("plugins", "bundle", "source", "experiment", "by", "metrics", "report"),
        (
            _BUNDLE,
            ("pipeline=NAME", "instead of a bundle, where nothing is to be learned"),
            _SOURCE,
            ("target.column=NAME", "another target than the pipeline's; or target.value=EXPRESSION"),
            ("split.part=test", "only this part, as fit splits; else all labelled rows"),
            ("by=NAME", "the same for the rows of each value of a column; by=[carrier,origin] for each pair"),
            ("metrics=[…]", "these metrics; default stands for those that fit the model"),
            ("report=PATH.html", "metrics, segments and charts in one file"),
            _RUNTIME,
        ),
        (
            "engine evaluate bundle=bundles/flights source.path=labelled.parquet by=carrier",
            "engine evaluate bundle=bundles/flights source.path=labelled.parquet report=flights.html",
        ),
    ),
    Verb(
        "promote",
        "makes a version of a bundle the one in use; a server takes it at once",
        "bundle=PATH version=VERSION",
        ("plugins", "bundle", "version"),
        (
            ("bundle=PATH", "the folder of a bundle"),
            ("version=VERSION", "its 12 hex digits, or the first of them; left out: those that there are"),
            _PLUGINS,
        ),
        ("engine promote bundle=bundles/flights version=0c58dfec577c",),
        pipeline=False,
    ),
    Verb(
        "check",
        "everything that batch does, short of reading data; what serve is told, short of listening",
        "bundle=PATH | pipeline=NAME [source.path=PATH] [sink.path=PATH] [server.…] [overrides]",
        ("plugins", "bundle", "source", "sink", "rejects", "executor", "resume", "server", "experiment"),
        (
            _BUNDLE,
            _PIPELINE,
            _SOURCE,
            ("sink.path=PATH", "whether it can be written"),
            ("server.OPTION=…", "whether a server may start so: its keys, certificates, address"),
            _CHANGE,
        ),
        ("engine check bundle=bundles/flights source.path=new.parquet sink.path=scores.parquet",),
    ),
    Verb(
        "explain",
        "the compiled pipeline: stages, columns, what was fused and pruned; where its time goes",
        "bundle=PATH | pipeline=NAME [overrides]",
        ("plugins", "bundle", "kernel", "profile", "source", "experiment"),
        (
            _BUNDLE,
            _PIPELINE,
            ("kernel=true", "print the emitted source, too"),
            ("profile=true", "instead: run rows of source.path, and print the time by stage"),
            _CHANGE,
        ),
        ("engine explain bundle=bundles/flights", "engine explain pipeline=flights ~stages.squeeze"),
    ),
    Verb(
        "trace",
        "one row's value after every stage: why its score is what it is",
        "bundle=PATH row=ROW [overrides]",
        ("plugins", "bundle", "source", "row", "experiment"),
        (
            _BUNDLE,
            ("pipeline=NAME", "instead of a bundle, where nothing is to be learned"),
            (
                "row='{…}'",
                "the row, as a JSON object: a value for each input; one that is left out is missing",
            ),
            ("row=N", "instead: the row of source.path at this place, from 0"),
            _SOURCE,
            _RUNTIME,
        ),
        (
            """engine trace bundle=bundles/flights row='{"dep_delay": 12, "carrier": "UA"}'""",
            "engine trace bundle=bundles/flights source.path=new.parquet row=7",
        ),
    ),
    Verb(
        "stages",
        "every stage and other plugin, where it comes from; with a NAME: its options and defaults",
        "[NAME…] [kind=KIND]",
        ("plugins", "kind"),
        (
            ("NAME", "the stages to show in full"),
            (
                "kind=KIND",
                "these alone: stage, source, sink, executor, scorer or metric; with NAME: of it",
            ),
            _PLUGINS,
        ),
        ("engine stages", "engine stages clip", "engine stages csv kind=source", "engine stages --json"),
        pipeline=False,
        names=True,
    ),
    Verb(
        "schema",
        "JSON Schema of the config: an editor completes and checks pipeline files by it",
        "[plugins=[DIR]] > FILE",
        ("plugins",),
        (
            ("plugins=[DIR]", "folders with plugins of your own: the schema knows them, too"),
            ("> FILE", "keep it, as engine.schema.json in your project; then write into each pipeline file,"),
            ("", "below its first line, the path from there: in conf/pipeline/NAME.yaml"),
            ("", "# yaml-language-server: $schema=../../engine.schema.json"),
            ("", "(VS Code's YAML extension reads it, and every editor with yaml-language-server)"),
        ),
        ("engine schema > engine.schema.json",),
        pipeline=False,
    ),
    Verb(
        "new",
        "something to begin with, which runs: a stage with its test, or a whole project; a key for a server",
        "stage NAME kind=KIND [dir=DIR] | project NAME | key NAME [file=PATH]",
        ("kind",),
        (
            ("stage NAME", "a stage, its test, a pipeline that uses it, and rows to try it on"),
            ("kind=KIND", "column, row, schema, filter, score, group or array"),
            ("dir=DIR", "the folder of stages (plugins)"),
            ("project NAME", "a folder with a pipeline, a stage, tests and data"),
            (
                "key NAME",
                "a key for who asks the server: it is printed, and what it hashes to goes into a file",
            ),
            ("file=PATH", "that file (keys.txt), for server.keys=PATH; to take a key back, delete its line"),
        ),
        ("engine new stage per_room kind=row", "engine new project houses", "engine new key mobile-app"),
        pipeline=False,
        names=True,
    ),
)

_FLAGS = (
    ("--config-dir DIR", "your own folder of configs, such as DIR/pipeline/NAME.yaml"),
    ("-m", "run once for each combination of values (not built yet)"),
    ("--json", "the result as JSON on stdout"),
    ("--help", "this, or what a verb does: engine VERB --help"),
    ("--version", "the engine's version"),
)


def verb_names() -> list[str]:
    """The names of all verbs."""
    return [verb.name for verb in VERBS]


def check_keys(verb: Verb, arguments: Arguments) -> None:
    """Refuse keys that the verb would ignore.

    Raises
    ------
    ConfigError
    """
    taken = {*verb.keys, *(PIPELINE_KEYS if verb.pipeline else ())}
    if "bundle" in verb.keys:
        taken |= {"pipeline"}
    mistakes = []
    for key in dict.fromkeys(root_key(override) for override in arguments.overrides):
        if key in taken or key not in (*ROOT_KEYS, "pipeline"):
            continue  # compose knows what to say of a key that doesn't exist
        mistakes.append(Mistake(key, f"engine {verb.name} doesn't take {key!r}", (_takers(key),)))
    if mistakes:
        raise ConfigError(mistakes)


def unread_keys() -> tuple[str, ...]:
    """Root keys that no verb reads."""
    read = {key for verb in VERBS for key in verb.keys}
    return tuple(key for key in ROOT_KEYS if key not in read and key not in PIPELINE_KEYS)


def _takers(key: str) -> str:
    own = [
        verb.name
        for verb in VERBS
        if key in verb.keys
        or (key == "pipeline" and "bundle" in verb.keys)
        or (key in PIPELINE_KEYS and verb.pipeline)
    ]
    return f"taken by: {listing(own)}" if own else "it isn't built yet: no verb takes it"


# -- help


def general_help() -> str:
    """What ``engine --help`` says."""
    lines = [
        f"engine {__version__}: declarative XGBoost inference pipelines, same bits in batch and real time",
        "",
        "usage: engine VERB [NAME…] [key=value…] [flags]",
        "",
        "verbs",
        *_pairs([(verb.name, verb.summary) for verb in VERBS]),
        "",
        "flags, anywhere",
        *_pairs(_FLAGS),
        "",
        "key=value changes the config; +key=value adds to it, ~key removes. A value with '=', blanks or",
        "brackets needs quotes inside of quotes: 'source.path=\"data/year=2013\"'",
        "",
        "exit codes: 0 done, 1 a bug in the engine, 2 a mistake to mend, 3 parts failed, 4 a check failed,",
        "75 stopped: the same command goes on, 130 interrupted",
    ]
    return "\n".join(lines)


def verb_help(verb: Verb) -> str:
    """What ``engine VERB --help`` says."""
    flags = [pair for pair in _FLAGS if pair[0] != "--version"]
    lines = [
        f"usage: engine {verb.name} {verb.usage}",
        "",
        f"{verb.summary[0].upper()}{verb.summary[1:]}.",
        "",
        *_pairs(verb.help),
        "",
        *_pairs(flags),
        "",
        "such as",
        *(f"  {example}" for example in verb.examples),
    ]
    return "\n".join(lines)


def _pairs(pairs: tuple[tuple[str, str], ...] | list[tuple[str, str]]) -> list[str]:
    width = max(len(name) for name, _ in pairs)
    return [f"  {name:<{width}}  {text}" for name, text in pairs]
