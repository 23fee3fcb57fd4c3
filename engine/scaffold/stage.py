"""``engine new stage``: a plugin that runs, its test, and a pipeline that uses it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from engine.errors import UserError, did_you_mean, listing
from engine.registry import Registry
from engine.scaffold.files import check_name, fill, sample_rows, write_new


@dataclass(frozen=True, slots=True)
class _Kind:
    base: str
    """The class in `engine.stage`."""
    options: str
    """How the pipeline uses it."""
    more: str = ""
    """Further keys of the pipeline."""
    learns: bool = False


_ALL = 'outputs: ["*"]'
KINDS: Mapping[str, _Kind] = MappingProxyType(
    {
        "column": _Kind("ColumnStage", "columns: [size], step: 50"),
        "row": _Kind("RowStage", "columns: [size, rooms], plus: 0, into: room_size"),
        "schema": _Kind("SchemaStage", "columns: [rooms]", _ALL),
        "filter": _Kind("RowFilter", "columns: [rooms], most: 5", _ALL),
        "score": _Kind("ScoreStage", "columns: [size, rooms]", "target: {column: price}", True),
        "group": _Kind("GroupStage", "columns: [size], by: city, into: above_first"),
        "array": _Kind("ArrayStage", "columns: [size, rooms], into: length"),
    }
)
"""The kinds of stage that can be begun."""


@dataclass(frozen=True, slots=True)
class Begun:
    """What was written, and what to type next.

    Parameters
    ----------
    files : tuple of Path
    commands : tuple of str
    """

    files: tuple[Path, ...]
    commands: tuple[str, ...]


def new_stage(name: str, kind: str, folder: str | None, where: Path) -> Begun:
    """Write a stage in a project.

    Parameters
    ----------
    name : str
    kind : str
        A key of `KINDS`.
    folder : str or None
        The folder of plugins below ``where``; None: the project's, else ``plugins``.
    where : Path
        The project's folder, or any.

    Raises
    ------
    UserError
        The name or the kind won't do, or a file is there already.
    """
    import engine.stage

    check_name(name, "a stage")
    if kind not in KINDS:
        raise UserError(
            f"kind: there is no kind of stage {kind!r}.{did_you_mean(kind, KINDS)}\n  kinds: {listing(KINDS)}"
        )
    chosen = KINDS[kind]
    if not hasattr(engine.stage, chosen.base):
        raise UserError(f"kind: this engine has no {chosen.base} yet; other kinds: {listing(_there())}")
    folder = _inside(folder or "plugins", where)
    _refuse_taken(name, where / folder)
    files = {
        where / folder / f"{name}.py": f"stage/{kind}.py.txt",
        where / "tests" / f"test_{name}.py": f"stage/{kind}.test.txt",
        where / "conf" / "pipeline" / f"{name}.yaml": "stage/pipeline.yaml.txt",
    }
    data = f"data/{name}.csv"
    given = f"--config-dir conf pipeline={name} source.path={data}"
    use = f"engine fit {given}" if chosen.learns else f"engine batch {given} sink.path=data/{name}_out.csv"
    if kind == "filter":
        use += " rejects.max=null"
    names = {
        "name": name,
        "class_name": "".join(word.capitalize() for word in name.split("_")),
        "folder": folder,
        "options": chosen.options,
        "more": chosen.more,
        "try_it": use,
    }
    texts = {path: fill(template, names) for path, template in files.items()}
    texts[where / data] = sample_rows(60)
    written = write_new(texts)
    return Begun(tuple(written), (f"python -m pytest tests/test_{name}.py", use))


def _there() -> list[str]:
    import engine.stage

    return [name for name, kind in KINDS.items() if hasattr(engine.stage, kind.base)]


def _inside(folder: str, where: Path) -> str:
    """A folder below the project's, as it is written in configs."""
    inner = os.path.relpath(where / folder, where).replace(os.sep, "/")
    if inner == "." or inner.startswith("..") or Path(folder).is_absolute():
        raise UserError(f"dir: {folder!r} must be a folder below {where}, such as dir=plugins")
    if '"' in inner or "$" in inner or "," in inner or " " in inner:
        raise UserError(f"dir: {folder!r}: use letters, digits, '_', '-' and '/'")
    return inner


def _refuse_taken(name: str, folder: Path) -> None:
    """Refuse the name of a stage that can be used already: two of one name are a mistake of every config."""
    registry = Registry([folder] if folder.is_dir() else [])
    if name in registry.names():
        where = "built in" if name in Registry().names() else f"in {folder.name}/"
        raise UserError(f"there is a stage {name!r} already ({where}); give another name")
