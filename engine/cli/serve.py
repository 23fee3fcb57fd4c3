"""``engine serve``: a bundle over HTTP and gRPC."""

from __future__ import annotations

import sys
from pathlib import Path

from engine.cli.arguments import Arguments
from engine.cli.output import tell
from engine.errors import UserError


def run(arguments: Arguments) -> int:
    """Answer requests until a signal comes."""
    try:
        from engine.runtime.serve.supervisor import Supervisor, Version, start, worker_command
    except ModuleNotFoundError as error:
        raise UserError(
            f"serve needs the package {error.name!r}: pip install 'inference-engine[serve]'"
        ) from None
    # it imports what it needs while the config is composed here
    first = start(worker_command())
    try:
        from engine.bundle import find
        from engine.cli.open import open_config
        from engine.cli.server_options import bind_server

        config, stored = open_config(arguments)
        settings, predictions = bind_server(config)
        bundle = None if stored is None else Path(stored.path)
        folder = None if bundle is None else str(find(bundle))
        watched = bundle if bundle is not None and str(bundle) != folder else None

        def newest(used: str | None) -> Version | None:
            assert watched is not None
            found = str(find(watched))
            return None if found == used else Version(open_config(arguments, folder=found)[0], found)

        server = Supervisor(
            settings,
            Version(config, folder),
            worker_command(),
            predictions,
            newest if watched is not None else None,
            lambda url: _greet(str(config["name"] or "the pipeline"), url),
        )
    except BaseException:
        first.end()
        raise
    return server.run(first)


def _greet(name: str, url: str) -> None:
    """Tell people; in a log the event says it."""
    if sys.stderr.isatty():
        tell(f"{name} answers at {url}")
