"""The command line, parsed: a verb, names, flags anywhere, and Hydra overrides."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from engine.errors import UserError, did_you_mean

FLAGS = ("--config-dir", "-m", "--json", "--help", "-h", "--version")

_OVERRIDE = re.compile(r"[~+]|[^=]*=")
"""What begins like an override: ``~key``, ``+key=value``, ``key=value``."""


@dataclass(frozen=True, slots=True)
class Arguments:
    """What was typed.

    Parameters
    ----------
    verb : str
        Empty: none.
    words : tuple of str
        What is neither a flag nor an override, behind the verb.
    overrides : tuple of str
    config_dir : str or None
    sweep, json, help, version : bool
        The flags ``-m``, ``--json``, ``--help`` and ``--version``.
    """

    verb: str = ""
    words: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    config_dir: str | None = None
    sweep: bool = False
    json: bool = False
    help: bool = False
    version: bool = False


def parse_arguments(argv: Sequence[str]) -> Arguments:
    """Parse what follows ``engine`` on the command line.

    Raises
    ------
    UserError
        A flag that doesn't exist, or ``--config-dir`` without a folder.

    Examples
    --------
    >>> parsed = parse_arguments(["fit", "pipeline=flights", "--json", "~stages.squeeze"])
    >>> parsed.verb, parsed.overrides, parsed.json
    ('fit', ('pipeline=flights', '~stages.squeeze'), True)
    """
    words: list[str] = []
    overrides: list[str] = []
    flags: set[str] = set()
    config_dir: str | None = None
    pending = list(reversed(argv))
    while pending:
        item = pending.pop()
        name, equals, value = item.partition("=")
        if name == "--config-dir":
            if not equals and not pending:
                raise UserError("--config-dir: needs a folder: --config-dir DIR")
            config_dir = value if equals else pending.pop()
            if not config_dir or config_dir.startswith("-") or _OVERRIDE.match(config_dir):
                raise UserError(f"--config-dir: needs a folder, not {config_dir!r}: --config-dir DIR")
        elif item in FLAGS:
            flags.add(item)
        elif item.startswith("-"):
            raise UserError(
                f"there is no flag {name!r}.{did_you_mean(name, FLAGS)}\n  flags: {', '.join(FLAGS)}\n"
                "  all else is written without dashes: key=value, as in stages.model.rounds=5"
            )
        elif _OVERRIDE.match(item):
            overrides.append(item)
        else:
            words.append(item)
    return Arguments(
        words[0] if words else "",
        tuple(words[1:]),
        tuple(overrides),
        config_dir,
        sweep="-m" in flags,
        json="--json" in flags,
        help=bool(flags & {"--help", "-h"}),
        version="--version" in flags,
    )


def root_key(override: str) -> str:
    """The root key that an override sets, or the config group that it chooses from.

    >>> root_key("+stages.log={use: log1p}"), root_key("~stages.squeeze"), root_key("pipeline=flights")
    ('stages', 'stages', 'pipeline')
    """
    return re.split(r"[.=/@:]", override.lstrip("~+"), maxsplit=1)[0]
