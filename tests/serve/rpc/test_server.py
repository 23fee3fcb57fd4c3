"""The server: who may ask, how much, when, and what is told of it."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from engine.errors import UserError
from engine.pipeline import Pipeline
from engine.runtime.serve.call import Call

pytest.importorskip("tritonclient.grpc")

import tritonclient.grpc as client
import tritonclient.grpc.aio as aio_client
from tritonclient.utils import InferenceServerException

from . import wire
from .running import Served, stub, sums

ROWS = 5_000
BIG: wire.Tensors = {"a": ("FP64", np.arange(ROWS) / 7), "b": ("FP64", np.full(ROWS, 0.5))}
SMALL: wire.Tensors = {"a": ("FP64", [0.1]), "b": ("FP64", [0.2])}
CALLS = {
    "ServerLive": lambda asking: asking.is_server_live(),
    "ServerReady": lambda asking: asking.is_server_ready(),
    "ModelReady": lambda asking: asking.is_model_ready("sums"),
    "ServerMetadata": lambda asking: asking.get_server_metadata(),
    "ModelMetadata": lambda asking: asking.get_model_metadata("sums"),
    "ModelInfer": lambda asking: asking.infer("sums", wire.raw(SMALL)),
}
"""Every call of the protocol, by name."""


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return sums()


@pytest.fixture
def served(serve: Any, pipeline: Pipeline) -> Served:
    found: Served = serve(pipeline)
    return found


def seen(served: Served) -> list[tuple[str, str]]:
    return [(method, code) for method, code, _ in served.seen]


# -- who


def test_a_key_is_needed_but_for_health(served: Served) -> None:
    served.key = b"ek_right"
    with client.InferenceServerClient(served.start()) as asking:
        for name, call in CALLS.items():
            if name in ("ServerLive", "ServerReady"):
                assert call(asking)
            else:
                code, text = wire.refused(call, asking)
                assert (code, "x-api-key" in text) == ("UNAUTHENTICATED", True)
        headers = {"x-api-key": "ek_right"}
        assert asking.infer("sums", wire.raw(SMALL), headers=headers).as_numpy("sum") == [0.1 + 0.2]
        code, _ = wire.refused(asking.infer, "sums", wire.raw(SMALL), headers={"x-api-key": "ek_wrong"})
        assert code == "UNAUTHENTICATED"


def test_tls(served: Served, tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = (
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    )
    subprocess.run(
        ["openssl", *made.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True
    )
    pair = (key.read_bytes(), certificate.read_bytes())
    address = served.start("localhost:0", credentials=grpc.ssl_server_credentials([pair]))
    with client.InferenceServerClient(address, ssl=True, root_certificates=str(certificate)) as asking:
        assert asking.infer("sums", wire.raw(SMALL)).as_numpy("sum") == [0.1 + 0.2]
    with client.InferenceServerClient(address) as asking:
        assert wire.refused(asking.infer, "sums", wire.raw(SMALL), client_timeout=20)[0] == "UNAVAILABLE"


# -- when


def test_before_there_is_a_pipeline(serve: Any, pipeline: Pipeline) -> None:
    served: Served = serve(None)
    with client.InferenceServerClient(served.start()) as asking:
        assert asking.is_server_live()
        assert not asking.is_server_ready()
        assert not asking.is_model_ready("sums")
        for name in ("ModelInfer", "ModelMetadata"):
            code, text = wire.refused(CALLS[name], asking)
            assert (code, "isn't ready" in text) == ("UNAVAILABLE", True)
        served.live = pipeline.live()
        assert asking.is_server_ready()
        assert asking.is_model_ready("sums")
        assert asking.infer("sums", wire.raw(SMALL)).as_numpy("sum") == [0.1 + 0.2]


def test_while_it_drains(served: Served) -> None:
    with client.InferenceServerClient(served.start()) as asking:
        CALLS["ModelInfer"](asking)
        served.ready = False
        assert asking.is_server_live()
        assert not asking.is_server_ready()
        assert not asking.is_model_ready("sums")
        CALLS["ModelInfer"](asking)  # who hasn't heard of it yet is answered all the same


def test_what_is_under_way_finishes_when_it_stops(served: Served) -> None:
    address = served.start()
    served.hold.clear()
    with client.InferenceServerClient(address) as asking, ThreadPoolExecutor(2) as pool:
        asked = pool.submit(asking.infer, "sums", wire.raw(BIG))
        assert served.waiting.acquire(timeout=60)
        stopping = pool.submit(served.do, served.running.pop().stop(60))
        until(lambda: not listens(address))
        assert not asked.done()
        served.hold.set()
        assert len(asked.result(60).as_numpy("sum")) == ROWS
        stopping.result(60)


def listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), 60).close()
    except ConnectionResetError:
        return True
    except ConnectionRefusedError:
        return False
    return True


def answers(address: str) -> bool:
    with client.InferenceServerClient(address) as asking:
        try:
            return bool(asking.infer("sums", wire.raw(SMALL)).as_numpy("sum") == [0.1 + 0.2])
        except InferenceServerException:
            return False


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end


def test_a_call_keeps_the_version_it_began_with(served: Served, pipeline: Pipeline, rides: Pipeline) -> None:
    served.hold.clear()
    with client.InferenceServerClient(served.start()) as asking, ThreadPoolExecutor(1) as pool:
        asked = pool.submit(asking.infer, "sums", wire.raw(BIG))
        assert served.waiting.acquire(timeout=60)
        served.live = rides.live()
        assert asking.is_model_ready("rides")
        served.hold.set()
        assert asked.result(60).get_response().model_version == pipeline.version


# -- whatever is sent


def sent(address: str, path: bytes, *more: tuple[bytes, bytes]) -> bytes:
    """What comes back for a call of this path, which no client would send."""

    def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
        return (
            struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload
        )

    def header(name: bytes, value: bytes) -> bytes:
        return b"\0" + bytes((len(name),)) + name + bytes((len(value),)) + value

    headers = [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", path),
        (b":authority", b"x"),
        (b"content-type", b"application/grpc"),
        (b"te", b"trailers"),
        *more,
    ]
    block = b"".join(header(name, value) for name, value in headers)
    host, _, port = address.rpartition(":")
    found = b""
    with socket.create_connection((host, int(port)), 60) as asking:
        asking.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"") + frame(1, 4, 1, block))
        asking.sendall(frame(0, 1, 1, bytes(5)))
        while b"grpc-status" not in found and b"grpc-message" not in found:
            read = asking.recv(4096)
            if not read:
                break
            found += read
    return found


@pytest.mark.parametrize(
    ("path", "more"),
    [
        (
            b"/inference.GRPCInferenceService/ServerLive",
            [(b"x-api-key", b"\xff"), (b"x-request-id", b"\xff")],
        ),
        (b"/inference.GRPCInferenceService/ServerLive", [(b"x-foo-bin", b"!")]),
        (b"/inference.GRPCInferenceService/ServerLive", [(b"x-api-key", "ünï".encode())]),
        (b"/inference.GRPCInferenceService/\xc3\xbc", []),
        (b"/", []),
    ],
)
def test_odd_headers_are_answered(served: Served, path: bytes, more: list[tuple[bytes, bytes]]) -> None:
    address = served.start()
    assert sent(address, path, *more)
    with client.InferenceServerClient(address) as asking:
        assert asking.is_server_live()


def test_a_method_whose_name_is_no_text_stops_nobody_for_long(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    address = served.start()
    for _ in range(3):
        served.hold.clear()
        with client.InferenceServerClient(address) as asking, ThreadPoolExecutor(1) as pool:
            asked = pool.submit(asking.infer, "sums", wire.raw(BIG))
            assert served.waiting.acquire(timeout=60)
            sent(address, b"/\xff")
            until(lambda: "ended the gRPC server" in caplog.text)
            until(lambda: answers(address))
            caplog.clear()
            assert not asked.done()
            served.hold.set()
            assert len(asked.result(60).as_numpy("sum")) == ROWS


# -- how much


def test_more_calls_than_the_most_are_refused_at_once(served: Served) -> None:
    served.hold.clear()
    with client.InferenceServerClient(served.start(most_calls=2)) as asking, ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(asking.infer, "sums", wire.raw(BIG)) for _ in range(2)]
        for _ in asked:
            assert served.waiting.acquire(timeout=60)
        for tensors in (BIG, SMALL):
            code, text = wire.refused(asking.infer, "sums", wire.raw(tensors))
            assert (code, "2 requests are under way" in text) == ("RESOURCE_EXHAUSTED", True)
        assert asking.is_server_live()
        assert asking.is_server_ready()
        served.hold.set()
        for one in asked:
            assert len(one.result(60).as_numpy("sum")) == ROWS
        assert asking.infer("sums", wire.raw(SMALL)).as_numpy("sum") == [0.1 + 0.2]
    assert seen(served).count(("ModelInfer", "RESOURCE_EXHAUSTED")) == 2


def test_a_call_that_its_client_gives_up_makes_room(served: Served) -> None:
    served.hold.clear()
    with grpc.insecure_channel(served.start(most_calls=1)) as channel:
        calls = stub(channel)
        asked = calls.ModelInfer.future(wire.typed("sums", BIG))
        assert served.waiting.acquire(timeout=60)
        asked.cancel()
        until(lambda: ("ModelInfer", "CANCELLED") in seen(served))
        calls.ModelInfer(wire.typed("sums", SMALL))


def test_limits_of_a_request(served: Served) -> None:
    with client.InferenceServerClient(served.start(most_bytes=100_000, most_rows=4_000)) as asking:
        code, text = wire.refused(asking.infer, "sums", wire.raw(BIG))
        assert (code, "4,000" in text) == ("RESOURCE_EXHAUSTED", True)
        rows = 20_000
        zeros = {"a": ("FP64", np.zeros(rows)), "b": ("FP64", np.zeros(rows))}
        for compression in (None, "gzip", "deflate"):
            code, _ = wire.refused(asking.infer, "sums", wire.raw(zeros), compression_algorithm=compression)
            assert code == "RESOURCE_EXHAUSTED", compression
        assert asking.infer("sums", wire.raw(SMALL)).as_numpy("sum") == [0.1 + 0.2]


def test_large_requests_leave_the_loop(served: Served) -> None:
    with client.InferenceServerClient(served.start()) as asking:
        asking.infer("sums", wire.raw(SMALL))
        assert not served.threads
        found = asking.infer("sums", wire.raw(BIG)).as_numpy("sum")
        assert wire.bits(found) == wire.bits(np.arange(ROWS) / 7 + 0.5)
        assert served.threads


def test_many_threads(served: Served) -> None:
    """Each gets the answer to its own question."""
    address = served.start()
    sizes = (1, 3, 700, 3000)

    def ask(number: int) -> None:
        with client.InferenceServerClient(address) as asking:
            for turn in range(25):
                rows = sizes[(number + turn) % len(sizes)]
                values = np.arange(rows) + number * 1e6 + turn
                id = f"{number}-{turn}"
                tensors = {"a": ("FP64", values), "b": ("FP64", values * 2)}
                found = asking.infer("sums", wire.raw(tensors), request_id=id)
                assert found.get_response().id == id
                assert wire.bits(found.as_numpy("sum")) == wire.bits(values + values * 2)

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(ask, number) for number in range(8)]:
            done.result(120)
    assert seen(served) == [("ModelInfer", "OK")] * 200


def test_a_client_on_the_same_loop(served: Served) -> None:
    address = served.start()

    async def ask() -> list[Any]:
        asking = aio_client.InferenceServerClient(address)
        try:
            assert await asking.is_server_live()
            answers = [await asking.infer("sums", wire.raw(tensors)) for tensors in (SMALL, BIG)]
        finally:
            await asking.close()
        return answers

    small, big = served.do(ask())
    assert small.as_numpy("sum") == [0.1 + 0.2]
    assert len(big.as_numpy("sum")) == ROWS


# -- what is told


def test_every_call_is_observed(served: Served) -> None:
    with client.InferenceServerClient(served.start()) as asking:
        for call in CALLS.values():
            call(asking)
        wire.refused(asking.infer, "other", wire.raw(SMALL))
        code, text = wire.refused(asking.infer, "sums", wire.raw({"a": ("FP64", [1.0, np.nan])}))
        assert (code, "row 1: a" in text) == ("INVALID_ARGUMENT", True)
    assert seen(served) == [
        *((name, "OK") for name in CALLS),
        ("ModelInfer", "NOT_FOUND"),
        ("ModelInfer", "INVALID_ARGUMENT"),
    ]
    assert all(0 < seconds < 60 for _, _, seconds in served.seen)


def test_what_was_answered_is_told(served: Served) -> None:
    told: list[Call] = []
    served.keep = lambda protocol, call: told.append(call) if protocol == "grpc" else None
    with client.InferenceServerClient(served.start()) as asking:
        asking.infer("sums", wire.raw(SMALL), headers={"x-request-id": "7"})
        asking.infer("sums", wire.raw(BIG))
        wire.refused(asking.infer, "other", wire.raw(SMALL))
    one, many = told
    assert one.id == "7"
    assert [(dict(row), answer) for row, answer in one.rows or ()] == [
        ({"a": 0.1, "b": 0.2}, {"sum": 0.1 + 0.2})
    ]
    assert many.table is not None
    assert many.table[1].num_rows == ROWS
    for call in told:
        assert call.times is not None
        assert min(call.times) >= 0


def test_an_answer_that_cannot_be_noted_is_given(
    serve: Any, pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(protocol: str, call: Call) -> None:
        raise OSError("the disk is full")

    served: Served = serve(pipeline)
    served.keep = fail
    with client.InferenceServerClient(served.start()) as asking:
        assert asking.infer("sums", wire.raw(SMALL)).as_numpy("sum") == [0.1 + 0.2]
    assert "the disk is full" in caplog.text


def test_the_version_and_a_safe_request_id_come_back(served: Served, pipeline: Pipeline) -> None:
    with grpc.insecure_channel(served.start()) as channel:
        call = stub(channel).ModelInfer
        for id, echoed in (("a-1_B.2", "a-1_B.2"), ("<b>", "b"), ("x" * 200, "x" * 64), ("a b", "ab")):
            _, done = call.with_call(wire.typed("sums", SMALL), metadata=(("x-request-id", id),))
            told = dict(done.trailing_metadata())
            assert told["engine-version"] == pipeline.version
            assert told["x-request-id"] == echoed
        with pytest.raises(grpc.RpcError) as caught:
            call(wire.typed("other", SMALL), metadata=(("x-request-id", "7"),))
        told = dict(caught.value.trailing_metadata())
        assert (told["engine-version"], told["x-request-id"]) == (pipeline.version, "7")


def test_a_bug_is_logged_and_not_told(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        name = version = "sums"

        @property
        def pipeline(self) -> Any:
            raise ZeroDivisionError("a secret of the inside")

    served.live = Broken()  # type: ignore[assignment]
    with client.InferenceServerClient(served.start()) as asking:
        for tensors in (SMALL, BIG):
            code, text = wire.refused(asking.infer, "sums", wire.raw(tensors))
            assert (code, text) == ("INTERNAL", "the server failed; its log says why")
        assert asking.is_server_live()
    assert "a secret of the inside" in caplog.text
    assert seen(served)[:2] == [("ModelInfer", "INTERNAL")] * 2


# -- where


def test_servers_share_a_port(serve: Any, pipeline: Pipeline) -> None:
    first, second = serve(pipeline), serve(pipeline)
    address = first.start()
    assert second.start(address) == address
    for _ in range(200):
        # another connection each time: the kernel chooses who takes it
        options = [("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(address, options=options) as channel:
            stub(channel).ServerLive(wire.service_pb2.ServerLiveRequest())
        if first.seen and second.seen:
            return
    raise AssertionError("one of them is never asked")


def test_a_port_that_is_taken(served: Served) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(UserError, match=f"server.grpc_port: nothing can listen at {address}"):
            served.start(address)
    one = served.start(reuse_port=False)
    with pytest.raises(UserError, match="grpc_port"):
        served.start(one, reuse_port=False)


def test_gRPC_is_imported_by_nothing_but_the_server() -> None:  # noqa: N802
    code = "import engine.runtime.serve.rpc, engine.runtime.serve.rpc.host, sys; print('grpc' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


def test_threads_end_with_the_server(serve: Any, pipeline: Pipeline) -> None:
    before = threading.active_count()
    served: Served = serve(pipeline)
    address = served.start()
    with client.InferenceServerClient(address) as asking:
        asking.infer("sums", wire.raw(SMALL))
    served.do(served.running.pop().stop(5))
    until(lambda: not listens(address))
    assert threading.active_count() <= before + 2
