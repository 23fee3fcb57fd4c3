"""What a check can come to: a fault of the plugin's, nothing to go on, or an exception that is a fault."""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


class CheckFailedError(Exception):
    """What a check found, and what the author should change."""


class NotCheckedError(Exception):
    """A check has nothing to go on, because another one failed or something wasn't given."""


@contextmanager
def running(
    how: str, remedy: str, allowed: type[Exception] | tuple[type[Exception], ...] = ()
) -> Iterator[None]:
    """Any exception but those allowed is a failure that names its place.

    Parameters
    ----------
    how : str
        What is being done: "read in batches of 7 rows".
    remedy : str
        What the author should see to.
    allowed : type or tuple of types
        Exceptions that end the block, and no more.
    """
    from engine.plan.guard import StageFailedError

    try:
        with warnings.catch_warnings():
            # of NumPy's, on infinite numbers; what comes of them is what counts
            warnings.simplefilter("ignore", RuntimeWarning)
            yield
    except (CheckFailedError, NotCheckedError):
        raise
    except Exception as error:
        if isinstance(error, allowed) and not isinstance(error, StageFailedError):
            return
        raise CheckFailedError(f"{how}, it raises {described(error)}; {remedy}") from error


def described(error: BaseException) -> str:
    """An exception with the place where it was raised."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({last.filename}, line {last.lineno})"
