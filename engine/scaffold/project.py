"""``engine new project``: a folder with a pipeline, a stage of its own, tests, and data to begin with."""

from __future__ import annotations

from pathlib import Path

from engine.errors import UserError
from engine.registry import Registry
from engine.scaffold.files import check_name, fill, sample_rows, write_new
from engine.scaffold.stage import Begun

_FILES = {
    "README.md": "project/README.md.txt",
    "pyproject.toml": "project/pyproject.toml.txt",
    ".gitignore": "project/gitignore.txt",
    ".github/workflows/check.yml": "project/ci.yml.txt",
    "conf/pipeline/{name}.yaml": "project/pipeline.yaml.txt",
    "plugins/steps.py": "stage/column.py.txt",
    "tests/test_stages.py": "project/test_stages.py.txt",
    "tests/test_pipeline.py": "project/test_pipeline.py.txt",
}


def new_project(name: str, where: Path) -> Begun:
    """Write a project's folder.

    Parameters
    ----------
    name : str
        The folder's name, and the pipeline's.
    where : Path
        The folder that it is made in.

    Raises
    ------
    UserError
        The name won't do, or something of this name is there already.
    """
    check_name(name, "a project")
    if name in Registry().names():
        raise UserError(f"{name!r} is a stage's name already; give the project another")
    folder = where / name
    if folder.exists() or folder.is_symlink():
        raise UserError(f"{folder}: there already, and nothing is overwritten; give another name")
    names = {
        "name": name,
        "distribution": name.replace("_", "-").strip("-"),
        "class_name": "Steps",
        "folder": "plugins",
    }
    texts = {
        folder / path.format(name=name): fill(
            template, names | ({"name": "steps"} if "plugins/" in path else {})
        )
        for path, template in _FILES.items()
    }
    texts[folder / "data" / "sample.csv"] = sample_rows(300)
    written = write_new(texts)
    run = f"engine fit --config-dir conf pipeline={name} source.path=data/sample.csv"
    return Begun(tuple(written), (f"cd {name} && {run}", "python -m pytest"))


def project_folder(start: Path) -> Path:
    """The project around a folder: the nearest with a pyproject.toml and conf/; else the folder itself."""
    for folder in (start, *start.parents):
        if (folder / "pyproject.toml").is_file() and (folder / "conf").is_dir():
            return folder
    return start
