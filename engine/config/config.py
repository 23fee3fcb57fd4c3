"""A composed config: plain values, and who set them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PIPELINE_KEYS = (
    "name", "inputs", "target", "group", "weight", "keep", "outputs", "stages", "split", "seed", "golden",
)  # fmt: skip
"""Root keys that make up a pipeline, and that a bundle stores."""

RUN_KEYS = (
    "plugins", "bundle", "source", "sink", "rejects", "executor", "server", "sweep", "experiment", "tracking",
    "resume",
)  # fmt: skip
"""Root keys that say where and how a verb runs."""

VERB_KEYS = ("kernel", "profile", "by", "metrics", "report", "row", "version", "kind", "a", "b", "gate")
"""Root keys of single verbs."""

ROOT_KEYS = PIPELINE_KEYS + RUN_KEYS + VERB_KEYS


@dataclass(frozen=True)
class Config:
    """What a verb was asked to do.

    Parameters
    ----------
    data : mapping
        Every root key with its plain value (dicts, lists, text, numbers, booleans, None).
    overrides : tuple of str
        The overrides as typed.
    files : mapping of str to str
        The file that each config group was read from, for messages:
        ``{"pipeline": "conf/pipeline/flights.yaml"}``; and each key of an experiment.
    typed : tuple of str, optional
        The keys that the overrides set; None: those that are named in them.
    """

    data: Mapping[str, Any]
    overrides: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    typed: tuple[str, ...] | None = None

    def __getitem__(self, key: str) -> Any:
        return self.data[key]

    def set_by(self, key: str) -> str:
        """Who set a key such as ``stages.squeeze.hi``: ``command line``, or a file."""
        key = key.replace("[", ".").replace("]", "")
        named = [override.split("=", 1)[0].lstrip("+~") for override in self.overrides]
        # a root key that is named may have chosen a file, which then set what is below it
        typed = [name for name in named if "." in name] if self.typed is None else self.typed
        if key in named or any(_is_below(key, name) or _is_below(name, key) for name in typed):
            return "command line"
        while key not in self.files and "." in key:
            key = key.rpartition(".")[0]
        return self.files.get(key) or self.files.get("pipeline") or "the config"


def _is_below(key: str, other: str) -> bool:
    """Whether a key is another, or lies in what it holds."""
    return key == other or key.startswith(f"{other}.")
