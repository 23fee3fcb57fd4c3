"""What a worker is told first, as the supervisor says it and as the worker hears it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from engine.config.config import Config
from engine.runtime.serve.predictions.settings import PredictionLog
from engine.runtime.serve.settings import Settings


@dataclass(frozen=True)
class Begin:
    """What the supervisor says first.

    Parameters
    ----------
    place : int
        The worker's number.
    places : int
        Of the board.
    settings : Settings
    predictions : PredictionLog
    config : Config
    folder : str or None
        The version's; None: the pipeline is no bundle's.
    trial : bool
        Only see whether the version can be taken, then end.
    early : bool
        Answer, if only that it isn't ready, before the version is loaded; else others answer meanwhile.

    Examples
    --------
    >>> begin = Begin(0, 2, Settings(port=0), PredictionLog(), Config({"name": "flights"}), None)
    >>> Begin.from_plain(begin.to_plain()) == begin
    True
    """

    place: int
    places: int
    settings: Settings
    predictions: PredictionLog
    config: Config
    folder: str | None
    trial: bool = False
    early: bool = False

    def to_plain(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "place": self.place,
            "places": self.places,
            "settings": dataclasses.asdict(self.settings),
            "predictions": dataclasses.asdict(self.predictions),
            "config": config_to_plain(self.config),
            "folder": self.folder,
            "trial": self.trial,
            "early": self.early,
        }

    @classmethod
    def from_plain(cls, said: dict[str, Any]) -> Begin:
        """From the plain values."""
        kept = said["predictions"]
        return cls(
            **{
                **said,
                "settings": Settings(**said["settings"]),
                "predictions": PredictionLog(
                    **{**kept, "omit": tuple(kept["omit"]), "hash": tuple(kept["hash"])}
                ),
                "config": config_from_plain(said["config"]),
            }
        )


def config_to_plain(config: Config) -> dict[str, Any]:
    """A config as plain values."""
    return {
        "data": dict(config.data),
        "overrides": list(config.overrides),
        "files": dict(config.files),
        "typed": None if config.typed is None else list(config.typed),
    }


def config_from_plain(said: dict[str, Any]) -> Config:
    """A config from its plain values."""
    typed = said["typed"]
    return Config(
        said["data"], tuple(said["overrides"]), said["files"], None if typed is None else tuple(typed)
    )
