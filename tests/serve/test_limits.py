"""Limits: what is too much, too slow or no HTTP is refused in good order, and harms nobody else."""

from __future__ import annotations

import gzip
import json
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .running import Server, ask, serving, until
from .wire import Wire, chunks, error, post, wire

ROW = {"id": "x", "size": 80.5, "rooms": 3, "age": 12, "city": "Bath", "sold": "2021-05-01T00:00:00Z"}
BODY = json.dumps(ROW).encode()
MOST = 200_000
SECONDS = 1.0
"""`server.receive_seconds` here."""


@pytest.fixture(scope="module")
def server(bundle: Path) -> Iterator[Server]:
    """A server with little patience."""
    with serving(
        f"bundle={bundle}",
        f"server.max_body={MOST}",
        f"server.receive_seconds={SECONDS}",
        "server.max_rows=1000",
        "server.max_connections=64",
        "server.keep_alive_seconds=2",
    ) as running:
        yield running


def in_flight(server: Server) -> float:
    """How many requests are begun, besides the one that asks."""
    return server.metrics()['engine_in_flight{worker="0"}'] - 1


def resident(server: Server) -> float:
    return server.metrics()['engine_resident_bytes{worker="0"}']


# -- too large


def test_a_body_that_says_it_is_too_large_is_refused_and_can_be_sent_on(server: Server) -> None:
    connection = server.connect()
    # http.client sends everything before it reads
    refused = ask(connection, "POST", "/predict", b" " * (20 * MOST))
    assert (refused.status, error(refused)) == (413, "too_large")
    assert ask(connection, "POST", "/predict", ROW).status == 200
    connection.close()


@pytest.mark.parametrize("how", ["connection: close", "1.0"])
def test_who_wants_the_connection_closed_can_read_the_refusal_too(server: Server, how: str) -> None:
    version, headers = ("1.0", []) if how == "1.0" else ("1.1", [how])
    with wire(server) as client:
        client.send(post(b" " * (100 * MOST), *headers, version=version))
        assert error(client.answer()) == "too_large"
        assert client.ended()


def test_chunks_are_counted_while_they_come(server: Server) -> None:
    with wire(server) as client:
        client.send(b"POST /predict HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
        part = b"%x\r\n%b\r\n" % (1000, b" " * 1000)
        client.send(part * (MOST // 1000 + 1))  # there is no end yet
        refused = client.answer()
        assert (refused.status, error(refused)) == (413, "too_large")


def test_chunks_within_the_limit_are_read_as_one_body(server: Server) -> None:
    with wire(server) as client:
        client.send(
            b"POST /predict HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
            + chunks(*(bytes([byte]) for byte in BODY))
        )
        assert client.answer().json == server.predict(ROW).json


def test_what_comes_around_chunks_is_bounded(server: Server) -> None:
    with wire(server) as client:
        client.send(b"POST /predict HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
        client.send(b"%x\r\n%b\r\n0\r\n" % (len(BODY), BODY))
        try:
            for _ in range(50):
                client.send(b"more: " + b"x" * 10_000 + b"\r\n")
        except (BrokenPipeError, ConnectionResetError):
            return
        assert client.answer().status in (400, 431)
        assert client.ended()


@pytest.mark.parametrize("cut", [0, 1, 20, 45])
def test_a_trailer_is_no_header(server: Server, cut: int) -> None:
    """Nor is it one where the rest of it comes later: ``cut`` bytes of the end."""
    data = (
        b"POST /predict HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
        + b"%x\r\n%b\r\n0\r\nx-request-id: mine\r\nexpect: 100-continue\r\ncontent-encoding: gzip\r\n\r\n"
        % (len(BODY), BODY)
    )
    with wire(server) as client:
        client.send(data[: len(data) - cut])
        if cut:
            server.ask("GET", "/ping")  # the first piece is read by then
            client.send(data[-cut:])
        answer = client.answer()
        assert answer.status == 200
        assert answer.headers["x-request-id"] != "mine"


def test_tiny_chunks_cost_in_proportion_to_their_number(server: Server) -> None:
    def seconds(number: int) -> float:
        body = b" " * (number - len(BODY)) + BODY
        data = b"POST /predict HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
        data += chunks(*(body[at : at + 1] for at in range(number)))
        with wire(server) as client:
            client.send(post(BODY))
            assert client.answer().status == 200  # a new connection takes less at once
            began = time.perf_counter()
            client.send(data)
            assert client.answer().status == 200
        return time.perf_counter() - began

    few, many = (min(seconds(number) for _ in range(5)) for number in (1_000, 16_000))
    assert many < 24 * few + 0.05  # the square would be 256 times as much


def test_rows_are_counted(server: Server) -> None:
    assert server.predict([{"rooms": 1}] * 1000).status == 200
    refused = server.predict([{"rooms": 1}] * 1001)
    assert (refused.status, error(refused)) == (413, "too_large")


def test_a_bomb_is_opened_no_further_than_the_limit(server: Server) -> None:
    before = resident(server)
    bomb = gzip.compress(gzip.compress(b" " * (300 << 20)))  # 300 MB
    for body in (gzip.compress(b" " * (100 << 20)), gzip.decompress(bomb)[:MOST], bomb):
        refused = server.ask("POST", "/predict", body, {"content-encoding": "gzip"})
        assert refused.status in (400, 413)
        error(refused)
    assert resident(server) - before < 30e6


@pytest.mark.parametrize("behind", [b"garbage", gzip.compress(b"{}", mtime=0)])
def test_what_stands_behind_a_packed_body_is_not_passed_over(server: Server, behind: bytes) -> None:
    answer = server.ask("POST", "/predict", gzip.compress(BODY) + behind, {"Content-Encoding": "gzip"})
    assert (answer.status, error(answer)) == (400, "encoding")


def test_packing_twice_is_not_known(server: Server) -> None:
    found = server.ask("POST", "/predict", gzip.compress(BODY), {"content-encoding": "gzip, gzip"})
    assert (found.status, error(found)) == (415, "encoding")


@pytest.mark.parametrize("depth", [2000, 90_000])
def test_nesting_is_bounded(server: Server, depth: int) -> None:
    found = server.ask("POST", "/predict", b'{"rooms": 1, "id": ' + b"[" * depth + b"]" * depth + b"}")
    assert (found.status, error(found)) == (400, "json")


@pytest.mark.parametrize(
    "head",
    [
        b"GET /ping HTTP/1.1\r\n" + b"".join(b"x-%d: %b\r\n" % (i, b"y" * 1000) for i in range(80)) + b"\r\n",
        b"GET /ping HTTP/1.1\r\nx: " + b"y" * 70_000 + b"\r\n\r\n",
        b"GET /ping?" + b"y" * 70_000 + b" HTTP/1.1\r\n\r\n",
        b"GET /" + b"y" * 3_000_000,  # and so on
    ],
)
def test_a_head_is_bounded(server: Server, head: bytes) -> None:
    with wire(server) as client:
        client.send(head)
        refused = client.answer()
        assert (refused.status, error(refused)) == (431, "too_large")
        assert refused.headers["connection"] == "close"
        assert client.ended()


def test_too_many_connections_are_told_so(server: Server) -> None:
    until(lambda: server.metrics()['engine_connections{worker="0"}'] <= 2)
    with wire(server) as first:
        others = [socket.create_connection(server.address, 10) for _ in range(80)]
        refused = 0
        for other in others:
            answer = None
            other.sendall(post(BODY))
            answer = Wire(other).answer()
            assert answer.status in (200, 503)
            if answer.status == 503:
                refused += 1
                assert error(answer) == "busy"
                assert int(answer.headers["retry-after"]) >= 1
        assert 16 <= refused <= 20
        first.send(post(BODY))
        assert first.answer().status == 200
        for other in others:
            other.close()
    until(lambda: server.predict(ROW).status == 200)


# -- too slow


@pytest.mark.parametrize(
    ("start", "drop"),
    [
        (b"", b""),
        (b"POST /pre", b"d"),
        (b"POST /predict HTTP/1.1\r\nx: ", b"y"),
        (b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n", b" "),
        (b"POST /predict HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    ],
    ids=["nothing", "first line", "header", "body", "chunks"],
)
def test_slow_requests_are_cut_off(server: Server, start: bytes, drop: bytes) -> None:
    with wire(server) as client:
        began = time.monotonic()
        client.send(start)
        client.end.settimeout(0.05)
        while True:
            try:
                refused = client.answer()
                break
            except TimeoutError:
                client.send(drop)
                assert time.monotonic() - began < 10
        assert (refused.status, error(refused)) == (408, "timeout")
        assert SECONDS <= time.monotonic() - began < SECONDS + 3
        client.end.settimeout(5)
        assert client.ended()
    until(lambda: in_flight(server) == 0)


def test_who_was_answered_already_is_cut_off_without_a_second_answer(server: Server) -> None:
    with wire(server) as client:
        client.send(b"POST /nowhere HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\nx")
        assert error(client.answer()) == "not_found"
        assert client.ended()


def test_idle_connections_are_closed(server: Server) -> None:
    """Those, too, that get a little that is no request."""
    with wire(server) as quiet, wire(server) as refused, wire(server) as blank:
        quiet.send(post(BODY))
        assert quiet.answer().status == 200
        refused.send(b"POST /nowhere HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n")
        assert error(refused.answer()) == "not_found"
        refused.send(b"x" * 10)  # the body of what is answered already
        blank.send(post(BODY))
        assert blank.answer().status == 200
        blank.send(b"\r\n")
        for client in (quiet, refused, blank):
            client.end.settimeout(6)
            assert client.ended()


def test_who_leaves_in_mid_body_frees_the_place(server: Server) -> None:
    left = []
    for _ in range(20):
        end = socket.create_connection(server.address, 10)
        end.sendall(b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{")
        left.append(end)
    until(lambda: in_flight(server) == 20)
    for end in left:
        end.close()
    until(lambda: in_flight(server) == 0, SECONDS)
    until(lambda: server.metrics()['engine_refused_requests_total{reason="gone"}'] >= 20)


def test_who_does_not_read_is_cut_off_and_stops_nobody(server: Server) -> None:
    rows = [{"rooms": 1, "id": "x" * 150}] * 1000  # kept, so that the answer is as large
    request = post(json.dumps(rows).encode())
    ends = []
    for _ in range(8):
        end = socket.socket()
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        end.connect(server.address)
        end.settimeout(0.2)
        ends.append(end)
        try:
            for _ in range(200):  # one behind the other, until it stops taking them
                end.sendall(request)
        except TimeoutError:
            pass
    assert server.predict(ROW).status == 200
    until(lambda: server.metrics()['engine_connections{worker="0"}'] <= 2, 15)
    until(lambda: in_flight(server) == 0)
    assert server.predict(ROW).status == 200
    for end in ends:
        end.close()


def test_who_reads_slowly_but_steadily_gets_everything(server: Server) -> None:
    rows = [{"rooms": 1, "id": "x" * 150}] * 1000
    request = post(json.dumps(rows).encode())
    with socket.socket() as end:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        end.settimeout(10)
        end.connect(server.address)
        times, began, read = 20, time.monotonic(), 0
        end.sendall(request * 2)
        client = Wire(end)
        sizes = set()
        for _ in range(times):
            end.sendall(request)
            while time.monotonic() - began < 3 * SECONDS * read / times:
                client.end.settimeout(0.01)
                try:
                    client._more()
                except TimeoutError:
                    continue
            client.end.settimeout(10)
            answer = client.answer()
            assert answer.status == 200
            sizes.add(len(answer.body))
            read += 1
        assert len(sizes) == 1


# -- HTTP


def test_requests_one_behind_the_other_are_answered_in_order(server: Server) -> None:
    many = json.dumps([{"rooms": i % 7 + 1} for i in range(900)]).encode()  # answered beside the others
    with wire(server) as client:
        asked = [many if i % 7 == 3 else json.dumps({"rooms": 1, "id": i}).encode() for i in range(60)]
        client.send(b"".join(post(body, f"x-request-id: n{i}") for i, body in enumerate(asked)))
        for i in range(60):
            answer = client.answer()
            assert answer.status == 200
            assert answer.headers["x-request-id"] == f"n{i}"
            assert len(answer.json) == 900 if i % 7 == 3 else answer.json["id"] == i


@pytest.mark.parametrize(
    "spoilt",
    [
        b"\x00garbage\r\n\r\n",
        b"POST /predict HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_what_comes_before_garbage_is_answered_first(server: Server, spoilt: bytes) -> None:
    many = json.dumps([{"rooms": 1}] * 900).encode()
    for behind in (b"", post(BODY)):
        with wire(server) as client:
            client.send(post(many) + behind + spoilt)
            assert len(client.answer().json) == 900
            if behind:
                assert client.answer().json == server.predict(ROW).json
            assert error(client.answer()) == "http"
            assert client.ended()


def test_http_1_0(server: Server) -> None:
    with wire(server) as client:
        client.send(post(BODY, version="1.0"))
        answer = client.answer()
        assert answer.json == server.predict(ROW).json
        assert answer.headers["connection"] == "close"
        assert client.ended()


def test_head_has_no_body(server: Server) -> None:
    with wire(server) as client:
        for path, status in (("/ping", 200), ("/metrics", 200), ("/predict", 405), ("/nowhere", 404)):
            client.send(f"HEAD {path} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
            answer = client.answer(bodiless=True)
            assert answer.status == status
            assert int(answer.headers["content-length"]) > 0


def test_continue_is_said_where_the_body_is_wanted(server: Server) -> None:
    head = "POST {} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\nexpect: 100-continue\r\n\r\n"
    with wire(server) as client:
        client.send(head.format("/predict", len(BODY)).encode())
        assert client.answer().status == 100
        client.send(BODY)
        assert client.answer().json == server.predict(ROW).json
        client.send(head.format("/predict", MOST + 1).encode())
        refused = client.answer()
        assert error(refused) == "too_large"
        assert refused.headers["connection"] == "close"  # or it would take what follows for the body


@pytest.mark.parametrize(
    "request_",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"hello\r\n\r\n",
        b"GET /ping HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET /ping HTTP/1.1\r\n: empty\r\n\r\n",
        b"GET /ping HTTP/9.9\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\n\r\n",
        b"GET ping HTTP/1.1\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\n\r\n",
        b"CONNECT x:443 HTTP/1.1\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
        b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: +2\r\n\r\n{}",
        b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999999999999999\r\n\r\n{}",
    ],
)
def test_garbage_is_answered_like_every_error(server: Server, request_: bytes) -> None:
    with wire(server) as client:
        client.send(request_)
        answer = client.answer()
        assert answer.status in (400, 404, 405)
        error(answer)
    assert server.predict(ROW).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        "content-length: 5\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 5",
        "content-length: 5\r\ncontent-length: 6",
        "content-length: 5, 6",
        "transfer-encoding: chunked, identity",
        "transfer-encoding: xchunked",
        "transfer-encoding:\x0bchunked",
        "transfer-encoding : chunked",
        "transfer-encoding: chunked\r\ntransfer-encoding: identity",
        "content-length: 5\n\ttransfer-encoding: chunked",
    ],
)
def test_no_request_hides_in_another(server: Server, headers: str) -> None:
    hidden = b"0\r\n\r\nGET /ping HTTP/1.1\r\nhost: x\r\n\r\n"
    with wire(server) as client:
        client.send(f"POST /predict HTTP/1.1\r\nhost: x\r\n{headers}\r\n\r\n".encode() + hidden)
        refused = client.answer()
        assert (refused.status, error(refused)) == (400, "http")
        assert client.ended()


def test_an_upgrade_is_not_taken_up(server: Server) -> None:
    with wire(server) as client:
        client.send(post(BODY, "connection: Upgrade, HTTP2-Settings", "upgrade: h2c", "http2-settings: AA"))
        assert client.answer().json == server.predict(ROW).json
        client.send(b"GET /ping HTTP/1.1\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n")
        assert client.answer().status == 200


PAIR = (
    post(BODY) + b"POST /predict HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n" + chunks(BODY[:9], BODY[9:])
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(cuts=st.sets(st.integers(1, len(PAIR) - 1), max_size=6))
def test_in_whatever_pieces_it_comes_a_request_is_the_same(server: Server, cuts: set[int]) -> None:
    with wire(server) as client:
        for begin, end in pairwise([0, *sorted(cuts), len(PAIR)]):
            client.send(PAIR[begin:end])
        assert [client.answer().json, client.answer().json] == [server.predict(ROW).json] * 2


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(at=st.integers(0, len(PAIR) - 1), change=st.binary(max_size=3))
def test_whatever_of_it_is_spoilt_there_is_an_answer_or_an_end(
    server: Server, at: int, change: bytes
) -> None:
    with wire(server) as client:
        client.send(PAIR[:at] + change + PAIR[at + 1 :])
        client.end.shutdown(socket.SHUT_WR)
        with suppress(EOFError, ConnectionError):  # it may wait for what never comes
            for _ in range(4):
                answer = client.answer()
                assert answer.status in (200, 400, 404, 405, 415, 422)
                if answer.status != 200:
                    error(answer)
    assert server.predict(ROW).status == 200


def test_all_of_it_left_nothing_behind(server: Server) -> None:
    until(lambda: in_flight(server) == 0)
    until(lambda: server.metrics()['engine_connections{worker="0"}'] <= 2)
    assert server.predict(ROW).status == 200
    assert [event for event in server.events if event["level"] != "info"][:1] == []
    assert all(line.startswith("{") for line in server.lines)
