"""Where config files are looked for: the user's folder, then the packaged one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from engine.errors import ConfigError, Mistake


def packaged_conf() -> Path:
    """The folder of the engine's own configs: in a wheel inside the package, in a checkout beside it."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "conf"
    return inside if inside.is_dir() else package.parent / "conf"


def search_path(config_dir: str | Path | None) -> tuple[Path, ...]:
    """Folders to look in, the one that wins first.

    Raises
    ------
    ConfigError
        The user's folder doesn't exist, or holds a ``config.yaml`` that would replace the engine's own.
    """
    packaged = packaged_conf()
    if config_dir is None:
        return (packaged,)
    folder = Path(config_dir).absolute()
    if not folder.is_dir():
        what = "is a file, not a folder" if folder.exists() else "doesn't exist"
        raise ConfigError([Mistake("--config-dir", f"the folder {config_dir} {what}")])
    if folder.resolve() == packaged.resolve():
        return (packaged,)
    if (folder / "config.yaml").is_file():
        notes = ("put settings of your own in experiment/NAME.yaml and choose it with experiment=NAME",)
        message = f"{shown(folder / 'config.yaml')} would replace the engine's own config.yaml; rename it"
        raise ConfigError([Mistake("--config-dir", message, notes)])
    return (folder, packaged)


def groups(folders: Sequence[Path]) -> list[str]:
    """The names of the config groups: folders of choices."""
    found = {entry.name for folder in folders for entry in folder.iterdir() if entry.is_dir()}
    return sorted(name for name in found if not name.startswith((".", "_")))


def choices(folders: Sequence[Path], group: str) -> list[str]:
    """The names that ``group=NAME`` may choose."""
    return sorted({path.stem for folder in folders for path in (folder / group).glob("*.yaml")})


def find(folders: Sequence[Path], name: str) -> Path | None:
    """The file of a config such as ``pipeline/flights``."""
    candidates = (folder / f"{name}.yaml" for folder in folders)
    return next((path for path in candidates if path.is_file()), None)


def places(folders: Sequence[Path], below: str = "") -> str:
    """Where was looked, for messages; the packaged folder is told from one of the user's of the same name."""
    packaged = packaged_conf()
    return ", ".join("built in" if folder == packaged else shown(folder / below) for folder in folders)


def shown(path: Path) -> str:
    """A path for messages: ``conf/pipeline/flights.yaml``, relative where it can be."""
    path = path.absolute()
    for above in (Path.cwd(), packaged_conf().parent):
        if path.is_relative_to(above):
            return str(path.relative_to(above))
    return str(path)
