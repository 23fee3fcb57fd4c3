"""Certificates are held against each other before anybody connects, and then serve HTTP and gRPC."""

from __future__ import annotations

import http.client
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.errors import ConfigError
from engine.runtime.serve.tls import Tls, open_tls
from tests.serve.certificates import Files, certify

pytest.importorskip("uvicorn")
grpc = pytest.importorskip("grpc")

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return certify(tmp_path_factory.mktemp("server"), "localhost", "127.0.0.1")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return certify(tmp_path_factory.mktemp("client"), "client@example.com")


def opened(*given: str | None, now: datetime | None = None) -> Tls:
    tls = open_tls(*given, now=now)
    assert tls is not None
    return tls


def mistakes(*given: str | None) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        open_tls(*given)
    return {mistake.where: mistake.message for mistake in caught.value.mistakes}


async def hello(scope: dict[str, Any], receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})


@contextmanager
def serving(tls: Tls) -> Iterator[int]:
    """A server of uvicorn's with this TLS; yields its port."""
    import uvicorn

    config = uvicorn.Config(
        hello, log_level="critical", lifespan="off", ssl_context_factory=lambda *_: tls.for_http()
    )
    served = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=served.run, args=([listening],))
        thread.start()
        try:
            deadline = time.monotonic() + 30
            while not served.started and time.monotonic() < deadline:
                thread.join(0.01)
            assert served.started
            yield listening.getsockname()[1]
        finally:
            served.should_exit = True
            thread.join(30)
    assert not thread.is_alive()


def trusting(server: Files, client: Files | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=server.ca)
    if client is not None:
        context.load_cert_chain(client.cert, client.key)
    return context


def get(port: int, context: ssl.SSLContext) -> bytes:
    connection = http.client.HTTPSConnection("localhost", port, timeout=20, context=context)
    try:
        connection.request("GET", "/")
        return connection.getresponse().read()
    finally:
        connection.close()


def test_https(server: Files) -> None:
    tls = opened(server.cert, server.key)
    assert tls.notes == ()
    with serving(tls) as port:
        assert get(port, trusting(server)) == b"hello"
        with pytest.raises(ssl.SSLCertVerificationError):
            get(port, ssl.create_default_context())
        both = trusting(server)
        both.set_alpn_protocols(["h2", "http/1.1"])
        with (
            socket.create_connection(("127.0.0.1", port), 20) as plain,
            both.wrap_socket(plain, server_hostname="localhost") as shaken,
        ):
            assert shaken.selected_alpn_protocol() == "http/1.1"
            assert shaken.version() == "TLSv1.3"
    assert tls.for_http().minimum_version == ssl.TLSVersion.TLSv1_2


def test_https_takes_certified_clients_alone(server: Files, client: Files) -> None:
    with serving(opened(server.cert, server.key, client.ca)) as port:
        assert get(port, trusting(server, client)) == b"hello"
        for stranger in (None, server):
            with pytest.raises((ssl.SSLError, ConnectionError)):
                get(port, trusting(server, stranger))


def ask(port: int, server: Files, client: Files | None = None) -> bytes:
    pair = (Path(client.key).read_bytes(), Path(client.cert).read_bytes()) if client else (None, None)
    credentials = grpc.ssl_channel_credentials(Path(server.ca).read_bytes(), *pair)
    with grpc.secure_channel(f"localhost:{port}", credentials) as channel:
        answer: bytes = channel.unary_unary("/test.Echo/Echo")(b"hello", timeout=20)
        return answer


@contextmanager
def serving_grpc(tls: Tls) -> Iterator[int]:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        served = grpc.server(pool)
        echo = grpc.unary_unary_rpc_method_handler(lambda request, _: request)
        served.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Echo", {"Echo": echo}),))
        port = served.add_secure_port("127.0.0.1:0", tls.for_grpc())
        served.start()
        try:
            yield port
        finally:
            assert served.stop(None).wait(30)


def test_grpc(server: Files, client: Files) -> None:
    with serving_grpc(opened(server.cert, server.key)) as port:
        assert ask(port, server) == b"hello"
    with serving_grpc(opened(server.cert, server.key, client.ca)) as port:
        assert ask(port, server, client) == b"hello"
        for stranger in (None, server):
            with pytest.raises(grpc.RpcError) as caught:
                ask(port, server, stranger)
            assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


def test_without_tls() -> None:
    assert open_tls(None, None, None) is None


def test_one_without_the_other(server: Files) -> None:
    assert mistakes(server.cert, None) == {
        "server.tls_key": "it is needed with server.tls_cert: server.tls_key=PATH, the private key; the same"
        " path, where the file of the certificate holds it, too"
    }
    assert mistakes(None, server.key) == {
        "server.tls_cert": "it is needed with server.tls_key: server.tls_cert=PATH, the server's certificate"
    }
    found = mistakes(None, None, server.ca)
    assert list(found) == ["server.tls_cert", "server.tls_key"]
    assert all("it is needed with server.tls_client_ca" in said for said in found.values())


def test_all_mistakes_at_once(server: Files, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert mistakes(f"{tmp_path}/absent", str(tmp_path), f"{tmp_path}/empty") == {
        "server.tls_cert": f"{tmp_path}/absent can't be read: No such file or directory",
        "server.tls_key": f"{tmp_path} can't be read: Is a directory",
        "server.tls_client_ca": f"{tmp_path}/empty holds no certificate; expected PEM, which begins"
        " '-----BEGIN CERTIFICATE-----'",
    }


def test_the_two_swapped(server: Files) -> None:
    assert mistakes(server.key, server.cert) == {
        "server.tls_cert": f"{server.key} holds a private key and no certificate; the key belongs to"
        " server.tls_key",
        "server.tls_key": f"{server.cert} holds a certificate and no private key; the certificate belongs to"
        " server.tls_cert",
    }


def test_a_key_of_another_certificate(server: Files, client: Files) -> None:
    assert mistakes(server.cert, client.key) == {
        "server.tls_key": f"{client.key} is not the key of the certificate in {server.cert}; expected the one"
        " that it was made for"
    }


def test_a_damaged_file(server: Files, tmp_path: Path) -> None:
    torn = tmp_path / "torn.pem"
    torn.write_bytes(Path(server.cert).read_bytes()[:300])
    assert "can't be used (" in mistakes(str(torn), server.key)["server.tls_cert"]
    found = mistakes(server.cert, server.key, str(torn))["server.tls_client_ca"]
    assert found.startswith(f"{torn} holds a certificate that can't be read (")


def test_a_clients_own_certificate_is_no_authority(server: Files, tmp_path: Path) -> None:
    client = certify(tmp_path, "someone@example.com")
    assert (
        "holds no authority's certificate"
        in mistakes(server.cert, server.key, client.cert)["server.tls_client_ca"]
    )


@pytest.mark.skipif(shutil.which("openssl") is None, reason="the command openssl encrypts the key")
@pytest.mark.parametrize("form", [["pkcs8", "-topk8", "-v2", "aes256"], ["rsa", "-aes256", "-traditional"]])
def test_an_encrypted_key_is_refused_at_once(form: list[str], server: Files, tmp_path: Path) -> None:
    """OpenSSL would ask the terminal, and wait."""
    plain, locked = tmp_path / "plain.pem", tmp_path / "locked.pem"
    if form[0] == "rsa":
        subprocess.run(["openssl", "genrsa", "-out", plain, "2048"], check=True, capture_output=True)
    else:
        shutil.copy(server.key, plain)
    lock = ["openssl", *form, "-in", plain, "-out", locked, "-passout", "pass:secret"]
    subprocess.run(lock, check=True, capture_output=True)
    said = mistakes(server.cert, str(locked))["server.tls_key"]
    assert said.startswith(f"{locked} is encrypted")
    assert f"openssl pkey -in {locked} -out key.pem" in said


def test_both_in_one_file(server: Files, tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.touch(0o600)
    both.write_bytes(Path(server.key).read_bytes() + Path(server.cert).read_bytes())
    with serving(opened(str(both), str(both))) as port:
        assert get(port, trusting(server)) == b"hello"


@pytest.mark.parametrize(
    ("before", "after", "note"),
    [
        (-60, -1, "expired on {after}, so clients refuse it; renew it"),
        (2, 60, "is valid from {before} on, and clients refuse it before"),
        (-60, 13, "expires on {after}; renew it"),
        (-60, 15, ""),
    ],
)
def test_when_a_certificate_is_valid(before: int, after: int, note: str, tmp_path: Path) -> None:
    days = {"before": NOW + timedelta(days=before), "after": NOW + timedelta(days=after)}
    files = certify(tmp_path, "localhost", **days)
    expected = note.format(**{name: f"{day:%Y-%m-%d}" for name, day in days.items()})
    notes = opened(files.cert, files.key).notes
    assert notes == ((f"server.tls_cert: {files.cert} {expected}",) if note else ())


def test_the_clock_of_the_notes(server: Files) -> None:
    far = datetime(9000, 1, 1, tzinfo=UTC)
    assert "expired on" in opened(server.cert, server.key, now=far).notes[0]


def test_a_key_that_everybody_can_read(server: Files, tmp_path: Path) -> None:
    shutil.copy(server.key, tmp_path / "key.pem")
    (tmp_path / "key.pem").chmod(0o644)
    notes = opened(server.cert, str(tmp_path / "key.pem")).notes
    assert notes == (
        f"server.tls_key: everybody on this machine can read {tmp_path}/key.pem; allow its owner alone:"
        f" chmod 600 {tmp_path}/key.pem",
    )


def test_secrets_of_connections_are_not_written(
    server: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "secrets"))
    with serving(opened(server.cert, server.key)):
        pass
    assert not (tmp_path / "secrets").exists()
