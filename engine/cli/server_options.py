"""What the config's ``server`` says, checked."""

from __future__ import annotations

from collections.abc import Mapping

from engine.config.bind import Place, bind
from engine.config.config import Config
from engine.config.convert import shown
from engine.errors import ConfigError, Mistake
from engine.runtime.serve.settings import Settings


def bind_server(config: Config) -> Settings:
    """How to serve.

    Raises
    ------
    ConfigError
        With every mistake in it.
    """
    given = {} if config["server"] is None else config["server"]
    if not isinstance(given, Mapping):
        message = f"must be a mapping such as {{port: 8080}}, not {shown(given)}"
        raise ConfigError([Mistake("server", message, (f"set by: {config.set_by('server')}",))])
    bound = bind(Settings, given, Place("server", "server", config.set_by, keys=("predictions",)))
    if bound.value is None:
        raise ConfigError(bound.mistakes)
    return bound.value
