"""From what was typed to a config, a plan and a pipeline: the one way that all verbs share."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.cli.arguments import Arguments
from engine.cli.verbs import unread_keys
from engine.config.compose import bundle_path, compose
from engine.config.config import Config
from engine.errors import ConfigError, Mistake
from engine.pipeline import Pipeline
from engine.plan.build import build_plan
from engine.plan.override import runtime_changes
from engine.plan.plan import Plan

if TYPE_CHECKING:
    from engine.bundle import Contents


@dataclass(frozen=True)
class Opened:
    """What a verb works on.

    Parameters
    ----------
    config : Config
    plan : Plan
        After the overrides.
    pipeline : Pipeline or None
        None: some of its stages would have to learn first.
    bundle : str or None
        The folder that it was loaded from.
    """

    config: Config
    plan: Plan
    pipeline: Pipeline | None
    bundle: str | None = None

    def ready(self) -> Pipeline:
        """The pipeline, which can answer.

        Raises
        ------
        ConfigError
            It would have to be fitted first.
        """
        if self.pipeline is not None:
            return self.pipeline
        from engine.api import build

        return build(self.config)  # it says which stages learn, and what to do


@dataclass(frozen=True)
class Stored:
    """A bundle that was read once: what its config and its pipeline are made of.

    Parameters
    ----------
    path : str
    contents : Contents
    """

    path: str
    contents: Contents


def open_config(
    arguments: Arguments, *, saves: bool = False, folder: str | None = None
) -> tuple[Config, Stored | None]:
    """The composed config, and the bundle whose stored config is the pipeline.

    Parameters
    ----------
    arguments : Arguments
    saves : bool
        Whether ``bundle`` may be given beside ``pipeline``: the place to save.
    folder : str, optional
        Read the bundle here instead of where ``bundle`` says.

    Raises
    ------
    ConfigError, BundleError
    """
    typed = bundle_path(arguments.overrides)
    stored = _stored(folder if folder is not None and typed is not None else typed)
    config = compose(arguments.overrides, arguments.config_dir, base=_config(stored))
    if stored is None and config["bundle"] is not None:
        if "pipeline" not in config.files:  # an experiment's file names the bundle
            stored = _stored(config["bundle"] if folder is None else folder)
            config = compose(arguments.overrides, arguments.config_dir, base=_config(stored))
        elif not saves:
            message = "a pipeline and a bundle are both given, and each would be the pipeline; remove one"
            notes = (f"pipeline: {config.files['pipeline']}", f"bundle: {config['bundle']}")
            raise ConfigError([Mistake("bundle", message, notes)])
    mistakes = [
        Mistake(key, "it isn't built yet: no verb takes it", (f"set by: {config.set_by(key)}",))
        for key in unread_keys()
        if config[key] not in (None, {}, [])
    ]
    if mistakes:
        raise ConfigError(mistakes)
    return config, stored


def open_pipeline(arguments: Arguments, *, free: Collection[str] = ()) -> Opened:
    """What a verb works on: a loaded bundle with the overrides applied, or a pipeline's config.

    Parameters
    ----------
    arguments : Arguments
    free : collection of str
        Root keys that may differ from a bundle's for this verb, though its pipeline was fitted with them.

    Raises
    ------
    ConfigError
        Also where an override would need a refit.
    BundleError, ModelError
    """
    config, stored = open_config(arguments)
    return open_composed(config, stored, free=free)


def open_composed(config: Config, stored: Stored | None, *, free: Collection[str] = ()) -> Opened:
    """The same of a config that is composed.

    Parameters
    ----------
    config : Config
    stored : Stored or None
        The bundle whose config it was laid over.
    free : collection of str

    Raises
    ------
    ConfigError, BundleError, ModelError
    """
    plan = build_plan(config)
    if stored is None:
        from engine.api import build

        learns = any(planned.stage.learns() for planned in plan.stages)
        return Opened(config, plan, None if learns else build(config))
    from engine.api import load_contents

    folders = config["plugins"] or []
    folders = [folders] if isinstance(folders, str) else folders
    loaded = load_contents(stored.contents, stored.path, plugins=folders)
    learned = {planned.label for planned in loaded.plan.stages if planned.stage.learns()}
    mistakes = [
        mistake
        for mistake in runtime_changes(loaded.plan, plan, learned, str(stored.path))
        if mistake.where.partition(".")[0] not in free
    ]
    if mistakes:
        raise ConfigError(mistakes)
    if loaded.plan.config == plan.config:
        return Opened(config, plan, loaded, stored.path)
    labels = {planned.label for planned in plan.stages}
    kept = {label: found for label, found in loaded.learned.items() if label in labels}
    changed = Pipeline(plan, kept, None, (*loaded.overrides, *config.overrides))
    _refuse_twice(changed, config)
    return Opened(config, plan, changed, stored.path)


def _refuse_twice(pipeline: Pipeline, config: Config) -> None:
    """Refuse an output column that ``keep`` names, too: what a model makes is known by its bundle only."""
    made = {column.name for column, _ in pipeline.trace.outputs}
    mistakes = [
        Mistake(
            "keep",
            f"{name!r} is an output column already: remove it from keep",
            (f"set by: {config.set_by('keep')}",),
        )
        for name in pipeline.plan.keep
        if name in made
    ]
    if mistakes:
        raise ConfigError(mistakes)


def _stored(path: str | None) -> Stored | None:
    return None if path is None else read_stored(path)


def read_stored(path: str) -> Stored:
    """A bundle.

    Raises
    ------
    BundleError
    """
    from engine.bundle import read

    return Stored(path, read(path))


def _config(stored: Stored | None) -> Mapping[str, Any] | None:
    return None if stored is None else stored.contents.config
