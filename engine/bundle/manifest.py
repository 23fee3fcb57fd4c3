"""The manifest: which files a version has, and where it came from."""

from __future__ import annotations

import importlib.metadata
import platform
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import BundleError, did_you_mean, listing
from engine.expr import libm

FORMAT = 1
"""The number of the format that this engine writes, and the only one it reads."""

PACKAGES = ("numpy", "xgboost", "numba", "pyarrow")

_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*")
_FIXED = ("config.json", "learned.arrow", "golden.arrow", "profile.arrow")
_REQUIRED = ("config.json", "learned.arrow")


@dataclass(frozen=True)
class Manifest:
    """What ``manifest.json`` says.

    Parameters
    ----------
    version : str
        64 hex digits.
    files : mapping of str to (int, str)
        Size and sha256 of each file.
    engine : str
        The engine's version that wrote it.
    plugin_versions, packages : mapping
    platform : mapping of str to str
        Processor and C library: `this_platform` where it was written. Where it is equal, bits are.
    git : str or None
        The commit of the folder in which fit ran.
    overrides : tuple of str
    data, metrics : mapping
    created : str
        UTC, RFC 3339.
    """

    version: str
    files: Mapping[str, tuple[int, str]]
    engine: str
    plugin_versions: Mapping[str, int]
    packages: Mapping[str, str]
    platform: Mapping[str, str]
    git: str | None
    overrides: tuple[str, ...]
    data: Mapping[str, Any]
    metrics: Mapping[str, Any]
    created: str

    def as_plain(self) -> dict[str, Any]:
        """The manifest as JSON values."""
        return {
            "format": FORMAT,
            "version": self.version,
            "created": self.created,
            "engine": self.engine,
            "files": {name: {"bytes": size, "sha256": sha} for name, (size, sha) in self.files.items()},
            "plugins": dict(self.plugin_versions),
            "packages": dict(self.packages),
            "platform": dict(self.platform),
            "git": self.git,
            "overrides": list(self.overrides),
            "data": dict(self.data),
            "metrics": dict(self.metrics),
        }


def from_plain(plain: Any, where: str) -> Manifest:
    """The manifest in a JSON value that is not trusted.

    Parameters
    ----------
    plain : object
    where : str
        The file, for messages.

    Raises
    ------
    BundleError
        It is of another format, from a newer engine, not a manifest, or lists files by unsafe names.
    """
    if not isinstance(plain, dict) or not isinstance(plain.get("format"), int):
        raise BundleError(f"{where} is no manifest of a bundle: it has no 'format'")
    _check_format(plain, where)
    try:
        files = {
            name: (_count(entry["bytes"]), str(entry["sha256"])) for name, entry in plain["files"].items()
        }
        made = Manifest(
            version=str(plain["version"]),
            files=files,
            engine=str(plain["engine"]),
            plugin_versions={str(use): _count(number) for use, number in plain["plugins"].items()},
            packages={str(name): str(number) for name, number in plain["packages"].items()},
            platform={str(name): str(text) for name, text in plain["platform"].items()},
            git=None if plain["git"] is None else str(plain["git"]),
            overrides=tuple(map(str, plain["overrides"])),
            data=dict(plain["data"]),
            metrics=dict(plain["metrics"]),
            created=str(plain["created"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reason = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
        raise BundleError(f"{where} is damaged: {reason}") from error
    _check_names(files, where)
    return made


def model_file(label: str) -> str:
    """The file of a stage's model.

    Raises
    ------
    BundleError
        The label can't be part of a file's name.
    """
    if not _PLAIN.fullmatch(label):
        raise BundleError(
            f"the stage {label!r} has a model, but its label can't name a file; use letters, digits, _ . -"
        )
    return f"model-{label}.ubj"


def model_label(name: str) -> str | None:
    """The stage whose model is in this file, or None for another file."""
    return name[len("model-") : -len(".ubj")] if name.startswith("model-") and name.endswith(".ubj") else None


def check_plugin_versions(stored: Mapping[str, int], installed: Mapping[str, int], where: str) -> None:
    """See that stages are here as they were when a bundle was made.

    Parameters
    ----------
    stored : mapping of str to int
        `Contents.plugin_versions`.
    installed : mapping of str to int
        The versions of the plugins that the registry has.
    where : str
        The bundle, for messages.

    Raises
    ------
    BundleError
        A stage is not here, or of another version.

    Examples
    --------
    >>> check_plugin_versions({"clip": 1}, {"clip": 1, "scale": 2}, "bundles/flights")
    """
    lines = []
    for use, version in stored.items():
        if use not in installed:
            lines.append(f"stage {use!r} is not installed here.{did_you_mean(use, installed)}")
        elif installed[use] != version:
            lines.append(f"stage {use!r} was of version {version}, here it is of version {installed[use]}")
    if lines:
        raise BundleError(
            f"{where} was made with other plugins:\n  "
            + "\n  ".join(lines)
            + "\n  install those, or name their folder: plugins=[DIR]; or fit again with these"
        )


def this_platform() -> dict[str, str]:
    """The processor and the C library of this machine: where they are equal, answers are, to the bit."""
    return {
        "system": platform.system(),
        "machine": platform.machine(),
        "processor": _processor(),
        "libm": libm.fingerprint(),
    }


def this_origin() -> dict[str, str]:
    """What must be the same for a bundle's golden rows to have the same bits: platform and XGBoost."""
    return {**this_platform(), "xgboost": package_versions()["xgboost"]}


def package_versions() -> dict[str, str]:
    """The versions of the packages that can change a bit, without importing them."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def engine_version() -> str:
    """This engine's version."""
    import engine

    return engine.__version__


def git_commit() -> str | None:
    """The commit of the working folder, or None where there is no repository."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "--verify", "HEAD"], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None


def _processor() -> str:
    try:
        with Path("/proc/cpuinfo").open() as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor()


def _check_format(plain: Mapping[str, Any], where: str) -> None:
    written, here = str(plain.get("engine", "?")), engine_version()
    if plain["format"] != FORMAT:
        raise BundleError(
            f"{where} is of format {plain['format']}, written by engine {written}; "
            f"this is engine {here}, which reads format {FORMAT}: "
            + ("upgrade inference-engine" if plain["format"] > FORMAT else "fit the pipeline again")
        )
    if _release(written) > _release(here):
        raise BundleError(
            f"{where} was written by engine {written}; this is engine {here}: upgrade inference-engine"
        )


def _release(version: str) -> tuple[int, ...]:
    found = re.match(r"(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _check_names(files: Mapping[str, Any], where: str) -> None:
    for name in files:
        if not _PLAIN.fullmatch(name) or len(name) > 255:
            raise BundleError(
                f"{where} lists the file {name!r}: only plain names are allowed, no folders and no '..'"
            )
        if name not in _FIXED and model_label(name) is None:
            raise BundleError(f"{where} lists the file {name!r}, which no bundle of format {FORMAT} has")
    lacking = [name for name in _REQUIRED if name not in files]
    if lacking:
        raise BundleError(f"{where} doesn't list {listing(lacking)}")


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{value!r} is no count")
    return value
