"""``engine new``: a stage or a project to begin with, which runs; a key for who asks the server."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from pathlib import Path

from engine.cli.arguments import Arguments
from engine.cli.output import result, result_json, tell
from engine.errors import UserError, did_you_mean, listing
from engine.scaffold.project import new_project, project_folder
from engine.scaffold.stage import KINDS, Begun, new_stage

_KEYS = {"stage": ("kind", "dir"), "project": (), "key": ("file",)}
"""What can be begun, and the keys that it takes."""


def run(arguments: Arguments) -> int:
    """Write the files, and print which, and what to type next."""
    here = Path.cwd()
    what, *names = arguments.words or ("",)
    if what not in _KEYS:
        found = f"not {what!r}.{did_you_mean(what, _KEYS)}" if what else "and nothing is given"
        raise UserError(f"engine new takes 'stage NAME', 'project NAME' or 'key NAME', {found}")
    if len(names) != 1:
        given = listing(names) if names else "none"
        raise UserError(f"engine new {what} takes one name ({given} given): engine new {what} NAME")
    options = _options(arguments, what)
    if what == "key":
        return _key(names[0], options.get("file", "keys.txt"), json=arguments.json)
    if what == "project":
        begun, shown = new_project(names[0], here), here
    else:
        if "kind" not in options:
            raise UserError(f"kind: is needed: kind={'|'.join(KINDS)}")
        shown = project_folder(here)
        begun = new_stage(names[0], options["kind"], options.get("dir"), shown)
        if shown != here:
            begun = Begun(begun.files, (f"cd {shown} && {begun.commands[0]}", *begun.commands[1:]))
    files = [str(path.relative_to(shown)) for path in begun.files]
    if arguments.json:
        result_json({"folder": str(shown), "files": files, "commands": list(begun.commands)})
    else:
        written = [f"wrote in {shown}", *(f"  {name}" for name in files)]
        result("\n".join([*written, "", "type next", *(f"  {command}" for command in begun.commands)]))
    return 0


def _key(name: str, file: str, *, json: bool) -> int:
    from engine.scaffold.key import issue

    issued = issue(name, Path(file), datetime.now(UTC).date())
    if json:
        result_json({"name": issued.name, "key": issued.key, "file": str(issued.file)})
    else:
        result(issued.key)  # and nothing else, for scripts: KEY=$(engine new key NAME)
    tell(
        f"{issued.file} holds what the key of {issued.name!r} hashes to; the key itself is stored nowhere and"
        " isn't shown again\ntype next\n"
        f"  engine serve bundle=PATH {shlex.quote(f'server.keys={issued.file}')}\n"
        '  curl -H "X-API-Key: KEY" http://127.0.0.1:8080/v2'
    )
    return 0


def _options(arguments: Arguments, what: str) -> dict[str, str]:
    taken = _KEYS[what]
    found = {}
    for override in arguments.overrides:
        key, _, value = override.partition("=")
        if key not in taken:
            takes = f"It takes {listing(f'{name}=…' for name in taken)}" if taken else "It takes a name alone"
            raise UserError(f"engine new {what} doesn't take {key!r}.{did_you_mean(key, taken)} {takes}")
        if not value:
            raise UserError(f"{key}: is empty")
        found[key] = value
    if arguments.config_dir is not None:
        raise UserError(f"engine new {what} doesn't take --config-dir: it writes in the current folder")
    return found
