"""HTTP: uvicorn with connections of this server's own."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import uvicorn

from engine.runtime.serve.app import App
from engine.runtime.serve.quick import QuickConnection
from engine.runtime.serve.settings import Settings
from engine.runtime.serve.tls import Tls


class HttpServer(uvicorn.Server):
    """uvicorn, which leaves signals alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Don't."""
        yield


def http_server(app: App, settings: Settings, tls: Tls | None, refused: Callable[[str], None]) -> HttpServer:
    """A server that isn't started yet.

    Parameters
    ----------
    app : App
        It is told what is in flight.
    settings : Settings
    tls : Tls or None
    refused : callable
        ``refused(reason)`` of every request that a connection refuses.
    """
    about = {"most": settings.max_connections, "count": staticmethod(refused), "quick": app}
    config = uvicorn.Config(
        app,
        http=type("_Connection", (QuickConnection,), about),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=settings.keep_alive_seconds,  # type: ignore[arg-type]
        timeout_graceful_shutdown=settings.drain_seconds,  # type: ignore[arg-type]
    )
    config.load()
    if tls is not None:
        config.ssl = tls.for_http()
    server = HttpServer(config)
    app.tasks = server.server_state.tasks
    return server
