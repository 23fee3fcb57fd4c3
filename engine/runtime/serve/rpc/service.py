"""The protocol's calls: bytes in, bytes out, and how each of them is refused."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeAlias

import grpc
from google.protobuf.message import DecodeError
from grpc import StatusCode

import engine
from engine.runtime.serve.call import Call, Refusal
from engine.runtime.serve.ids import safe_id
from engine.runtime.serve.oip import model
from engine.runtime.serve.oip.infer import infer
from engine.runtime.serve.rpc import messages
from engine.runtime.serve.rpc.host import Headers, Host
from engine.runtime.serve.rpc.messages import Message
from engine.runtime.serve.rpc.status import code_of, shortened
from engine.runtime.serve.rpc.tensors import inference, response

if TYPE_CHECKING:
    from engine.answer.live import Live

SMALL = 16 * 1024
"""Bytes of a request that is answered at once, on the event loop: another thread would cost more."""

_Answerer: TypeAlias = Callable[[Call], Awaitable[bytes]]
_OPEN = ("ServerLive", "ServerReady")
_LOGGER = logging.getLogger(__name__)


class Service:
    """Answers the calls of ``inference.GRPCInferenceService``.

    Parameters
    ----------
    host : Host
    most_rows : int or None
        Of a request.
    most_calls : int
        Inferences that have begun and aren't answered; one more is refused at once.
    """

    def __init__(self, host: Host, *, most_rows: int | None, most_calls: int) -> None:
        self._host = host
        self._most_rows = most_rows
        self._most_calls = most_calls
        self._under_way = 0

    def handlers(self) -> grpc.GenericRpcHandler:
        """The calls by name, for `grpc.aio.Server`.

        They take and give bytes, so that what can't be parsed is refused here, and large requests are parsed
        in a thread.
        """
        answerers: dict[str, _Answerer] = {
            "ServerLive": self._server_live,
            "ServerReady": self._server_ready,
            "ModelReady": self._model_ready,
            "ServerMetadata": self._server_metadata,
            "ModelMetadata": self._model_metadata,
            "ModelInfer": self._model_infer,
        }
        return grpc.method_handlers_generic_handler(
            messages.SERVICE,
            {
                name: grpc.unary_unary_rpc_method_handler(self._handler(name, answerer))
                for name, answerer in answerers.items()
            },
        )

    def _handler(self, name: str, answerer: _Answerer) -> Callable[[bytes, Any], Awaitable[bytes]]:
        host = self._host
        is_open, path = name in _OPEN, f"/{messages.SERVICE}/{name}"

        async def handle(body: bytes, context: Any) -> bytes:
            began = perf_counter()
            code, text = StatusCode.INTERNAL, "the server failed; its log says why"
            try:
                headers = _headers(context.invocation_metadata())
                # calls that need a version find out whether there is one
                call = Call(path, headers, body, host.live(), self._id(headers))  # type: ignore[arg-type]
                context.set_trailing_metadata(_trailing(call))
                if not is_open and not host.allowed(headers):
                    raise Refusal(401, "a key is needed: authorization: Bearer KEY, or x-api-key: KEY", "key")
                answer = await answerer(call)
                code = StatusCode.OK
                return answer
            except Refusal as refusal:
                code, text = code_of(refusal), shortened(refusal.message)
            except asyncio.CancelledError:
                code = StatusCode.CANCELLED
                raise
            except Exception:
                _LOGGER.exception("%s failed", name)
            finally:
                host.observe(name, code.name, perf_counter() - began)
            await context.abort(code, text)
            raise AssertionError("abort raises")

        return handle

    async def _server_live(self, call: Call) -> bytes:
        return _written(messages.ServerLiveResponse(live=True))

    async def _server_ready(self, call: Call) -> bytes:
        return _written(messages.ServerReadyResponse(ready=self._is_ready(call.live)))

    async def _model_ready(self, call: Call) -> bytes:
        asked = _parsed(messages.ModelReadyRequest, call.body)
        ready = self._is_ready(call.live)
        if ready:
            model.check_model(call.live, asked.name, asked.version)
        return _written(messages.ModelReadyResponse(ready=ready))

    async def _server_metadata(self, call: Call) -> bytes:
        return _written(
            messages.ServerMetadataResponse(
                name=model.SERVER, version=engine.__version__, extensions=model.EXTENSIONS
            )
        )

    async def _model_metadata(self, call: Call) -> bytes:
        asked = _parsed(messages.ModelMetadataRequest, call.body)
        live = _there(call.live)
        model.check_model(live, asked.name, asked.version)
        made = messages.ModelMetadataResponse(name=live.name, versions=[live.version], platform=model.SERVER)
        for tensor in model.inputs(live.pipeline):
            made.inputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
        for tensor in model.outputs(live.pipeline):
            made.outputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
        return _written(made)

    async def _model_infer(self, call: Call) -> bytes:
        _there(call.live)  # who drains answers what still comes
        if self._under_way >= self._most_calls:
            raise Refusal(
                429,
                f"{self._most_calls:,} requests are under way, which is the most; try again shortly",
                "busy",
            )
        work = partial(_infer, call, self._most_rows)
        self._under_way += 1
        try:
            answer = work() if len(call.body) <= SMALL else await self._host.heavy(work)
        finally:
            self._under_way -= 1
        self._keep(call)
        return answer

    def _id(self, headers: Headers) -> str:
        """What the client calls its request, or a new id."""
        for key, value in headers:
            if key == b"x-request-id":
                return safe_id(value)
        return self._host.new_id()

    def _is_ready(self, live: Live | None) -> bool:
        return live is not None and self._host.is_ready()

    def _keep(self, call: Call) -> None:
        if self._host.keep is None:
            return
        try:
            self._host.keep("grpc", call)
        except Exception:  # the answer is there
            _LOGGER.exception("an inference can't be noted")


def _infer(call: Call, most_rows: int | None) -> bytes:
    began = perf_counter()
    asked = inference(_parsed(messages.ModelInferRequest, call.body), call.live)
    parsed = perf_counter()
    tensors = infer(call.live, asked, most_rows=most_rows, note=call)
    scored = perf_counter()
    answer = response(call.live, asked.id, tensors)
    call.times = parsed - began, scored - parsed, perf_counter() - scored
    return answer


def _parsed(kind: Any, body: bytes) -> Message:
    try:
        return kind.FromString(body)
    except DecodeError:
        raise Refusal(400, f"the request is no {kind.DESCRIPTOR.full_name}", "invalid") from None


def _written(message: Message) -> bytes:
    written: bytes = message.SerializeToString()
    return written


def _there(live: Live | None) -> Live:
    if live is None:
        raise _not_ready()
    return live


def _not_ready() -> Refusal:
    return Refusal(503, "the server isn't ready: no version is loaded yet; try again", "not_ready")


def _headers(metadata: Any) -> Headers:
    """A call's metadata as HTTP's handlers have headers."""
    return [
        (key.encode(), value if isinstance(value, bytes) else value.encode(errors="replace"))
        for key, value in metadata
    ]


def _trailing(call: Call) -> tuple[tuple[str, str], ...]:
    """What is sent behind an answer, or a refusal: who answered what."""
    version = () if call.live is None else (("engine-version", call.live.version),)
    return (*version, ("x-request-id", call.id))
