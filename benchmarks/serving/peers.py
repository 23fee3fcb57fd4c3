"""Who is measured: how each server is started, what it is asked, and what it must answer."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.serving import oip
from benchmarks.serving.case import Case
from benchmarks.serving.environment import environment, versions
from benchmarks.serving.request import Reply, Request
from benchmarks.serving.server import Server, free_port

NAMES = ("echo", "echo-json", "engine", "engine-grpc", "fastapi", "mlserver", "mlserver-1")
_MODEL = "flights"
_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Way:
    """Requests to a server.

    Parameters
    ----------
    name, server : str
    port : int
    requests : tuple of Request
        Asked in turn.
    check : callable
        Takes their replies; says what is wrong with them, or nothing.
    grpc : bool
        Not HTTP.
    """

    name: str
    server: str
    port: int
    requests: tuple[Request, ...]
    check: Callable[[Sequence[Reply]], str]
    grpc: bool = False


@dataclass(frozen=True)
class Peer:
    """A server, with its requests of one row and of a thousand."""

    server: Server
    one: tuple[Way, ...] = ()
    many: tuple[Way, ...] = ()
    versions: str = ""


def make_peer(name: str, case: Case, folder: Path, environments: Path, engine: Sequence[str]) -> Peer:
    """The peer of a name, its files and its environment made.

    Parameters
    ----------
    name : str
        One of `NAMES`.
    case : Case
    folder : Path
        For files of this run.
    environments : Path
        For environments, which stay.
    engine : sequence of str
        The command of the engine.
    """
    if name.startswith("echo"):
        return _echo(name, case, folder)
    if name.startswith("engine"):
        return _engine(name, case, folder, engine)
    if name == "fastapi":
        return _fastapi(case, environments / "fastapi")
    return _mlserver(name, case, folder, environments / "mlserver")


def _uvicorn(name: str, python: Path | str, app: str, folder: Path, *more: str) -> Server:
    port = free_port()
    command = [str(python), "-m", "uvicorn", app, "--host", "127.0.0.1", "--port", str(port), *more]
    command += ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
    return Server(name, tuple(command), port, folder)


def _echo(name: str, case: Case, folder: Path) -> Peer:
    app = {"echo": "same", "echo-json": "decoded"}[name]
    server = _uvicorn(name, sys.executable, f"benchmarks.serving.echo_app:{app}", folder, "--lifespan", "off")
    check = _sent if app == "same" else _answers
    return Peer(server, (Way(name, name, server.port, _each(case, "/"), check(case.ones.json)),))


def _engine(name: str, case: Case, folder: Path, engine: Sequence[str]) -> Peer:
    port = free_port()
    grpc = free_port() if name == "engine-grpc" else None
    command = [*engine, "serve", f"bundle={case.bundle}", f"server.port={port}"]
    command.append(f"server.grpc_port={grpc or 'null'}")
    server = Server(name, tuple(command), port, folder, ready="/v2/health/ready")
    tensors = oip.columns(case.many.table, case.pipeline.inputs)
    model = case.pipeline.plan.name
    scores = case.many.scores
    if grpc is not None:
        asked = (oip.as_grpc(model, tensors, "score"),)
        return Peer(
            server, many=(Way("engine, gRPC", name, grpc, asked, _scores(scores, oip.grpc_scores_of), True),)
        )
    array = Request("/predict", _json(case.many.json))
    return Peer(
        server,
        (Way(name, name, port, _each(case, "/predict"), _answers(case.ones.answers)),),
        (
            Way("engine, OIP binary", name, port, (oip.as_binary(model, tensors, "score"),), _scores(scores)),
            Way("engine, OIP JSON", name, port, (oip.as_json(model, tensors, "score"),), _scores(scores)),
            Way("engine, /predict", name, port, (array,), _answers([case.many.answers])),
        ),
    )


def _fastapi(case: Case, where: Path) -> Peer:
    stack = ("uvicorn", "uvloop", "httptools", "numpy", "pandas", "pyarrow", "scikit-learn", "xgboost")
    python = environment(where, ["fastapi", *(f"{package}=={version(package)}" for package in stack)])
    app = "benchmarks.serving.fastapi_app:create"
    server = _uvicorn("fastapi", python, app, case.twin, "--factory")
    found = versions(python, ["fastapi", "pydantic", "scikit-learn", "xgboost", "uvicorn"])
    check = _answers(case.ones.answers, _TOLERANCE)
    return Peer(
        server,
        (Way("fastapi", "fastapi", server.port, _each(case, "/predict"), check),),
        versions=_said(found),
    )


def _mlserver(name: str, case: Case, folder: Path, where: Path) -> Peer:
    # it speaks HTTP by h11 if httptools isn't there, its workers want a loop that a later uvloop doesn't
    # make, and it reads no model of a later XGBoost than its own
    wanted = ["mlserver==1.7.*", "mlserver-xgboost==1.7.*", "httptools", "uvloop<0.22"]
    wanted.append(f"xgboost=={version('xgboost')}")
    python = environment(where, wanted)
    found = versions(python, ["mlserver", "xgboost", "uvicorn", "httptools", "uvloop"])
    port, grpc = free_port(), free_port()
    folder = folder / name
    folder.mkdir()
    settings = {
        "debug": False,  # or it writes an access log
        "host": "127.0.0.1",
        "http_port": port,
        "grpc_port": grpc,
        "metrics_port": free_port(),
        "parallel_workers": int(name == "mlserver-1"),
    }
    model = {
        "name": _MODEL,
        "implementation": "mlserver_xgboost.XGBoostModel",
        "parameters": {"uri": str(case.plain)},
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    (folder / "model-settings.json").write_text(json.dumps(model))
    command = (str(python.with_name("mlserver")), "start", str(folder))
    server = Server(name, command, port, folder, ready=f"/v2/models/{_MODEL}/ready")
    ones = tuple(
        oip.as_json(_MODEL, [oip.features(case.ones.features[[i]])], "predict")
        for i in range(len(case.ones.json))
    )
    tensors = [oip.features(case.many.features)]
    scores = case.many.scores
    return Peer(
        server,
        (Way(name, name, port, ones, _scores(case.ones.scores)),),
        (
            Way(f"{name}, OIP JSON", name, port, (oip.as_json(_MODEL, tensors, "predict"),), _scores(scores)),
            Way(
                f"{name}, gRPC",
                name,
                grpc,
                (oip.as_grpc(_MODEL, tensors, "predict"),),
                _scores(scores, oip.grpc_scores_of),
                True,
            ),
        ),
        _said(found),
    )


def _each(case: Case, path: str) -> tuple[Request, ...]:
    return tuple(Request(path, _json(row)) for row in case.ones.json)


def _json(value: Any) -> bytes:
    return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()


def _said(found: dict[str, str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in found.items())


# -- what must be answered


def _sent(rows: Sequence[Any]) -> Callable[[Sequence[Reply]], str]:
    wanted = [_json(row) for row in rows]
    return lambda replies: "" if [reply.body for reply in replies] == wanted else "other bytes than were sent"


def _answers(wanted: Sequence[Any], tolerance: float = 0.0) -> Callable[[Sequence[Reply]], str]:
    """JSON as wanted; ``score`` may differ by so much."""

    def check(replies: Sequence[Reply]) -> str:
        for reply, each in zip(replies, wanted, strict=True):
            found = json.loads(reply.body)
            if tolerance and abs(found["score"] - each["score"]) <= tolerance:
                found["score"] = each["score"]
            if found != each:
                return f"answered {str(found)[:500]}, not {str(each)[:500]}"
        return ""

    return check


def _scores(
    wanted: NDArray[Any], read: Callable[[Reply], NDArray[Any]] = oip.scores_of
) -> Callable[[Sequence[Reply]], str]:
    def check(replies: Sequence[Reply]) -> str:
        found = np.concatenate([read(reply) for reply in replies])
        if found.shape != wanted.shape:
            return f"{len(found)} scores, not {len(wanted)}"
        far = float(np.abs(found - wanted).max())
        return "" if far <= _TOLERANCE else f"scores up to {far:.1e} apart"

    return check
