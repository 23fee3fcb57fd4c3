"""What is asked of the prediction log: the key ``server.predictions``."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from engine.errors import ConfigError, Mistake, UserError, did_you_mean, listing
from engine.files import read_regular
from engine.option import option

KEY = "server.predictions"

_LEAST_KEY = 16
_MOST_KEY = 4096


@dataclass(frozen=True, slots=True)
class PredictionLog:
    """What was asked and answered, to Parquet files.

    Parameters
    ----------
    path : str or None
        The folder they are written to, made if need be; None: nothing is logged.
    omit : tuple of str
        Inputs and outputs that are left out; a name that is both is left out of both.
    hash : tuple of str
        Inputs and outputs of which a keyed hash is written instead of the value.
    hash_key : str or None
        The file with the key of ``hash``, 16 bytes or more; blanks around it don't count.
    rows : int
        Rows of a file at most.
    seconds : float
        A file is closed this long after its first row.
    queue : int
        Rows that wait at most; more are dropped, and counted.
    queue_bytes : int
        Bytes of requests that wait at most, for where a row is large.
    share : float
        The share of requests that are logged: those whose id's hash falls below it, in every worker and
        replica the same.
    keep_files : int or None
        Finished files that are kept, of all workers; older ones are removed. None: all.

    Raises
    ------
    ConfigError
        ``hash`` is without a key; a column is in both ``omit`` and ``hash``.

    Examples
    --------
    >>> PredictionLog("log", omit=("name",), keep_files=100).rows
    100000
    >>> PredictionLog("log", hash=("tailnum",))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    engine.errors.ConfigError: server.predictions.hash_key: hash needs a key: without one ...
    """

    path: str | None = option(None, help="the folder for files of predictions; null: none are written")
    omit: tuple[str, ...] = option((), help="inputs and outputs that are left out")
    hash: tuple[str, ...] = option((), help="inputs and outputs written as a keyed hash")
    hash_key: str | None = option(None, help="the file with the key of the hash")
    rows: int = option(100_000, ge=1, le=10_000_000, help="rows of a file at most")
    seconds: float = option(60.0, gt=0, le=86_400, help="a file is closed this long after its first row")
    queue: int = option(20_000, ge=1, le=10_000_000, help="rows that wait at most; more are dropped")
    queue_bytes: int = option(64 << 20, ge=1, help="bytes of requests that wait at most")
    share: float = option(1.0, gt=0, le=1, help="the share of requests that are logged")
    keep_files: int | None = option(None, ge=1, help="finished files that are kept; null: all")

    def __post_init__(self) -> None:
        mistakes = []
        if self.hash and self.hash_key is None:
            message = (
                "hash needs a key: without one a hash of a value that can be guessed, such as a name or a "
                "date of birth, is as good as the value"
            )
            note = f"a key: openssl rand -hex 32 > predictions.key; then {KEY}.hash_key=predictions.key"
            mistakes.append(Mistake(f"{KEY}.hash_key", message, (note,)))
        both = [name for name in self.hash if name in self.omit]
        if both:
            message = f"{listing(map(repr, both))}: in omit, too; a column is left out or hashed"
            mistakes.append(Mistake(f"{KEY}.hash", message))
        if mistakes:
            raise ConfigError(mistakes)

    def check(self, names: Collection[str]) -> None:
        """Hold the columns that are named against the inputs and outputs there are.

        Raises
        ------
        ConfigError
            There is no such column: it may be another, and written as it is.

        Examples
        --------
        >>> PredictionLog("log", omit=("nmae",)).check(["name", "score"])
        Traceback (most recent call last):
        engine.errors.ConfigError: server.predictions.omit: no input or output 'nmae'. Did you mean 'name'?
          inputs and outputs: name, score
        """
        mistakes = [
            Mistake(
                f"{KEY}.{option_name}",
                f"no input or output {name!r}.{did_you_mean(name, names)}",
                (f"inputs and outputs: {listing(names, 40)}",),
            )
            for option_name, given in (("omit", self.omit), ("hash", self.hash))
            for name in given
            if name not in names
        ]
        if mistakes:
            raise ConfigError(mistakes)

    def read_key(self) -> bytes:
        """The key of the hash; empty where nothing is hashed.

        Raises
        ------
        ConfigError
            The file can't be read, or holds too little.
        """
        if not self.hash or self.hash_key is None:
            return b""
        try:
            key = read_regular(Path(self.hash_key), _MOST_KEY, UserError).strip()
        except (OSError, UserError) as error:
            said = error.strerror if isinstance(error, OSError) else str(error)
            raise ConfigError([Mistake(f"{KEY}.hash_key", f"{self.hash_key}: {said}")]) from error
        if len(key) < _LEAST_KEY:
            message = f"{self.hash_key}: {len(key)} bytes; a key of {_LEAST_KEY} or more was expected"
            note = f"a new one: openssl rand -hex 32 > {self.hash_key}"
            raise ConfigError([Mistake(f"{KEY}.hash_key", message, (note,))])
        return key
