"""The routes of a server, and what answers them."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from engine.answer.live import Live
from engine.runtime.serve.call import Answer, Call
from engine.runtime.serve.holder import Holder
from engine.runtime.serve.oip import http
from engine.runtime.serve.openapi import Limits, openapi
from engine.runtime.serve.page import KIND as PAGE
from engine.runtime.serve.page import page
from engine.runtime.serve.predict import predict
from engine.runtime.serve.routes import Route, Routes
from engine.runtime.serve.settings import Settings


class _Document:
    """The OpenAPI document of the version in use, made when it is first asked for."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._made: tuple[str, bytes] = "", b""

    def __call__(self, live: Live) -> bytes:
        version, text = self._made
        if version != live.version:
            settings = self._settings
            limits = Limits(settings.max_body, settings.max_rows, settings.receive_seconds)
            document = openapi(
                live.pipeline,
                keys=settings.keys is not None,
                tls=settings.tls_cert is not None,
                limits=limits,
            )
            text = msgspec.json.encode(document)
            self._made = live.version, text
        return text


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

    def infer(call: Call) -> Answer:
        return http.answer_inference(call, most_rows=settings.max_rows)

    def state(body: bytes) -> Answer:
        return Answer(body, 200 if holder.ready else 503)

    def ready(call: Call) -> Answer:
        return state(http.ready_body(holder.ready))

    def model_ready(call: Call) -> Answer:
        return state(http.model_ready_body(call.live, call.path, holder.ready))

    def live(call: Call) -> Answer:
        return Answer(http.live_body())

    def measured(call: Call) -> Answer:
        accept = call.header(b"accept") or b""
        text, kind = metrics(accept.decode("latin-1"))
        return Answer(text, 200, kind)

    document = _Document(settings)

    def described(call: Call) -> Answer:
        return Answer(document(call.live))

    html, html_headers = page()

    def shown(call: Call) -> Answer:
        return Answer(html, 200, PAGE, list(html_headers))

    def begin(call: Call) -> Answer:
        return Answer(b"", 307, headers=[(b"location", b"/docs")])

    exact = {
        "/": Route("docs", begin, open=True, loaded=False),
        "/docs": Route("docs", shown, open=True, loaded=False),
        "/openapi.json": Route("openapi", described),
        "/predict": Route("predict", rows, ("POST",), predicts=True),
        "/invocations": Route("invocations", rows, ("POST",), predicts=True),
        "/ping": Route("ping", ready, open=True, loaded=False),
        "/v2/health/live": Route("live", live, open=True, loaded=False),
        "/v2/health/ready": Route("ready", ready, open=True, loaded=False),
        "/metrics": Route("metrics", measured, loaded=False),
        "/v2": Route("v2", http.server_metadata, loaded=False),
    }
    models = {
        "": Route("model", http.model_metadata),
        "ready": Route("model_ready", model_ready),
        "infer": Route("infer", infer, ("POST",), predicts=True),
    }
    return Routes(exact, models)
