"""Read a bundle that is not trusted: only listed files, each checked against its size and sha256."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from engine.bundle import plain
from engine.bundle.arrays import read_learned, read_table
from engine.bundle.contents import Contents, compute_version
from engine.bundle.manifest import Manifest, from_plain, model_label
from engine.config.config import PIPELINE_KEYS
from engine.errors import BundleError, did_you_mean, listing
from engine.files import read_regular

_MOST_JSON = 2**24
_MOST_ARROW = 2**31
_MOST_CURRENT = 256


def read(path: str | os.PathLike[str]) -> Contents:
    """Everything in a bundle.

    Parameters
    ----------
    path : path
        The bundle's folder (the version in use is read), or the folder of one version.

    Raises
    ------
    BundleError
        There is no bundle, or it is damaged, unsafe or of another format.
    """
    folder = find(Path(path))
    manifest = read_manifest(folder)
    data = {name: _read_listed(folder, name, *entry) for name, entry in manifest.files.items()}
    config = plain.parse(data["config.json"], str(folder / "config.json"))
    check_config(config, str(folder / "config.json"))
    learned = read_learned(data["learned.arrow"], str(folder / "learned.arrow"))
    for name, content in data.items():
        if (label := model_label(name)) is not None:
            learned.setdefault(label, {})["model"] = np.frombuffer(content, np.uint8)
    found = compute_version(config, learned, manifest.plugin_versions)
    if found != manifest.version:
        raise BundleError(
            f"{folder}: its files make version {found[:12]}, but manifest.json says {manifest.version[:12]}; "
            "it was changed after it was written"
        )
    tables = {
        name: read_table(data[f"{name}.arrow"], str(folder / f"{name}.arrow"))
        for name in ("golden", "profile")
        if f"{name}.arrow" in data
    }
    return Contents(
        config=config,
        learned=learned,
        golden=tables.get("golden"),
        profile=tables.get("profile"),
        metrics=manifest.metrics,
        plugin_versions=manifest.plugin_versions,
        overrides=manifest.overrides,
        data=manifest.data,
        version=manifest.version,
        origin={**manifest.platform, "xgboost": manifest.packages.get("xgboost", "")},
    )


def read_manifest(path: str | os.PathLike[str]) -> Manifest:
    """The manifest alone, of a bundle's version in use or of one version's folder.

    Raises
    ------
    BundleError
        There is none, or it is damaged or of another format.
    """
    folder = find(Path(path))
    where = folder / "manifest.json"
    return from_plain(plain.parse(_read_file(where, _MOST_JSON), str(where)), str(where))


def versions(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """The versions of a bundle (12 hex digits each), sorted by name.

    Parameters
    ----------
    path : path
        The bundle's folder.
    """
    folder = Path(path) / "versions"
    if not folder.is_dir():
        return ()
    return tuple(sorted(item.name for item in folder.iterdir() if re.fullmatch("[0-9a-f]{12}", item.name)))


def version_folder(bundle: Path, version: str) -> Path:
    """The folder of a version.

    Raises
    ------
    BundleError
        The bundle has no such version.
    """
    folder = bundle / "versions" / version
    for item in (folder.parent, folder):
        if item.is_symlink():
            raise BundleError(f"{item} is a link; a bundle holds regular files and folders only")
    if not re.fullmatch("[0-9a-f]{12}", version) or not folder.is_dir():
        there = versions(bundle)
        raise BundleError(
            f"{bundle} has no version {version!r}.{did_you_mean(version, there)}\n"
            f"  versions: {listing(there)}"
        )
    return folder


def check_config(config: Any, where: str) -> None:
    """See that a stored config is a pipeline's alone and names no code.

    Raises
    ------
    BundleError
        It holds ``_target_``, ``plugins``, or a key that is not a pipeline's.
    """
    if not isinstance(config, Mapping):
        raise BundleError(f"{where} is no mapping")
    for key in config:
        if key == "plugins":
            raise BundleError(
                f"{where} names folders of plugins, which a bundle must not: they would run any code; "
                "give plugins=[…] on the command line"
            )
        if key not in PIPELINE_KEYS:
            raise BundleError(
                f"{where} has the key {key!r}, which is not a pipeline's; a bundle holds no other"
            )
    _refuse_targets(config, where, "")


def _refuse_targets(value: Any, where: str, at: str) -> None:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key == "_target_":
                raise BundleError(f"{where} holds {at}_target_, which names code to run; a bundle must not")
            _refuse_targets(item, where, f"{at}{key}.")
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            _refuse_targets(item, where, f"{at}{number}.")


def find(path: Path) -> Path:
    """The folder of a bundle's version in use, or of the version that ``path`` is itself.

    Raises
    ------
    BundleError
        There is no bundle, or it doesn't say what version is in use.
    """
    if not path.exists():
        parent = path.parent
        beside = sorted(item.name for item in parent.iterdir() if item.is_dir()) if parent.is_dir() else []
        held = f"{parent} holds: {listing(beside)}" if parent.is_dir() else f"there is no folder {parent}"
        raise BundleError(f"there is no bundle {path}.{did_you_mean(path.name, beside)}\n  {held}")
    if os.path.lexists(path / "manifest.json"):
        return path
    there = versions(path)
    if not os.path.lexists(path / "current"):
        if there:
            raise BundleError(
                f"{path} has no file 'current', which says what version is in use\n"
                f"  versions: {listing(there)}; give one of them as the bundle, or promote it"
            )
        raise BundleError(
            f"{path} is no bundle: it has neither 'current' (a bundle's folder) "
            "nor 'manifest.json' (the folder of one version)"
        )
    name = _read_file(path / "current", _MOST_CURRENT).decode("utf-8", "replace").strip()
    if not re.fullmatch("[0-9a-f]{12}", name):
        raise BundleError(f"{path / 'current'} says {name!r}; expected a version's 12 hex digits")
    if name not in there:
        raise BundleError(
            f"{path / 'current'} names version {name}, which isn't there\n  versions: {listing(there)}"
        )
    return version_folder(path, name)


def _read_listed(folder: Path, name: str, size: int, sha256: str) -> bytes:
    most = _MOST_JSON if name.endswith(".json") else _MOST_ARROW
    if size > most:
        raise BundleError(f"{folder / name} is listed with {size:,} bytes; at most {most:,} are read")
    data = _read_file(folder / name, size)
    if len(data) != size:
        raise BundleError(f"{folder / name} has {len(data):,} bytes, but the manifest says {size:,}")
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise BundleError(
            f"{folder / name} was changed after it was written:\n"
            f"  expected sha256 {sha256}\n  found    sha256 {found}"
        )
    return data


def _read_file(path: Path, most: int) -> bytes:
    """The bytes of a regular file that is no link, not more than ``most``."""
    try:
        return read_regular(path, most, BundleError, links=False)
    except FileNotFoundError:
        raise BundleError(f"{path} is missing") from None
    except OSError as error:
        if path.is_symlink():
            raise BundleError(f"{path} is a link; a bundle holds regular files only") from None
        if isinstance(error, IsADirectoryError):
            raise BundleError(f"{path} is no regular file") from None
        raise BundleError(f"{path} can't be read: {error.strerror}") from error
