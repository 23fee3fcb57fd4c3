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
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from engine.stage import Scorer

__all__ = ["Scorer", "ScorerPlugin", "scorer"]


class ScorerPlugin:
    """Base of every scorer that configs can name. It must give XGBoost's own scores; nobody compares them."""

    use: ClassVar[str] = ""
    version: ClassVar[int] = 1

    def make(self, model: bytes, where: str, *, trusted: bool = False) -> Scorer | str:
        """The model, ready to score, or the reason why it can't be.

        Parameters
        ----------
        model : bytes
            As XGBoost saves it, UBJSON.
        where : str
            The file or stage, for messages.
        trusted : bool
            The model was trained in this process.
        """
        raise NotImplementedError


_P = TypeVar("_P", bound=ScorerPlugin)


def scorer(name: str, *, version: int = 1) -> Callable[[type[_P]], type[_P]]:
    """Make a class a scorer that configs call ``name``; the file is named after it."""

    def decorate(cls: type[_P]) -> type[_P]:
        made = dataclass(frozen=True)(cls)
        made.use = name
        made.version = version
        return made

    return decorate
