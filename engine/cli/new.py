"""``engine new stage NAME`` and ``engine new project NAME``: something to begin with, which runs."""

from __future__ import annotations

from pathlib import Path

from engine.cli.arguments import Arguments
from engine.cli.output import result, result_json
from engine.errors import UserError, did_you_mean, listing
from engine.scaffold.project import new_project, project_folder
from engine.scaffold.stage import KINDS, Begun, new_stage

_KEYS = ("kind", "dir")


def run(arguments: Arguments) -> int:
    """Write the files, and print which, and what to type next."""
    here = Path.cwd()
    what, *names = arguments.words or ("",)
    if what not in ("stage", "project"):
        found = f"not {what!r}.{did_you_mean(what, ('stage', 'project'))}" if what else "and nothing is given"
        raise UserError(f"engine new takes 'stage NAME' or 'project NAME', {found}")
    if len(names) != 1:
        given = listing(names) if names else "none"
        raise UserError(f"engine new {what} takes one name ({given} given): engine new {what} NAME")
    options = _options(arguments, what)
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


def _options(arguments: Arguments, what: str) -> dict[str, str]:
    taken = _KEYS if what == "stage" else ()
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
