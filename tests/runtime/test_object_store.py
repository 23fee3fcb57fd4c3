"""What goes wrong with an object store: it is said in one line, soon, and nothing half made stays."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from engine.errors import DataError
from engine.runtime.io.files import SinkError
from engine.runtime.io.storage_options import StorageOptions
from engine.runtime.store.objects import ObjectStore
from tests.runtime.s3 import KEYS, S3Server

Answer = tuple[int, bytes]
Asked = Callable[[str, str], Answer | None]
"""What to answer instead of the server to a method and a path; None lets the server answer."""


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)


def store_at(endpoint: str, bucket: str = "bucket", **options: Any) -> ObjectStore:
    return ObjectStore(f"s3://{bucket}/run", StorageOptions(endpoint, **options), patience=1.5)


@contextmanager
def between(s3: S3Server, instead: Asked, *, after: bool = False, cut: bool = False) -> Iterator[str]:
    """An endpoint before the server that answers some requests itself.

    Parameters
    ----------
    s3 : S3Server
    instead : callable
    after : bool
        The server does what was asked all the same; only its answer is lost.
    cut : bool
        The connection ends in the middle of each content that is read.
    """
    port = urlsplit(s3.endpoint).port

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: Any) -> None:
            pass

        def handle_all(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(size)
            if len(body) < size:
                self.close_connection = True  # who asked has gone
                return
            answer = instead(self.command, self.path)
            if answer is None or after:
                connection = http.client.HTTPConnection("127.0.0.1", port)
                connection.request(self.command, self.path, body, dict(self.headers))
                real = connection.getresponse()
                content = real.read()
                connection.close()
            if answer is not None:
                self.respond(answer[0], [], answer[1])
                return
            self.respond(real.status, real.getheaders(), content)

        def respond(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
            self.send_response_only(status)
            for name, value in headers:
                if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                try:
                    self.wfile.write(
                        content[: len(content) // 2] if cut and self.command == "GET" else content
                    )
                except OSError:
                    self.close_connection = True  # who asked has gone
            if cut:
                self.close_connection = True

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_all  # noqa: N815

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _xml(code: str, more: str = "") -> bytes:
    return f"<Error><Code>{code}</Code><Message>It failed.\nReally.</Message>{more}</Error>".encode()


@pytest.mark.parametrize(
    ("status", "content", "said"),
    [
        (
            403,
            _xml("InvalidAccessKeyId", f"<AWSAccessKeyId>{KEYS['AWS_ACCESS_KEY_ID']}</AWSAccessKeyId>"),
            "the store denies access (403 InvalidAccessKeyId); check AWS_ACCESS_KEY_ID and"
            " AWS_SECRET_ACCESS_KEY, and what they are allowed",
        ),
        (
            400,
            _xml("AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>"),
            "the bucket is in the region eu-west-1, not in us-east-1; set region= or AWS_REGION",
        ),
        (
            301,
            _xml("PermanentRedirect"),
            "the bucket is in another region, not in us-east-1; set region= or AWS_REGION",
        ),
        (
            501,
            _xml("NotImplemented"),
            "the store can't do this (501 NotImplemented); use one that has conditional writes",
        ),
        (503, _xml("SlowDown"), "the store answers 503 SlowDown; try again later"),
        (400, _xml("InvalidRequest", KEYS["AWS_SECRET_ACCESS_KEY"]), "the store answers 400 InvalidRequest"),
    ],
    ids=["keys", "region", "redirect", "conditional", "busy", "request"],
)
def test_a_refusal_is_one_line_without_keys(status: int, content: bytes, said: str, s3: S3Server) -> None:
    with between(s3, lambda method, path: (status, content)) as endpoint:
        store = store_at(endpoint)
        began = time.monotonic()
        for ask in (lambda: store.create("plan.json", b"{}"), lambda: store.read("plan.json")):
            with pytest.raises(DataError) as caught:
                ask()
            assert str(caught.value).replace("can't be read", "can't be written") == (
                f"s3://bucket/run/plan.json: can't be written: {said}"
            )
        assert time.monotonic() - began < 10


def _asks(store: ObjectStore, tmp_path: Path) -> dict[str, Callable[[], Any]]:
    (tmp_path / "file").write_bytes(b"1")
    return {
        "create": lambda: store.create("a", b""),
        "write": lambda: store.write("a", b""),
        "read": lambda: store.read("a"),
        "read_all": lambda: store.read_all("a"),
        "names": lambda: store.names("a"),
        "size": lambda: store.size("a"),
        "upload": lambda: store.upload(tmp_path / "file", "a"),
        "local": lambda: store.local("a").__enter__(),
        "publish": lambda: store.publish("a", "b"),
        "rename": lambda: store.rename("a", "b"),
        "remove": lambda: store.remove("a"),
    }


def test_a_missing_bucket_is_said_whatever_is_asked(s3: S3Server, tmp_path: Path) -> None:
    for ask in _asks(store_at(s3.endpoint, "no-such-bucket"), tmp_path).values():
        with pytest.raises(
            DataError, match=r"^s3://no-such-bucket/run/\w: can't be .*: there is no bucket '"
        ):
            ask()


def test_nobody_listens(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    for ask in list(_asks(store_at(f"http://127.0.0.1:{port}"), tmp_path).values())[:2]:
        with pytest.raises(DataError) as caught:
            ask()
        assert str(caught.value) == (
            f"s3://bucket/run/a: can't be written: http://127.0.0.1:{port} can't be reached"
            " (connection refused); check the endpoint and the network"
        )


def test_nobody_answers() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=50) as silent:
        store = store_at(f"http://127.0.0.1:{silent.getsockname()[1]}")
        began = time.monotonic()
        for ask in (lambda: store.create("a", b""), lambda: store.names(), lambda: store.read("a")):
            with pytest.raises(DataError, match=r"can't be reached.*; check the endpoint and the network$"):
                ask()
        assert time.monotonic() - began < 10


def test_without_keys_the_user_is_told_to_set_them(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in KEYS:
        monkeypatch.delenv(name)
    with between(s3, lambda method, path: (403, b"")) as nowhere:
        monkeypatch.setenv("AWS_METADATA_ENDPOINT", nowhere)
        with pytest.raises(
            DataError, match=r"there are no keys: set AWS_ACCESS_KEY_ID and .*, or anonymous=true"
        ):
            store_at(s3.endpoint).read("a")
        with pytest.raises(DataError, match=r"the store denies access \(403\)"):
            store_at(nowhere, anonymous=True).read("a")


def test_an_upload_that_fails_leaves_neither_an_object_nor_parts(s3: S3Server) -> None:
    bucket = s3.bucket()
    for failing in (1, 3):
        broken = f"partNumber={failing}&"
        with between(
            s3, lambda method, path, broken=broken: (403, b"") if broken in path else None
        ) as endpoint:  # type: ignore[misc]
            with store_at(endpoint, bucket).scratch("part.parquet") as scratch:
                scratch.path.write_bytes(bytes(20 << 20))
                with pytest.raises(DataError, match=r"^s3://bucket-\w+/run/part.parquet: can't be written: "):
                    scratch.keep()
            assert not scratch.path.exists()
        assert store_at(s3.endpoint, bucket).names() == []
        assert s3.uploads(bucket) == 0


def test_a_large_file_goes_and_comes_in_parts(s3: S3Server) -> None:
    store = store_at(s3.endpoint, s3.bucket())
    content = bytes(range(256)) * (20 << 12)
    with store.scratch("part.parquet") as scratch:
        scratch.path.write_bytes(content)
        scratch.keep()
    assert store.size("part.parquet") == len(content)
    with store.local("part.parquet") as path:
        assert path.read_bytes() == content
    assert not path.exists()


def test_a_download_that_ends_early_is_no_file(s3: S3Server) -> None:
    bucket = s3.bucket()
    store_at(s3.endpoint, bucket).write("part", bytes(100_000))
    with (
        between(s3, lambda method, path: None, cut=True) as endpoint,
        pytest.raises(DataError, match=r"/run/part: can't be read: "),
        store_at(endpoint, bucket).local("part"),
    ):
        pass


def test_who_made_a_file_and_lost_the_answer_has_made_it(s3: S3Server) -> None:
    bucket = s3.bucket()
    lost = [(503, b"")]
    with between(
        s3, lambda method, path: lost.pop() if lost and method == "PUT" else None, after=True
    ) as endpoint:
        store = store_at(endpoint, bucket)
        assert store.create("receipt.json", b"1") is True
        assert lost == []
        assert store.create("receipt.json", b"1") is False


def test_a_store_that_copies_on_no_condition_is_looked_at_first(s3: S3Server) -> None:
    with between(s3, lambda method, path: (501, b"") if "?uploads" in path else None) as endpoint:
        store = store_at(endpoint, s3.bucket())
        store.write("a", b"first")
        store.write("b", b"second")
        store.publish("a", "out")
        store.publish("b", "out")
        assert store.read("out") == b"first"


def test_what_marks_an_empty_folder_is_no_file(s3: S3Server) -> None:
    bucket = s3.bucket()
    for key in ("run/", "run/sub/", "run/sub/file"):
        s3.ask("PUT", f"{bucket}/{key}", b"")
    store = store_at(s3.endpoint, bucket)
    assert store.names() == ["sub"]
    assert store.names("sub") == ["file"]
    assert store.read_all("sub") == {"file": b""}


def test_the_environment_says_what_the_options_do_not(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = s3.bucket()
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.endpoint)
    store = ObjectStore(f"s3://{bucket}")
    store.write("a", b"1")
    assert (str(store), store.names()) == (f"s3://{bucket}", ["a"])
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://other:9000")
    with pytest.raises(DataError, match="but AWS_ENDPOINT_URL_S3 is another; unset it"):
        store_at(s3.endpoint, bucket)


@pytest.mark.parametrize(
    ("url", "options", "said"),
    [
        ("s3:///run", {}, "s3://: the URL names no bucket; write s3://bucket/folder"),
        (
            "s4://b/run",
            {},
            "s4://b/run: no object store is called 's4://'; there are s3, gs, az. Did you mean 's3'?",
        ),
        ("gs://b/run", {"endpoint": "http://x:1"}, "gs://b: only s3:// takes an endpoint"),
        ("s3://b", {"endpoint": "x:1"}, "endpoint 'x:1': write it with its protocol, as in http://x:1"),
        (
            "s3://b",
            {"endpoint": "http://k:secret@x:1"},
            "endpoint at x: keys have no place in it; they are set by AWS_ACCESS_KEY_ID",
        ),
    ],
)
def test_a_wrong_url_or_option_is_said_before_the_store_is_asked(
    url: str, options: dict[str, str], said: str
) -> None:
    with pytest.raises(DataError) as caught:
        ObjectStore(url, StorageOptions(**options))  # type: ignore[arg-type]
    assert str(caught.value) == said


def test_a_name_that_no_object_may_have(s3: S3Server) -> None:
    store = store_at(s3.endpoint, "bucket")
    for name in ("a//b", "a\nb", "../a"):
        with pytest.raises(DataError, match="the name has an empty part, or a character") as caught:
            store.write(name, b"")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("move", ["publish", "rename"])
def test_what_is_too_large_for_a_store_to_copy_goes_through_this_machine(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch, move: str
) -> None:
    """S3 copies 5 GB at most, and says so with 400; a test server copies anything."""
    import obstore
    from obstore.exceptions import GenericError

    def refuse(*_: Any, **__: Any) -> None:
        raise GenericError("Server returned non-2xx status code: 400 Bad Request: InvalidRequest")

    store = store_at(s3.endpoint, s3.bucket())
    content = bytes(range(256)) * 1000
    store.write("new", content)
    monkeypatch.setattr(obstore, "copy", refuse)
    with pytest.raises(SinkError, match=r"out: can't be written .*400"):
        getattr(store, move)("new", "out")
    monkeypatch.setattr("engine.runtime.store.objects._MOST_COPIED", 1000)
    getattr(store, move)("new", "out")
    assert store.read("out") == content
    assert store.names() == (["new", "out"] if move == "publish" else ["out"])


def test_a_store_that_fails_for_a_while_ends_a_run_that_goes_on_later(s3: S3Server) -> None:
    """What is written is told as a disk's failure is: exit code 75, not that of a mistake."""
    with between(s3, lambda method, path: (503, b"") if method == "PUT" else None) as endpoint:
        store = store_at(endpoint, s3.bucket())
        with pytest.raises(SinkError, match="try again later"):
            store.write("x", b"x")
        with pytest.raises(SinkError, match="try again later"), store.scratch("y") as scratch:
            scratch.path.write_bytes(b"y")
            scratch.keep()
