"""What may be overridden on a fitted pipeline, and what needs a refit."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from engine.errors import Mistake, listing
from engine.plan.plan import Plan
from engine.stage import option_fields, option_info

FREE_KEYS = ("keep", "outputs", "golden", "split.part")
"""What may always change: nothing was learned from it."""


@dataclass(frozen=True, slots=True)
class _Difference:
    where: str
    override: str
    """The override that makes it."""


def runtime_changes(old: Plan, new: Plan, learned_labels: Collection[str], bundle: str = "") -> list[Mistake]:
    """What of the changes to a fitted pipeline needs a refit.

    A stage may be removed, and an option that its plugin marks ``runtime`` changed, where neither that stage
    nor a later one learned; an input's policies, ``keep``, ``outputs``, ``golden`` and ``split.part`` may
    always change.

    Parameters
    ----------
    old : Plan
        As fitted.
    new : Plan
        After the overrides.
    learned_labels : collection of str
        The stages that hold something learned.
    bundle : str
        The bundle's path, for the command that refits.
    """
    differences = list(_differences(old.config, new.config))
    changes = " ".join(difference.override for difference in differences)
    given = f"bundle={shlex.quote(bundle)}" if bundle else f"pipeline={old.name}"
    command = f"to refit: engine fit {given} source.path=PATH {changes}"
    mistakes = []
    for difference in differences:
        reason = _reason(difference.where, old, new, learned_labels)
        if reason:
            mistakes.append(Mistake(difference.where, f"needs a refit: {reason}", (command,)))
    return mistakes


def _differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[_Difference]:
    """What differs, in the plain config: where NaN equals itself."""
    for key in old:
        if key == "stages":
            yield from _stage_differences(old["stages"], new["stages"])
        elif key in ("inputs", "split", "target") and old[key] and new[key]:
            yield from _key_differences(key, old[key], new[key])
        elif old[key] != new[key]:
            yield _Difference(key, _override(key, new[key]))


def _key_differences(where: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[_Difference]:
    for key in old:
        if key not in new:
            yield _Difference(f"{where}.{key}", f"~{where}.{key}")
    for key in new:
        if key not in old or old[key] != new[key]:
            yield _Difference(f"{where}.{key}", _override(f"{where}.{key}", new[key]))


def _stage_differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[_Difference]:
    for label in old:
        if label not in new:
            yield _Difference(f"stages.{label}", f"~stages.{label}")
    for label, stage in new.items():
        if label not in old:
            yield _Difference(f"stages.{label}", _override(f"+stages.{label}", stage))
        else:
            yield from _key_differences(f"stages.{label}", old[label], stage)
    kept = [label for label in old if label in new]
    now = [label for label in new if label in old]
    for before, after in zip(kept, now, strict=True):
        if before != after:
            yield _Difference(f"stages.{after}.before", f"stages.{after}.before={before}")
            return


def _reason(where: str, old: Plan, new: Plan, learned: Collection[str]) -> str:
    """Why a difference needs a refit; empty: it needs none."""
    if where in FREE_KEYS or _is_policy(where, old, new):
        return ""
    root, _, rest = where.partition(".")
    if root != "stages":
        return "the pipeline was fitted with another value"
    label, _, key = rest.partition(".")
    labels = [planned.label for planned in old.stages]
    if label not in labels:
        return f"a fitted pipeline takes no new stage, and {label!r} is one"
    concerned = [other for other in labels[labels.index(label) :] if other in learned]
    behind = f"{listing(map(repr, concerned))} learned from what {label!r} gave" if concerned else ""
    if label in concerned:
        behind = f"{label!r} learned from the training rows"
    if not key:
        return behind
    planned = old.stage(label)
    options = {item.name: option_info(item) for item in option_fields(type(planned.stage))}
    if type(new.stage(label).stage) is not type(planned.stage):
        return f"{label!r} is another plugin's now"
    if key not in options:
        what = "the order of stages" if key in ("before", "after") else f"{key!r} of a stage"
        return f"{what} is fixed once it is fitted"
    if new.stage(label).stage.learns() and not planned.stage.learns():
        return f"{label!r} would learn from the training rows"
    if not options[key].runtime:
        return f"{key!r} of {planned.stage.use!r} is no runtime option"
    return behind


def _is_policy(where: str, old: Plan, new: Plan) -> bool:
    """Whether only the policies of an input differ: they say which rows pass; nothing learns from that."""
    root, _, name = where.partition(".")
    kinds = [{i.name: i.kind for i in plan.inputs}.get(name) for plan in (old, new)]
    return root == "inputs" and kinds[0] is not None and kinds[0] is kinds[1]


def _override(key: str, value: Any) -> str:
    return shlex.quote(f"{key}={_written(value)}")


def _written(value: Any) -> str:
    """A plain value in the grammar of overrides."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_written(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_written, value))}]"
    if isinstance(value, str):
        plainly = value.replace("_", "").replace("-", "").isalnum() and value[0].isalpha()
        escaped = value.replace('"', '\\"')
        return value if plainly and value not in ("null", "true", "false") else f'"{escaped}"'
    return repr(value)
