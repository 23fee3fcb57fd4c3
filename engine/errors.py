"""Errors, written for the person who has to mend them.

A mistake says where it is, what was found, what was expected and what to do. Everything that
is wrong with a config is collected and raised at once.
"""

from __future__ import annotations

import difflib
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path


class EngineError(Exception):
    """Base of every error that the engine raises on purpose; the command line prints its text alone."""

    exit_code = 2


class UserError(EngineError):
    """Something the user gave is wrong: a name, a value, a file. Exit code 2, no traceback."""


class DataError(UserError):
    """A table, file or column is not what the pipeline declares."""


class RowError(DataError):
    """One row can't be scored.

    Attributes
    ----------
    column : str
        The input that is wrong; of a filter, the first column that it selects (empty: none).
    code : str
        ``missing``, ``invalid``, ``unknown`` or ``filtered``.
    """

    def __init__(self, message: str, *, column: str, code: str) -> None:
        super().__init__(message)
        self.column = column
        self.code = code


class ModelError(UserError):
    """A model file can't be read, or doesn't fit the features it gets."""


class BundleError(UserError):
    """A bundle on disk is damaged, unsafe, or of another format."""


class ParityError(EngineError):
    """Two ways of computing the same row gave different bits."""

    exit_code = 4


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong with a config.

    Parameters
    ----------
    where : str
        The key it concerns, such as ``stages.squeeze.hgh``.
    message : str
        What was found and what was expected, one sentence.
    notes : tuple of str
        Further lines, printed indented below.
    """

    where: str
    message: str
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        prefix = f"{self.where}: " if self.where else ""
        first, *rest = self.message.split("\n")
        # A caret points at a character of the first line, which the prefix moves.
        rest = [" " * len(prefix) + line if line.strip() == "^" else line for line in rest]
        return "\n".join((prefix + first, *rest, *(f"  {note}" for note in self.notes)))


class ConfigError(UserError):
    """All mistakes of one config."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        text = "\n\n".join(map(str, self.mistakes))
        if len(self.mistakes) > 1:
            text = f"{len(self.mistakes)} mistakes in the config:\n\n{text}"
        super().__init__(text)


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate that ``word`` was probably meant to be, or None.

    >>> nearest("hgh", ["hi", "lo"])
    'hi'
    >>> nearest("qqq", ["hi", "lo"]) is None
    True
    """
    cutoff = 0.4 if len(word) <= 4 else 0.55
    found = difflib.get_close_matches(word, list(candidates), n=1, cutoff=cutoff)
    return found[0] if found else None


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """`` Did you mean 'x'?`` with a leading blank, or the empty text.

    >>> did_you_mean("fil", ["fill", "model"])
    " Did you mean 'fill'?"
    """
    found = nearest(word, candidates)
    return f" Did you mean {found!r}?" if found else ""


def listing(names: Iterable[str], most: int = 12) -> str:
    """Names for a message: all of them, or the first ``most`` and how many more.

    >>> listing(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    shown = list(names)
    if not shown:
        return "none"
    if len(shown) <= most:
        return ", ".join(shown)
    return f"{', '.join(shown[:most])} and {len(shown) - most:,} more"


def fault(error: BaseException, file: str = "") -> str:
    """What went wrong in somebody's code, in one line: file and line, then the error.

    Parameters
    ----------
    error : BaseException
    file : str
        The code in question: the line is the deepest one in this file's folder. Empty: the deepest of all.
    """
    said = " ".join(str(error).split())
    name = type(error).__name__
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}, line {error.lineno}: {name}: {error.msg}"
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith("<frozen ")]
    own = [frame for frame in frames if file and Path(frame.filename).parent == Path(file).parent]
    # where nothing of it ran, as in a package that isn't there, the engine's own line would mislead
    foreign = [frame for frame in frames if not Path(frame.filename).is_relative_to(Path(__file__).parent)]
    deepest = (own or foreign)[-1:]
    place = f"{deepest[0].filename}, line {deepest[0].lineno}: " if deepest else f"{file}: " if file else ""
    return f"{place}{name}: {said}" if said else f"{place}{name}"
