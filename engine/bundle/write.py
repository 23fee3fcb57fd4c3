"""Write a bundle so that a crash at any point leaves the version before it in use."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shlex
import shutil
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from engine.bundle import manifest as manifests
from engine.bundle import plain
from engine.bundle.arrays import learned_bytes, table_bytes
from engine.bundle.contents import Contents, compute_version
from engine.bundle.read import check_config, read, read_manifest, version_folder
from engine.errors import BundleError
from engine.failpoint import reach

_ABANDONED_SECONDS = 24 * 3600


def write(path: str | os.PathLike[str], contents: Contents, make_current: bool = True) -> Path:
    """Write a version of a bundle; one that is there already is used again, and stays as it is.

    Its metrics, its profile and its golden rows are then those of the fit that wrote it: `versions`, asked
    before, tells whether it is there.

    Parameters
    ----------
    path : path
        The bundle's folder, such as ``bundles/flights``; made where it isn't there.
    contents : Contents
    make_current : bool
        Whether it becomes the version in use.

    Returns
    -------
    Path
        The version's folder.

    Raises
    ------
    BundleError
        The folder can't be written; or holds the same version with another target, split or other key
        that no answer depends on, or without golden rows; or a damaged version of the same name.
    """
    version = compute_version(contents.config, contents.learned, contents.plugin_versions)
    if contents.version not in ("", version):
        raise ValueError(f"the contents make version {version}, not {contents.version}")
    files = _files(contents)
    bundle = Path(path)
    folder = bundle / "versions" / version[:12]
    try:
        _make_folders(folder.parent)
        _remove_abandoned(bundle)
        if not folder.exists():
            _write_version(folder, files, contents, version)
        _see_that_same(folder, version, contents)
        if make_current:
            set_current(bundle, version[:12])
    except OSError as error:
        raise BundleError(f"the bundle {bundle} can't be written: {error.strerror or error}") from error
    return folder


def set_current(path: str | os.PathLike[str], version: str) -> None:
    """Make a version the one in use, in one step that a reader sees wholly or not at all.

    Parameters
    ----------
    path : path
        The bundle's folder.
    version : str
        The version's 12 hex digits, or all 64.

    Raises
    ------
    BundleError
        There is no such version, or its manifest is damaged.
    """
    bundle = Path(path)
    name = version[:12]
    read_manifest(version_folder(bundle, name))
    beside = bundle / f".current-{uuid.uuid4().hex}"
    try:
        _write_file(beside, f"{name}\n".encode())
        reach("bundle.before-current")
        beside.replace(bundle / "current")
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    reach("bundle.current-replaced")
    _sync_folder(bundle)


def _files(contents: Contents) -> dict[str, bytes]:
    check_config(contents.config, "the config")
    files = {"config.json": plain.dump(contents.config)}
    rest: dict[str, dict[str, Any]] = {}
    for label, learned in contents.learned.items():
        rest[label] = dict(learned)
        model = learned.get("model")
        if isinstance(model, np.ndarray) and model.dtype == np.uint8 and model.ndim == 1:
            files[manifests.model_file(label)] = model.tobytes()
            del rest[label]["model"]
    files["learned.arrow"] = learned_bytes(rest)
    if contents.golden is not None:
        files["golden.arrow"] = table_bytes(contents.golden)
    if contents.profile is not None:
        files["profile.arrow"] = table_bytes(contents.profile)
    return files


def _write_version(folder: Path, files: dict[str, bytes], contents: Contents, version: str) -> None:
    beside = folder.parent / f".tmp-{uuid.uuid4()}"
    beside.mkdir()
    try:
        for name, data in files.items():
            _write_file(beside / name, data)
            reach(f"bundle.file.{name}")
        listed = {name: (len(data), hashlib.sha256(data).hexdigest()) for name, data in files.items()}
        made = manifests.Manifest(
            version=version,
            files=listed,
            engine=manifests.engine_version(),
            plugin_versions=contents.plugin_versions,
            packages=manifests.package_versions(),
            platform=manifests.this_platform(),
            git=manifests.git_commit(),
            overrides=contents.overrides,
            data=contents.data,
            metrics=contents.metrics,
            created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        )
        _write_file(beside / "manifest.json", plain.dump(made.as_plain()))
        _sync_folder(beside)
        reach("bundle.before-rename")
        try:
            beside.rename(folder)
        except OSError as error:
            # Another process wrote the same version meanwhile: versions never change, so its files serve.
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        reach("bundle.renamed")
        _sync_folder(folder.parent)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _see_that_same(folder: Path, version: str, contents: Contents) -> None:
    found = read(folder)
    if found.version != version:
        raise BundleError(
            f"{folder} holds version {found.version}, whose name begins like that of {version}; "
            "write to another bundle"
        )
    there, here = plain.to_json(found.config), plain.to_json(contents.config)
    keys = [key for key in dict.fromkeys((*there, *here)) if there.get(key) != here.get(key)]
    lines = [f"{key}: {json.dumps(there.get(key))} there, {json.dumps(here.get(key))} here" for key in keys]
    if not keys and contents.golden is not None and found.golden is None:
        lines = ["golden rows: none there"]
    if lines:
        head = f"{folder} holds this version already: it answers the same, but was made otherwise"
        remove = f"rm -r {shlex.quote(str(folder))}"
        advice = f"save it in another bundle: bundle=PATH   or remove that version: {remove}"
        raise BundleError("\n  ".join((f"{head}, and a version never changes", *lines, advice)))


def _write_file(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _make_folders(folder: Path) -> None:
    missing = [item for item in (folder, *folder.parents) if not item.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for item in missing:
        _sync_folder(item.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_abandoned(bundle: Path) -> None:
    """What a killed writer left, once it is old enough that no writer can still be at work on it."""
    for item in (*bundle.glob(".current-*"), *bundle.glob("versions/.tmp-*")):
        with contextlib.suppress(OSError):
            if time.time() - item.lstat().st_mtime > _ABANDONED_SECONDS:
                if item.is_dir() and not item.is_symlink():
                    shutil.rmtree(item, ignore_errors=True)
                else:
                    item.unlink()
