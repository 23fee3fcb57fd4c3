"""The command ``engine``: from what was typed to an exit code.

Exit codes: 0 done; 1 a bug; 2 the user's mistake; 4 a parity check failed; 130 interrupted; 141 the reader
of stdout went away, as for any program of a shell's pipe.
"""

from __future__ import annotations

import errno
import io
import os
import re
import sys
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path

from engine import __version__
from engine.cli.arguments import Arguments, parse_arguments
from engine.cli.output import result, tell
from engine.cli.verbs import VERBS, Verb, check_keys, general_help, verb_help, verb_names
from engine.errors import ConfigError, EngineError, Mistake, UserError, did_you_mean, listing, nearest

_ENVIRONMENT = frozenset(
    {
        errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOSPC,
        errno.EDQUOT, errno.EROFS, errno.ENAMETOOLONG, errno.EMFILE, errno.ENFILE, errno.EIO, errno.ELOOP,
        errno.ENOMEM, errno.EFBIG, errno.ESTALE, errno.ETXTBSY,
    }
)  # fmt: skip
"""What the machine refuses: no bug, and nothing that a traceback helps with."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        What follows ``engine``; left out: the process's own arguments.

    Returns
    -------
    int
        The exit code.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # a terminal that has no … or → must not end a run
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _warn
            code = _run(parse_arguments(sys.argv[1:] if argv is None else argv))
        if sys.stdout is not None:  # closed by who started it
            sys.stdout.flush()
        return code
    except EngineError as error:
        tell(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        tell("interrupted")
        return 130
    except BrokenPipeError:
        # Python flushes stdout once more at exit, and would complain then
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        if error.errno not in _ENVIRONMENT:
            return _bug()
        tell(_refused(error))
        return 2
    except Exception:
        return _bug()


def _run(arguments: Arguments) -> int:
    verb = _verb(arguments)
    if arguments.version:
        result(f"engine {__version__}")
        return 0
    if verb is None or arguments.help:
        result(general_help() if verb is None else verb_help(verb))
        return 0
    if arguments.sweep:
        raise UserError(f"-m: sweeps aren't built yet; run engine {verb.name} once for each value")
    if arguments.words and not verb.names:
        raise ConfigError([_no_override(word, verb, arguments) for word in arguments.words])
    check_keys(verb, arguments)
    return verb.run(arguments)


def _verb(arguments: Arguments) -> Verb | None:
    """The verb that was typed; None where only the general help, or the version, is asked for."""
    if not arguments.verb:
        if arguments.overrides:
            raise UserError(
                f"{arguments.overrides[0]!r}: a verb comes first: engine VERB {arguments.overrides[0]}"
                f"\n  verbs: {listing(verb_names())}"
            )
        return None
    for verb in VERBS:
        if verb.name == arguments.verb:
            return verb
    raise UserError(
        f"there is no verb {arguments.verb!r}.{did_you_mean(arguments.verb, verb_names())}"
        f"\n  verbs: {listing(verb_names())}"
    )


def _no_override(word: str, verb: Verb, arguments: Arguments) -> Mistake:
    """What a word that is no override was probably meant to be."""
    from engine.config.folders import choices, search_path

    meant = ""
    pipeline = nearest(word, choices(search_path(arguments.config_dir), "pipeline"))
    if Path(word).is_dir() and (Path(word) / "current").is_file() and "bundle" in verb.keys:
        meant = f"bundle={word}"
    elif pipeline is not None and "bundle" in verb.keys:
        meant = f"pipeline={pipeline}"
    elif Path(word).exists() and "source" in verb.keys:
        meant = f"source.path={word}"
    hint = f" Did you mean {meant}?" if meant else ""
    return Mistake("", f"{word!r} is no override: write key=value, +key=value or ~key.{hint}")


def _refused(error: OSError) -> str:
    """A refusal of the operating system, with the path that it concerns."""
    path = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else ""
    reason = os.strerror(error.errno) if error.errno is not None else str(error)
    # Arrow's errors name the path in their text only
    return f"{path}: {reason}" if path else str(error).splitlines()[0]


def _warn(message: Warning | str, *_: object, **__: object) -> None:
    """A library's warning as one line, without the places in its source that it names."""
    text = " ".join(str(message).split())
    text = re.sub(r"\[\d\d:\d\d:\d\d\] ?|WARNING: ?|\S+\.(?:cc|cu|h|cpp|py):\d+: ?", "", text)
    tell(f"warning: {text}")


def _bug() -> int:
    traceback.print_exc()
    tell(f"this is a bug in engine {__version__}, no mistake of yours: please report it with the lines above")
    return 1


if __name__ == "__main__":
    sys.exit(main())
