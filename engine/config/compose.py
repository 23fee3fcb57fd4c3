"""Config files and overrides to one plain config. The only importer of Hydra.

Hydra composes the files: its defaults lists, groups and search path. Overrides are parsed by Hydra's own
parser and applied here (`engine.config.change`), so that every mistake can be said in the engine's words.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]
from hydra import version
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_search_path_impl import ConfigSearchPathImpl
from hydra._internal.core_plugins import basic_launcher, basic_sweeper
from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra._internal.core_plugins.importlib_resources_config_source import ImportlibResourcesConfigSource
from hydra._internal.core_plugins.structured_config_source import StructuredConfigSource
from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.singleton import Singleton
from hydra.core.utils import JobRuntime, setup_globals
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from hydra.types import RunMode
from hydra.version import VersionBase
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from engine.config import folders as conf
from engine.config import mistaken, refuse
from engine.config.change import SET_BY, Change, apply_changes
from engine.config.config import ROOT_KEYS, Config
from engine.errors import ConfigError, Mistake, listing

_STORED = "__stored__"
_ROOT_GROUPS = ("pipeline", "source", "sink", "executor", "server", "experiment")
"""The groups in the defaults list of the root config."""
_STOCK_PLUGINS = (basic_launcher, basic_sweeper)
"""Imported because that is how they get into Hydra's ConfigStore, where Hydra's defaults name them."""
_LOCK = threading.Lock()


def compose(
    overrides: Sequence[str] = (),
    config_dir: str | Path | None = None,
    base: Mapping[str, Any] | None = None,
    *,
    need_pipeline: bool = True,
) -> Config:
    """The config of a verb: files and overrides put together, interpolations resolved.

    Works inside another Hydra application and leaves its state as it was.

    Parameters
    ----------
    overrides : sequence of str
        Hydra overrides, such as ``pipeline=flights`` and ``stages.squeeze.hi=300``.
    config_dir : path, optional
        The user's own folder of configs; its files win over the packaged ones.
    base : mapping, optional
        A bundle's stored config, which takes the place of a pipeline file. Nothing in it is interpolated.
        Ignored where a pipeline is chosen.
    need_pipeline : bool
        Whether it is a mistake that there is neither a pipeline nor a bundle.

    Raises
    ------
    ConfigError
        With every mistake that could be found at once.

    Examples
    --------
    >>> compose(["pipeline=flights", "stages.squeeze.hi=300"])["stages"]["squeeze"]["hi"]
    300
    """
    path = conf.search_path(config_dir)
    try:
        return _compose(tuple(overrides), path, base, need_pipeline)
    except RecursionError:
        chosen = [text.lstrip("+").replace("=", "/", 1) for text in overrides if "=" in text]
        raise ConfigError([mistaken.too_deep(path, chosen)]) from None


def _compose(
    typed: tuple[str, ...], path: tuple[Path, ...], base: Mapping[str, Any] | None, need_pipeline: bool
) -> Config:
    choices, changes = _split(_parsed(typed, conf.choices(path, "pipeline")), path)
    if base is not None:
        _raise(refuse.in_base(base))
        if not any(choice.startswith("pipeline=") for choice in choices):
            choices = [*choices, f"pipeline={_STORED}"]
    raw, chosen = _composed(path, choices, base)
    files = {group: found for group, name in chosen.items() if (found := _file(path, group, name, changes))}
    if "experiment" in files:
        files |= dict.fromkeys(_keys_of(path, f"experiment/{chosen['experiment']}"), files["experiment"])
    _raise(refuse.unknown_roots(raw, path, chosen))
    changed = apply_changes(raw, changes)
    _raise(changed.mistakes)
    merged = {key: changed.data.get(key) for key in ROOT_KEYS} | {"experiment": chosen.get("experiment")}
    data = _resolved(merged, Config({}, typed, files, changed.typed).set_by)
    _raise(refuse.bundle(data["bundle"]))
    if need_pipeline and chosen.get("pipeline") is None and data["bundle"] is None:
        names = conf.choices(path, "pipeline")
        notes = (f"pipelines: {listing(names, 40)}", f"looked in: {conf.places(path)}")
        raise ConfigError([Mistake("", "no pipeline is chosen; add pipeline=NAME or bundle=PATH", notes)])
    if data["name"] is None and chosen.get("pipeline") not in (None, _STORED):
        data["name"] = Path(str(chosen["pipeline"])).name
    return Config(data, typed, files, changed.typed)


def bundle_path(overrides: Sequence[str]) -> str | None:
    """The bundle whose stored config is the pipeline: of ``bundle=PATH``, where no ``pipeline=`` is chosen.

    Nothing is composed and no other override is looked at.

    Raises
    ------
    ConfigError
        The override can't be parsed.

    Examples
    --------
    >>> bundle_path(["bundle=bundles/flights", "stages.squeeze.hi=300"])
    'bundles/flights'
    """
    concerned = [text for text in overrides if re.match(r"\+{0,2}(bundle|pipeline)=", text)]
    values = {parsed.key_or_group: parsed.value() for parsed in _parsed(concerned, ())}
    if values.get("pipeline") is not None or values.get("bundle") is None:
        return None
    _raise(refuse.bundle(values["bundle"]))
    return str(values["bundle"])


def _raise(mistakes: Sequence[Mistake]) -> None:
    if mistakes:
        raise ConfigError(mistakes)


# -- overrides


def _parsed(overrides: Sequence[str], pipelines: Sequence[str]) -> list[Override]:
    parser = OverridesParser.create()
    parsed: list[Override] = []
    mistakes: list[Mistake] = []
    for text in overrides:
        try:
            (override,) = parser.parse_overrides([text])
        except (OverrideParseException, HydraException) as error:
            mistakes.append(mistaken.unparsable(text, pipelines, _reads, str(error)))
            continue
        except RecursionError:
            mistakes.append(mistaken.nested_override(text))
            continue
        if override.is_sweep_override():
            mistakes.append(mistaken.several_values(text))
        else:
            parsed.append(override)
    _raise(mistakes)
    return parsed


def _reads(text: str) -> Any:
    """The value that the parser reads in an override, or None."""
    try:
        return OverridesParser.create().parse_override(text).value()
    except HydraException:
        return None


def _split(parsed: Sequence[Override], path: Sequence[Path]) -> tuple[list[str], list[Change]]:
    """Overrides that choose files, for Hydra, and those that change values."""
    present = conf.groups(path)
    groups = {*present, *_ROOT_GROUPS}
    choices: list[str] = []
    changes: list[Change] = []
    mistakes: list[Mistake] = []
    for override in parsed:
        name, value = override.key_or_group, override.value()
        root = re.split(r"[./]", name)[0]
        if root == "hydra":
            mistakes.extend(refuse.in_hydra_override(name, value))
        elif (root not in groups or _is_inside(override)) and (
            wrong := refuse.in_override(name, value, groups)
        ):
            mistakes.extend(wrong)
        elif "/" in name or override.package is not None or (name in groups and not isinstance(value, dict)):
            if not override.is_delete():
                mistakes.extend(mistaken.no_such_choices(name, value, path))
            # Where there is no folder yet, Hydra knows no group, and nothing to leave out.
            if value is not None or name in present:
                choices.append(_choice(override))
        else:
            mistakes.extend(refuse.in_override(name, value, groups))
            changes.append(_change(override))
    emptied = {found.key_or_group for found in parsed if found.value() is None or found.is_delete()}
    for group in ("source", "sink", "executor", "server"):
        below = [change.text for change in changes if change.key.startswith(f"{group}.")]
        if group in emptied and below:
            message = f"{group}=null leaves it out, and {below[0]} changes it; remove one"
            mistakes.append(Mistake(group, message, (SET_BY,)))
    _raise(mistakes)
    return choices, changes


def _is_inside(override: Override) -> bool:
    """Whether it changes a group's content, of which a file can be chosen only."""
    name = override.key_or_group
    return name.split(".")[0] in refuse.CHOSEN and ("." in name or isinstance(override.value(), dict))


def _choice(override: Override) -> str:
    """The override as Hydra wants it, which knows no ``group=null`` and tells ``+group=`` from ``group=``."""
    if override.value() is None and not override.is_delete():
        return f"~{override.get_key_element().lstrip('+')}"
    text = str(override.input_line)
    return text.lstrip("+") if override.key_or_group in _ROOT_GROUPS else text


def _change(override: Override) -> Change:
    text, key, value = str(override.input_line), override.key_or_group, override.value()
    if override.is_delete():
        return Change("remove", key, value, text)
    if override.is_force_add():
        return Change("force", key, value, text)
    return Change("add" if override.is_add() else "set", key, value, text)


# -- Hydra


@contextmanager
def _own_hydra(base: Mapping[str, Any] | None) -> Iterator[None]:
    """Hydra's process-wide state replaced by a fresh one, and put back.

    Another application's ConfigStore must go too: Hydra would validate our files against its entries of the
    same name.
    """
    with _LOCK:
        instances: dict[type, Any] = Singleton._instances
        kept = dict(instances)
        stock = {
            k: v
            for k, v in ConfigStore.instance().repo.items()
            if k in ("hydra", "_dummy_empty_config_.yaml")
        }
        try:
            for single in (ConfigStore, JobRuntime, SourcesRegistry, VersionBase):
                instances.pop(single, None)
            version.setbase("1.3")
            JobRuntime.instance().set("name", "engine")
            # Hydra would import every installed plugin to find these three.
            for source in (FileConfigSource, ImportlibResourcesConfigSource, StructuredConfigSource):
                SourcesRegistry.instance().register(source)
            store = ConfigStore.instance()
            store.repo = stock
            if base is not None:
                node = OmegaConf.create(refuse.escaped(base))
                store.store(group="pipeline", name=_STORED, node=node, package="_global_")
            yield
        finally:
            instances.clear()
            instances.update(kept)


def _composed(
    path: Sequence[Path], choices: Sequence[str], base: Mapping[str, Any] | None
) -> tuple[dict[str, Any], dict[str, str | None]]:
    """The composed files, interpolations as written, and the file chosen for each group."""
    search = ConfigSearchPathImpl()
    search.append("hydra", "pkg://hydra.conf")
    for folder in path:
        search.append("main" if folder == path[-1] else "--config-dir", f"file://{folder}")
    search.append("schema", "structured://")
    with _own_hydra(base):
        setup_globals()
        try:
            composed = ConfigLoaderImpl(search).load_configuration(
                "config", list(choices), RunMode.RUN, from_shell=False
            )
        except (HydraException, OmegaConfBaseException, yaml.YAMLError, ValueError, OSError) as error:
            raise ConfigError([_translated(error, path)]) from error
    plain: Any = OmegaConf.to_container(composed, resolve=False)
    own = plain.pop("hydra")
    _raise(refuse.in_hydra(own))
    chosen = {
        str(group).split("@")[0]: name
        for group, name in own["runtime"]["choices"].items()
        if not str(group).startswith("hydra/")
    }
    return {str(key): value for key, value in plain.items()}, chosen


def _translated(error: Exception, path: Sequence[Path]) -> Mistake:
    """A failure of Hydra, in the engine's words."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return mistaken.no_yaml(Path(mark.name), mark.line, mark.column, str(error.problem))
    if isinstance(error, MissingConfigException) and error.missing_cfg_file is not None:
        by = re.match(r"In '([^']+)'", str(error))
        return mistaken.missing_default(error.missing_cfg_file, by[1] if by else "", path)
    if isinstance(error, UnicodeDecodeError):
        return mistaken.not_utf8(path)
    return mistaken.of_hydra(str(error) or str(error.__cause__) or type(error).__name__, path)


def _resolved(data: dict[str, Any], set_by: Callable[[str], str]) -> dict[str, Any]:
    """Interpolations replaced by their values."""
    try:
        plain = OmegaConf.to_container(OmegaConf.create(data), resolve=True)
    except OmegaConfBaseException as error:
        lines = (error.msg or str(error)).splitlines()
        where = error.full_key or ""
        raise ConfigError([Mistake(where, lines[0], (f"set by: {set_by(where)}",))]) from error
    assert isinstance(plain, dict)
    resolved = {str(key): value for key, value in plain.items()}
    _raise([*refuse.targets(resolved, set_by), *refuse.not_given(resolved, set_by)])
    return resolved


def _keys_of(path: Sequence[Path], name: str) -> list[str]:
    """The keys that a file sets by itself."""
    found = conf.find(path, name)
    content = yaml.safe_load(found.read_text(encoding="utf-8")) if found is not None else None
    pending = [(str(key), value) for key, value in (content or {}).items() if key != "defaults"]
    keys: list[str] = []
    while pending:
        key, value = pending.pop()
        if isinstance(value, dict):
            pending += [(f"{key}.{inner}", below) for inner, below in value.items()]
        else:
            keys.append(key)
    return keys


def _file(path: Sequence[Path], group: str, name: str | None, changes: Sequence[Change]) -> str | None:
    if name == _STORED:
        bundles = [change.value for change in changes if change.key == "bundle"]
        return f"the bundle {bundles[-1]}" if bundles else "the bundle"
    found = conf.find(path, f"{group}/{name}") if name is not None else None
    return conf.shown(found) if found is not None else None
