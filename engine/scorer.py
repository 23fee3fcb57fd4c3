"""What the author of a scorer writes: how a saved model becomes something that scores.

A scorer is a class in a file of its own, ``scorers/NAME.py`` in a folder of plugins, decorated with `scorer`.
The option ``scorer`` of a model's stage names it.

Examples
--------
>>> from engine.scorer import ScorerPlugin, scorer
>>> @scorer("refuser")
... class Refuser(ScorerPlugin):
...     '''Score nothing.'''
...
...     def make(self, model, where, *, trusted=False):
...         return "it scores nothing"
>>> Refuser().make(b"{}", "the model")
'it scores nothing'
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.declare import Plugin, declare

__all__ = ["Scorer", "ScorerPlugin", "scorer"]


class Scorer(Protocol):
    """A model that is ready to score.

    Attributes
    ----------
    n_features : int
    n_outputs : int
    used : frozenset of int
        Features that can change a score; the others need not be computed.
    note : str
        One line for `engine explain`: who scores, and why.

    A scorer may have ``block_address``, ``block_model`` and ``new_work()``, too: a C function
    ``void (int64 × 6)`` that is called for a block with the number of rows, the addresses of features and
    scores, ``block_model``, the address of what ``new_work`` gave for the thread, and that of four int64: how
    many numbers lie between two rows and two features, and between two rows and two outputs.

    It may have ``row_address`` and ``row_model``, too: a C function ``void (int64 × 6)`` that a kernel
    calls with the addresses of one row's features and scores, then ``row_model`` and zeros.

    It may have ``narrow(outputs)``, too: given the numbers of the outputs that somebody reads, it returns a
    scorer that gives at least those, in the same places; itself, if none is cheaper.

    It may have ``fold(features, vocabularies)``, too: given name and expression of each used feature by its
    number, and the texts behind the codes of each category input, it returns other features (names and
    expressions), the scorer that takes those to the same scores, and a line that says what it did; or None.
    """

    n_features: int
    n_outputs: int
    used: frozenset[int]
    note: str

    def many(self, features: NDArray[np.float32], threads: int = 1) -> NDArray[np.float32]:
        """Scores ``(n, n_outputs)`` of features ``(n, n_features)``, in rows or in columns, missing as NaN.

        Safe to call from several threads at once.
        """
        ...

    def one(self, features: NDArray[np.float32], scores: NDArray[np.float32]) -> None:
        """Score the row ``features (n_features,)`` into ``scores (n_outputs,)``, the same bits as `many`.

        Both arrays are the caller's own and stay in place, so that a scorer may keep their addresses.
        """
        ...


class ScorerPlugin(Plugin):
    """Base of every scorer that configs can name.

    It must give XGBoost's own bits: it is compared on hard rows each time that a model is made ready, and a
    difference is the user's error. `engine.testing.check_scorer` tells its author before.
    """

    def make(self, model: bytes, where: str, *, trusted: bool = False) -> Scorer | str:
        """The model, ready to score, or the reason why it can't be.

        Parameters
        ----------
        model : bytes
            As XGBoost saves it, UBJSON; the engine gives none that XGBoost doesn't survive.
        where : str
            The file or stage, for messages.
        trusted : bool
            The model was trained in this process.

        Raises
        ------
        ModelError
            It is no model, or a damaged one.
        """
        raise NotImplementedError


_P = TypeVar("_P", bound=ScorerPlugin)


def scorer(name: str, *, version: int = 1) -> Callable[[type[_P]], type[_P]]:
    """Make a class a scorer that configs call ``name``; the file is named after it."""
    return declare(name, version)
