"""What the config's ``server`` says, checked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from engine.config.bind import Place, bind
from engine.config.config import Config
from engine.config.convert import shown
from engine.errors import ConfigError, Mistake
from engine.pipeline import Pipeline
from engine.runtime.serve.binding import check_exposure
from engine.runtime.serve.keys import read_keys
from engine.runtime.serve.predictions.settings import KEY, PredictionLog
from engine.runtime.serve.settings import Settings
from engine.runtime.serve.tls import open_tls


def bind_server(config: Config) -> tuple[Settings, PredictionLog]:
    """How to serve, and what is kept of it.

    Raises
    ------
    ConfigError
        With every mistake in it.
    """
    given = {} if config["server"] is None else config["server"]
    if not isinstance(given, Mapping):
        message = f"must be a mapping such as {{port: 8080}}, not {shown(given)}"
        raise ConfigError([Mistake("server", message, (f"set by: {config.set_by('server')}",))])
    predictions = given.get("predictions") or {}
    if not isinstance(predictions, Mapping):
        message = f"must be a mapping such as {{path: predictions}}, not {shown(predictions)}"
        raise ConfigError([Mistake(KEY, message, (f"set by: {config.set_by(KEY)}",))])
    own = {name: value for name, value in given.items() if name != "predictions"}
    bound = bind(Settings, own, Place("server", "server", config.set_by, keys=("predictions",)))
    kept = bind(PredictionLog, predictions, Place(KEY, "predictions", config.set_by))
    if bound.value is None or kept.value is None:
        raise ConfigError([*bound.mistakes, *kept.mistakes])
    return bound.value, kept.value


def check_server(
    settings: Settings, predictions: PredictionLog, pipeline: Pipeline | None
) -> tuple[str, ...]:
    """Everything that a server refuses to start for, short of listening; returns what it would warn of.

    Raises
    ------
    ConfigError, UserError
        Of the keys, the certificates, the address, or the columns that the log of predictions names.
    """
    if settings.keys is not None:
        read_keys(Path(settings.keys))
    tls = open_tls(settings.tls_cert, settings.tls_key, settings.tls_client_ca)
    check_exposure(settings.host, settings.keys, settings.tls_client_ca, settings.anonymous)
    if predictions.path is not None:
        predictions.read_key()
        if pipeline is not None:
            predictions.check([*dict.fromkeys((*pipeline.inputs, *pipeline.outputs))])
    return () if tls is None else tls.notes
