"""``engine promote``: makes a version of a bundle the one in use."""

from __future__ import annotations

from pathlib import Path

from engine.cli.arguments import Arguments, root_key
from engine.cli.output import result_json, tell
from engine.config.compose import bundle_path, compose
from engine.errors import BundleError, ConfigError, Mistake, did_you_mean, listing


def run(arguments: Arguments) -> int:
    """See that a version answers as it did when it was fitted, then make it current."""
    from engine.api import load
    from engine.bundle import find, set_current, versions

    # 12e456789012 is a number to the grammar of overrides
    typed = [override for override in arguments.overrides if root_key(override) == "version"]
    others = [override for override in arguments.overrides if root_key(override) != "version"]
    path = bundle_path(others)
    if path is None:
        raise ConfigError([Mistake("bundle", "is not given", ("such as: bundle=bundles/flights",))])
    there = versions(path)
    if not there:
        find(Path(path))  # it says what is wrong
        raise BundleError(f"{path} is the folder of a version; the bundle is two folders above")
    version = _version(typed[-1].partition("=")[2].strip() if typed else "", path, there)
    run_keys = [item for item in others if root_key(item) == "plugins"]
    folders = compose(run_keys, arguments.config_dir, need_pipeline=False)["plugins"]
    folder = Path(path) / "versions" / version
    load(folder, plugins=[folders] if isinstance(folders, str) else folders or [])
    before = _current(Path(path))
    if before != version:
        set_current(path, version)
    if arguments.json:
        result_json({"bundle": path, "version": version, "before": before or None})
    if before == version:
        tell(f"{path}: version {version} is in use already")
    else:
        tell(f"{path}: version {version} is in use{f'; before it was {before}' if before else ''}")
    return 0


def _version(given: str, path: str, there: tuple[str, ...]) -> str:
    """The version that is meant: its name, or so much of it that it is the only one."""
    from engine.bundle import read_manifest

    if given:
        found = [name for name in there if name == given] or [
            name for name in there if len(given) >= 4 and name.startswith(given)
        ]
        if len(found) == 1:
            return found[0]
        if found:
            raise ConfigError([Mistake("version", f"{given!r} may be {listing(found)}")])
        hint = did_you_mean(given, there)
        raise ConfigError([Mistake("version", f"{path} has no version {given!r}.{hint}", (_listed(there),))])
    notes = []
    for name in there:
        try:
            made = read_manifest(Path(path) / "versions" / name).created
        except BundleError:
            made = "damaged"
        notes.append(f"version={name}  {made}{'  in use' if name == _current(Path(path)) else ''}")
    raise ConfigError([Mistake("version", f"is not given; {path} has these", tuple(notes))])


def _listed(there: tuple[str, ...]) -> str:
    return f"versions: {listing(there)}"


def _current(bundle: Path) -> str:
    """What is in use; empty: nothing that can be told."""
    try:
        return (bundle / "current").read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
