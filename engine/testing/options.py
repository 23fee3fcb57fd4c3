"""Checks of the options of a source or sink: as a config states them."""

from __future__ import annotations

import json
import shutil
import tempfile
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from engine.config.compose import compose
from engine.config.convert import plain
from engine.errors import ConfigError, listing
from engine.sink import SinkPlugin
from engine.source import SourcePlugin
from engine.stage import option_fields
from engine.testing.documentation import Bench
from engine.testing.outcome import CheckFailedError, NotCheckedError, described


@dataclass(eq=False)
class SectionBench(Bench):
    """A plugin that a section of the config states, ``source`` or ``sink``.

    Parameters
    ----------
    options : mapping
        The author's own.
    """

    section: ClassVar[str]
    taken: ClassVar[tuple[str, ...]]
    """Keys of the section that are no options."""
    binder: ClassVar[Callable[..., Any]]

    cls: type[SourcePlugin | SinkPlugin]
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """The plugin's options."""
        return [item.name for item in option_fields(self.cls)]

    @cached_property
    def folder(self) -> Path:
        """A folder that goes with the bench."""
        folder = Path(tempfile.mkdtemp(prefix="engine-kit-"))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return folder

    def stated(self, **options: Any) -> dict[str, Any]:
        """The section of a config, with these options beside the author's."""
        return {"use": self.cls.use, **self.options, **options}

    def shared(self, kind: str, use: str = "") -> dict[str, Any] | None:
        """The section of a plugin of another kind, with the options that it has, too; None: there is none.

        Parameters
        ----------
        kind : str
        use : str
            Its name; empty: the same.
        """
        use = use or self.cls.use
        if use not in self.registry.names(kind):
            return None
        known = {item.name for item in option_fields(self.registry.load(use, kind))}
        return {"use": use, **{name: value for name, value in self.options.items() if name in known}}

    def extension_mistake(self) -> str | None:
        """What is wrong with the endings of files that it takes; None: nothing."""
        extensions = self.cls.extensions
        odd = [end for end in extensions if not (end.startswith(".") and end == end.lower() and len(end) > 1)]
        if odd:
            return f"{odd[0]!r} in extensions is no ending of a file; write it with the dot, in small letters"
        if extensions and "path" not in self.names:
            return "with extensions it is taken for files, and it has no option 'path' to be told which"
        return None

    def bound(self, section: Mapping[str, Any]) -> Any:
        """The plugin with its options.

        Raises
        ------
        ConfigError
        """
        return type(self).binder(section, self.registry)

    @property
    def usual(self) -> Mapping[str, Any]:
        """The section that the checks of options begin with."""
        raise NotImplementedError


def unknown_option(bench: SectionBench) -> None:
    """A misspelt option is refused by name, and none is called like another key of the section."""
    for name in bench.names:
        if name in bench.taken:
            raise CheckFailedError(
                f"its option {name!r} is called like a key of every {bench.section}, and can never be set; "
                f"rename it (taken: {listing(bench.taken)})"
            )
    for name in [f"{name}x" for name in bench.names] or ["optionx"]:
        try:
            bench.bound({**bench.usual, name: 1})
        except ConfigError as error:
            text = str(error)
            if name in text and (not bench.names or "Did you mean" in text):
                continue
        raise CheckFailedError(
            f"the option {name!r}, which it doesn't have, is not refused by name; declare options as "
            "annotated attributes alone"
        )


def options_round_trip(bench: SectionBench) -> None:
    """Through a YAML file its options stay the same."""
    if set(bench.names) & set(bench.taken):
        raise NotCheckedError("see 'unknown_option'")
    bound = bench.bound(bench.usual)
    values = {name: plain(getattr(bound, name)) for name in bench.names}
    conf = bench.folder / "conf"
    for group in ("pipeline", bench.section):
        (conf / group).mkdir(parents=True, exist_ok=True)
    (conf / "pipeline" / "kit.yaml").write_text("# @package _global_\nname: kit\n")
    remedy = "keep options as they are given: don't change them in __post_init__; use types that JSON has"
    try:
        text = json.dumps({"use": bench.cls.use, **values}, ensure_ascii=False)
        (conf / bench.section / "kit.yaml").write_text(text)
        composed = compose(["pipeline=kit", f"{bench.section}=kit"], str(conf)).data[bench.section]
        again = bench.bound(composed)
    except (TypeError, ValueError, ConfigError) as error:
        raise CheckFailedError(f"a YAML file can't hold its options: {described(error)}; {remedy}") from error
    changed = [name for name in bench.names if getattr(again, name) != getattr(bound, name)]
    if changed:
        raise CheckFailedError(f"through a YAML file, {listing(changed)} doesn't stay the same; {remedy}")
