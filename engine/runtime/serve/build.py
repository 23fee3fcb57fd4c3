"""The routes of a server, and what answers them."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from engine.runtime.serve.call import Answer, Call
from engine.runtime.serve.holder import Holder
from engine.runtime.serve.predict import predict
from engine.runtime.serve.routes import Route, Routes
from engine.runtime.serve.settings import Settings


def build_routes(settings: Settings, holder: Holder, metrics: Callable[[str], tuple[bytes, bytes]]) -> Routes:
    """All routes.

    Parameters
    ----------
    settings : Settings
    holder : Holder
    metrics : callable
        ``metrics(accept)``: the text of the metrics, and its media type.
    """

    def rows(call: Call) -> Answer:
        return predict(call, settings.max_rows)

    def ready(call: Call) -> Answer:
        return _state("ready", holder.ready)

    def live(call: Call) -> Answer:
        return _state("live", True)

    def measured(call: Call) -> Answer:
        accept = call.header(b"accept") or b""
        text, kind = metrics(accept.decode("latin-1"))
        return Answer(text, 200, kind)

    exact = {
        "/predict": Route("predict", rows, ("POST",), predicts=True),
        "/invocations": Route("invocations", rows, ("POST",), predicts=True),
        "/ping": Route("ping", ready, open=True, loaded=False),
        "/v2/health/live": Route("live", live, open=True, loaded=False),
        "/v2/health/ready": Route("ready", ready, open=True, loaded=False),
        "/metrics": Route("metrics", measured, loaded=False),
    }
    return Routes(exact, {})


def _state(name: str, holds: bool) -> Answer:
    return Answer(msgspec.json.encode({name: holds}), 200 if holds else 503)
