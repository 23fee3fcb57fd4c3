"""Who may ask a running server, in both protocols: keys, TLS, clients' certificates, other machines."""

from __future__ import annotations

import http.client
import json
import signal
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from engine.pipeline import Pipeline
from engine.runtime.serve.keys import Key, hash_of, new_key

pytest.importorskip("tritonclient.grpc")

import tritonclient.grpc as client
from tritonclient.grpc import service_pb2, service_pb2_grpc

from . import wire as raw
from .certificates import Files, certify
from .rpc import wire
from .running import SECONDS, Server, ask, serving, until

ROW = {"size": 80.5, "rooms": 3, "age": 12, "city": "Bath", "sold": 0, "note": ""}
TENSORS: wire.Tensors = {
    "size": ("FP64", [80.5]),
    "rooms": ("INT8", [3]),
    "age": ("FP32", [12.0]),
    "city": ("BYTES", [b"Bath"]),
    "sold": ("INT64", [0]),
    "note": ("BYTES", [b""]),
}
OPEN = ("/docs", "/", "/ping", "/v2/health/live", "/v2/health/ready")


def routes(version: str) -> list[tuple[str, str]]:
    """All that need a key."""
    models = [f"/v2/models/homes{part}" for part in ("", f"/versions/{version}")]
    return [
        ("POST", "/predict"),
        ("POST", "/invocations"),
        ("GET", "/openapi.json"),
        ("GET", "/metrics"),
        ("GET", "/v2"),
        *(("GET", f"{model}{verb}") for model in models for verb in ("", "/ready")),
        *(("POST", f"{model}/infer") for model in models),
    ]


def body(path: str) -> Any:
    if not path.endswith("/infer"):
        return ROW
    names = {name: (datatype, values) for name, (datatype, values) in TENSORS.items()}
    return {
        "inputs": [
            {"name": name, "datatype": datatype, "shape": [1], "data": [ROW[name]]}
            for name, (datatype, _) in names.items()
        ]
    }


def calls(channel: grpc.Channel) -> dict[str, Any]:
    """Every call that needs a key, by name; it takes gRPC's metadata."""
    stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
    ready = service_pb2.ModelReadyRequest(name="homes")
    about = service_pb2.ModelMetadataRequest(name="homes")
    return {
        "ModelReady": lambda given: stub.ModelReady(ready, metadata=given),
        "ServerMetadata": lambda given: stub.ServerMetadata(
            service_pb2.ServerMetadataRequest(), metadata=given
        ),
        "ModelMetadata": lambda given: stub.ModelMetadata(about, metadata=given),
        "ModelInfer": lambda given: stub.ModelInfer(wire.typed("homes", TENSORS), metadata=given),
    }


class Keyring:
    """A file of keys, and the keys."""

    def __init__(self, folder: Path, *names: str) -> None:
        self.keys = {name: new_key() for name in names}
        self.file = folder / "keys.txt"
        self.write(*names)

    def write(self, *names: str) -> None:
        """Only these may ask."""
        lines = [f"{Key(name, hash_of(self.keys[name]))}\n" for name in names]
        self.file.write_text("".join(lines))
        self.file.chmod(0o600)

    def of(self, name: str) -> str:
        return self.keys[name].decode()


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return Keyring(tmp_path, "app", "other")


@pytest.fixture
def locked(bundle: Path, keyring: Keyring) -> Iterator[Server]:
    with serving(f"bundle={bundle}", f"server.keys={keyring.file}", "server.grpc_port=0") as server:
        yield server


def test_keys(locked: Server, keyring: Keyring, pipeline: Pipeline) -> None:
    """Every route but those that tell how the server is asks for one."""
    wrong: list[dict[str, str]] = [
        {},
        {"x-api-key": "ek_" + "A" * 43},
        {"authorization": "Bearer nonsense"},
        {"authorization": f"Basic {keyring.of('app')}"},
        {"x-api-key": keyring.of("app") + "x"},
        {"x-api-key": "", "authorization": f"Bearer {keyring.of('app')}"},
    ]
    right = [{"x-api-key": keyring.of("app")}, {"authorization": f"Bearer {keyring.of('other')}"}]
    for method, path in routes(pipeline.version):
        for headers in wrong:
            found = locked.ask(method, path, body(path) if method == "POST" else None, headers)
            assert (found.status, found.json["code"]) == (401, "key"), (path, headers)
            assert found.headers["www-authenticate"] == "Bearer"
        for headers in right:
            found = locked.ask(method, path, body(path) if method == "POST" else None, headers)
            assert found.status == 200, (path, found.body)
    for path in OPEN:
        assert locked.ask("GET", path).status == (307 if path == "/" else 200)
    with grpc.insecure_channel(locked.grpc) as channel:
        for name, call in calls(channel).items():
            for headers in wrong:
                code, said = wire.refused(call, tuple(headers.items()))
                assert code == "UNAUTHENTICATED" and "key" in said, (name, headers)
            for headers in right:
                assert call(tuple(headers.items())) is not None
        with client.InferenceServerClient(locked.grpc) as asking:
            assert asking.is_server_live() and asking.is_server_ready()
    assert not any(key in line for line in locked.lines for key in map(keyring.of, keyring.keys))


def test_a_key_behind_the_body_is_none(locked: Server, keyring: Keyring) -> None:
    text = json.dumps(ROW).encode()
    with raw.wire(locked) as end:
        end.send(
            b"POST /predict HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
            + b"%x\r\n%b\r\n0\r\nx-api-key: %b\r\n\r\n" % (len(text), text, keyring.of("app").encode())
        )
        assert end.answer().status == 401


def test_a_key_is_revoked_while_it_serves(locked: Server, keyring: Keyring) -> None:
    """On SIGHUP the file is read again: for open connections, too, and by both protocols."""
    app, other = ({"x-api-key": keyring.of(name)} for name in ("app", "other"))
    connection = locked.connect()
    with grpc.insecure_channel(locked.grpc) as channel:
        infer = calls(channel)["ModelInfer"]
        assert ask(connection, "POST", "/predict", ROW, app).status == 200
        assert infer(tuple(app.items())) is not None
        keyring.write("other")
        assert ask(connection, "POST", "/predict", ROW, app).status == 200  # nobody has said so
        locked.send(signal.SIGHUP)
        until(lambda: ask(connection, "POST", "/predict", ROW, app).status == 401)
        assert wire.refused(infer, tuple(app.items()))[0] == "UNAUTHENTICATED"
        assert ask(connection, "POST", "/predict", ROW, other).status == 200
        assert infer(tuple(other.items())) is not None
        keyring.file.write_text("damaged")
        before = len(locked.events)
        locked.send(signal.SIGHUP)
        assert (
            str(keyring.file)
            in locked.event("the keys can't be read; those before go on", after=before)["why"]
        )
        assert ask(connection, "POST", "/predict", ROW, other).status == 200
    connection.close()


# -- TLS


@pytest.fixture(scope="module")
def server_files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return certify(tmp_path_factory.mktemp("server"), "localhost", "127.0.0.1")


@pytest.fixture(scope="module")
def client_files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return certify(tmp_path_factory.mktemp("client"), "client@example.com")


def over_tls(server: Server, files: Files, mine: Files | None = None) -> Any:
    """The answer to a row over HTTPS."""
    context = ssl.create_default_context(cafile=files.ca)
    if mine is not None:
        context.load_cert_chain(mine.cert, mine.key)
    connection = http.client.HTTPSConnection(*server.address, timeout=SECONDS, context=context)
    try:
        return ask(connection, "POST", "/predict", ROW).json
    finally:
        connection.close()


def over_grpc(server: Server, files: Files, mine: Files | None = None) -> float:
    """The score of a row over gRPC with TLS."""
    pair = (None, None) if mine is None else (Path(mine.key).read_bytes(), Path(mine.cert).read_bytes())
    credentials = grpc.ssl_channel_credentials(Path(files.ca).read_bytes(), *pair)
    with grpc.secure_channel(server.grpc, credentials) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        found = wire.result(stub.ModelInfer(wire.typed("homes", TENSORS), timeout=SECONDS))
        return float(found.as_numpy("score")[0])


def test_tls(bundle: Path, pipeline: Pipeline, server_files: Files, client_files: Files) -> None:
    options = (f"server.tls_cert={server_files.cert}", f"server.tls_key={server_files.key}")
    score = pipeline.predict_one({**ROW, "id": None})["score"]
    with serving(f"bundle={bundle}", *options, "server.grpc_port=0") as server:
        assert server.event("ready")["url"].startswith("https://")
        assert over_tls(server, server_files)["score"] == score
        assert over_grpc(server, server_files) == score
        with pytest.raises(ssl.SSLCertVerificationError):
            over_tls(server, client_files)  # of another authority
        with pytest.raises(grpc.RpcError):
            over_grpc(server, client_files)
        with pytest.raises((http.client.HTTPException, OSError)):
            server.ask("GET", "/ping")  # without TLS there is no answer
        with grpc.insecure_channel(server.grpc) as channel, pytest.raises(grpc.RpcError):
            calls(channel)["ServerMetadata"](())
        assert over_tls(server, server_files)["score"] == score


def test_clients_certificates(
    bundle: Path, pipeline: Pipeline, server_files: Files, client_files: Files
) -> None:
    options = [f"server.tls_cert={server_files.cert}", f"server.tls_key={server_files.key}"]
    options += [f"server.tls_client_ca={client_files.ca}", "server.host=0.0.0.0"]  # it needs no keys, then
    score = pipeline.predict_one({**ROW, "id": None})["score"]
    with serving(f"bundle={bundle}", *options, "server.grpc_port=0") as server:
        there = LocalServer(server)
        assert over_tls(there, server_files, client_files)["score"] == score
        assert over_grpc(there, server_files, client_files) == score
        for mine in (None, server_files):  # none, and one that another authority signed
            with pytest.raises((ssl.SSLError, http.client.HTTPException, OSError)):
                over_tls(there, server_files, mine)
            with pytest.raises(grpc.RpcError):
                over_grpc(there, server_files, mine)


class LocalServer(Server):
    """A server that listens everywhere, asked from here."""

    def __init__(self, server: Server) -> None:
        super().__init__(server.process, server.events, server.lines)

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", super().address[1]

    @property
    def grpc(self) -> str:
        return f"127.0.0.1:{super().grpc.rpartition(':')[2]}"


def test_other_machines_may_not_ask_unasked(bundle: Path, keyring: Keyring) -> None:
    """A server that could be reached from elsewhere, by anybody, doesn't start."""
    with serving(f"bundle={bundle}", "server.host=0.0.0.0", wait=False) as server:
        assert server.process.wait(SECONDS) == 2
    said = "\n".join(server.lines)
    assert "server.host" in said and "server.keys=" in said and "server.anonymous=true" in said
    assert "Traceback" not in said
    with serving(f"bundle={bundle}", "server.host=0.0.0.0", f"server.keys={keyring.file}") as server:
        there = LocalServer(server)
        assert there.predict(ROW).status == 401
        assert there.predict(ROW, **{"x-api-key": keyring.of("app")}).status == 200
