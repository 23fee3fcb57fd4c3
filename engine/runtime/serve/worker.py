"""A worker: one process that answers requests, told by the supervisor what to load and when to stop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn
import uvloop

from engine.config.config import Config
from engine.errors import EngineError, fault
from engine.pipeline import Pipeline
from engine.runtime.serve.app import App
from engine.runtime.serve.board import Board
from engine.runtime.serve.build import build_routes
from engine.runtime.serve.channel import Channel
from engine.runtime.serve.connection import cut_off
from engine.runtime.serve.counts import Counts
from engine.runtime.serve.exposition import exposition, gather
from engine.runtime.serve.holder import Holder, warm
from engine.runtime.serve.keys import key_in, read_keys
from engine.runtime.serve.logs import start_logs
from engine.runtime.serve.predictions.keep import keep
from engine.runtime.serve.predictions.log import Log, open_log
from engine.runtime.serve.predictions.settings import PredictionLog
from engine.runtime.serve.quick import QuickConnection
from engine.runtime.serve.settings import Settings
from engine.runtime.serve.sockets import address, allow_connections
from engine.runtime.serve.tls import open_tls

if TYPE_CHECKING:
    from engine.runtime.serve.rpc.server import Running

Load = Callable[[Config, str | None], Pipeline]
"""Makes a pipeline of a composed config and the folder of a bundle's version, which it checks."""

_SWITCH_SECONDS = 0.001
"""How long a thread that loads a version may keep the others waiting."""
_LATE_SECONDS = 0.5
"""How long after the grace period the supervisor's word is waited for."""
_ACCEPT_SECONDS = 0.1
"""How long those are accepted who connected before it came."""


@dataclass(frozen=True)
class Begin:
    """What the supervisor says first.

    Parameters
    ----------
    place : int
        The worker's number.
    places : int
    settings : Settings
    config : Config
    folder : str or None
        The version's.
    predictions : PredictionLog
    trial : bool
        Only see whether the version can be taken, then end.
    early : bool
        Answer, if only that it isn't ready, before the version is loaded; else others answer meanwhile.
    """

    place: int
    places: int
    settings: Settings
    config: Config
    folder: str | None
    predictions: PredictionLog
    trial: bool = False
    early: bool = False


def run_worker(descriptor: int, load: Load) -> int:
    """Wait for what the supervisor says, do it, and return the exit code.

    Parameters
    ----------
    descriptor : int
        This end of the channel.
    load : callable
    """
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    channel = Channel(socket.socket(fileno=descriptor))
    said = channel.receive()
    if said is None:
        return 0
    begin = Begin(
        **{
            **said,
            "settings": Settings(**said["settings"]),
            "config": _config(said["config"]),
            "predictions": _predictions(said["predictions"]),
        }
    )
    allow_connections(begin.settings.max_connections)
    if begin.trial:
        return _try(channel, begin, load)
    sys.setswitchinterval(_SWITCH_SECONDS)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_Worker(channel, begin, load).run())


def _config(said: dict[str, Any]) -> Config:
    typed = said["typed"]
    return Config(
        said["data"], tuple(said["overrides"]), said["files"], None if typed is None else tuple(typed)
    )


def _predictions(said: dict[str, Any]) -> PredictionLog:
    return PredictionLog(**{**said, "omit": tuple(said["omit"]), "hash": tuple(said["hash"])})


def loaded(begin: Begin, load: Load, config: Config, folder: str | None) -> tuple[Pipeline | None, str, int]:
    """A version that is warm, or why it can't be, and the exit code that goes with it."""
    try:
        pipeline = load(config, folder)
        if begin.predictions.path is not None:
            begin.predictions.check([*dict.fromkeys((*pipeline.inputs, *pipeline.outputs))])
        warm(pipeline)
    except EngineError as error:
        return None, str(error), error.exit_code
    except MemoryError:
        return None, "there isn't enough memory for it", 2
    except Exception as error:
        return None, f"loading it failed: {fault(error)}", 1
    return pipeline, "", 0


def _try(channel: Channel, begin: Begin, load: Load) -> int:
    with contextlib.suppress(OSError):
        os.nice(5)  # the others answer meanwhile
    pipeline, why, _ = loaded(begin, load, begin.config, begin.folder)
    channel.send({"kind": "tried", "why": why, "version": pipeline.version if pipeline else ""})
    return 0


class _Server(uvicorn.Server):
    """uvicorn, which leaves signals alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Worker:
    """What a worker is made of, and how it lives."""

    def __init__(self, channel: Channel, begin: Begin, load: Load) -> None:
        self._channel = channel
        self._begin = begin
        self._load = load
        self._settings = settings = begin.settings
        self._log = start_logs(settings.log_format, worker=begin.place)
        listener, board = channel.files[:2]
        self._listener = socket.socket(fileno=listener)
        self._board = Board(board, begin.places)
        self._counts = Counts()
        published = self._board.read(begin.place)
        if published is not None:  # the worker before this one
            self._counts.restore(published)
        self._holder = Holder(self._counts, settings.model_name)
        self._pool = ThreadPoolExecutor(settings.threads, "answer")
        self._keys = None if settings.keys is None else read_keys(Path(settings.keys))
        self._tls = open_tls(settings.tls_cert, settings.tls_key, settings.tls_client_ca)
        self._predictions: Log | None = None
        self._grpc: Running | None = None
        routes = build_routes(settings, self._holder, self._metrics)
        self._app = App(settings, self._holder, self._counts, routes, self._pool, self._log)
        self._app.allowed = None if self._keys is None else self._allowed
        self._server = self._http()
        self._app.tasks = self._server.server_state.tasks
        self._stop, self._close = asyncio.Event(), asyncio.Event()
        self._serving: asyncio.Task[None] | None = None
        self._code = 0
        self._cpu_before = self._counts.totals.get(("cpu_seconds", (str(begin.place),)), 0.0)

    async def run(self) -> int:
        loop = self._server_loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stop.set)
        self._channel.end.setblocking(False)
        loop.add_reader(self._channel.end, self._told)
        tick = loop.create_task(self._tick())
        if self._begin.early:
            self._serve()
        self._begin_loading(self._begin.config, self._begin.folder, first=True)
        await self._stop.wait()
        if self._serving is not None:
            await self._drain(self._serving)
        tick.cancel()
        self._publish()
        return self._code

    def _serve(self) -> None:
        """Take connections."""
        if self._serving is None:
            self._serving = asyncio.get_running_loop().create_task(self._server.serve([self._listener]))
            self._serving.add_done_callback(lambda _: self._stop.set())

    async def _drain(self, serving: asyncio.Task[None]) -> None:
        self._holder.draining = True
        self._publish()
        if self._holder.live is not None and not serving.done():
            self._log.info("draining", seconds=self._settings.grace_seconds)
            with contextlib.suppress(TimeoutError):  # nobody may be there to say it
                await asyncio.wait_for(self._close.wait(), self._settings.grace_seconds + _LATE_SECONDS)
            await asyncio.sleep(_ACCEPT_SECONDS)
        self._server.should_exit = True
        if self._grpc is not None:
            await self._grpc.stop(self._settings.drain_seconds)
        await serving
        if self._predictions is not None:
            await asyncio.to_thread(self._predictions.close, self._settings.drain_seconds)
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._log.info("stopped")

    def _http(self) -> _Server:
        settings = self._settings
        about = {"most": settings.max_connections, "count": staticmethod(self._refused), "quick": self._app}
        connection = type("_Connection", (QuickConnection,), about)
        config = uvicorn.Config(
            self._app,
            http=connection,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=settings.keep_alive_seconds,  # type: ignore[arg-type]
            timeout_graceful_shutdown=settings.drain_seconds,  # type: ignore[arg-type]
        )
        config.load()
        if self._tls is not None:
            config.ssl = self._tls.for_http()
        return _Server(config)

    def _told(self) -> None:
        """Do what the supervisor says; without one there is nobody to serve for."""
        messages = self._channel.arrived()
        if messages is None:
            asyncio.get_running_loop().remove_reader(self._channel.end)
            self._stop.set()
            return
        for message in messages:
            if message["kind"] == "load":
                self._begin_loading(_config(message["config"]), message["folder"], first=False)
            elif message["kind"] == "keys":
                self._read_keys()
            elif message["kind"] == "drain":
                self._stop.set()
            elif message["kind"] == "close":
                self._close.set()

    def _allowed(self, headers: list[tuple[bytes, bytes]]) -> bool:
        key = key_in(headers)
        return key is not None and self._keys is not None and self._keys.name_of(key) is not None

    def _read_keys(self) -> None:
        """Read the file of keys again; one that is damaged changes nothing."""
        if self._settings.keys is None:
            return
        try:
            self._keys = read_keys(Path(self._settings.keys))
        except EngineError as error:
            self._log.error("the keys can't be read; those before go on", why=str(error))

    def _begin_loading(self, config: Config, folder: str | None, *, first: bool) -> None:
        loop = asyncio.get_running_loop()

        def work() -> None:
            result = loaded(self._begin, self._load, config, folder)
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(partial(self._take, first=first), *result)

        threading.Thread(target=work, name="load", daemon=True).start()

    def _take(self, pipeline: Pipeline | None, why: str, code: int, *, first: bool) -> None:
        if pipeline is None:
            self._channel.send({"kind": "failed", "why": why, "code": code, "first": first})
            if first:
                self._code = code
                self._stop.set()
            return
        try:
            self._log_predictions(pipeline)
        except EngineError as error:
            self._take(None, str(error), error.exit_code, first=first)
            return
        self._holder.swap(pipeline)
        if not first:
            self._publish()
            self._channel.send({"kind": "serves", "version": pipeline.version, "first": False})
            return
        gc.collect()
        gc.freeze()  # what was made for good is never looked through again
        self._opening = asyncio.get_running_loop().create_task(self._open(pipeline.version))

    async def _open(self, version: str) -> None:
        """Take requests: the first version is here."""
        try:
            await self._serve_grpc()
        except EngineError as error:
            self._take(None, str(error), error.exit_code, first=True)
            return
        self._serve()
        while not self._server.started and not self._stop.is_set():
            await asyncio.sleep(0.005)
        self._publish()
        self._channel.send({"kind": "serves", "version": version, "first": True})

    def _log_predictions(self, pipeline: Pipeline) -> None:
        inputs, outputs = pipeline.inputs, pipeline.outputs
        if self._predictions is not None:
            self._predictions.begin(pipeline.version, inputs, outputs)
            return
        self._predictions = open_log(
            self._begin.predictions,
            pipeline.version,
            inputs,
            outputs,
            self._begin.place,
            self._logged,
            lambda event, known: self._log.warning(event, **known),
        )
        if self._predictions is not None:
            self._app.keep = partial(keep, self._predictions)

    def _logged(self, outcome: str, rows: int) -> None:
        """Called by the log's thread: counts belong to this one's."""
        loop = self._server_loop
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(self._counts.add, "predictions_logged", (outcome,), rows)

    async def _serve_grpc(self) -> None:
        if len(self._channel.files) < 3:
            return
        # not without need: it takes a while to import
        from engine.runtime.serve.rpc.host import Host
        from engine.runtime.serve.rpc.server import start_server

        settings = self._settings
        reserved = socket.socket(fileno=self._channel.files[2])
        loop = asyncio.get_running_loop()
        host = Host(
            live=lambda: self._holder.live,
            is_ready=lambda: self._holder.ready,
            allowed=(lambda _: True) if self._keys is None else self._allowed,
            observe=self._observe,
            heavy=lambda work: loop.run_in_executor(self._pool, work),
            keep=self._app.keep,
        )
        self._grpc = await start_server(
            address(reserved),
            host,
            credentials=None if self._tls is None else self._tls.for_grpc(),
            most_bytes=settings.max_body,
            most_rows=settings.max_rows,
            most_calls=settings.max_in_flight,
        )
        reserved.close()

    def _observe(self, method: str, code: str, seconds: float) -> None:
        label = f"grpc/{method}"
        self._counts.add("requests", (label, code))
        self._counts.histogram("request_seconds", (label,)).add(seconds)
        if self._holder.watch is not None and self._holder.watch.full:
            self._holder.watch.flush()
        if self._settings.access_log:
            self._log.info("request", route=label, status=code, seconds=round(seconds, 6))

    async def _tick(self) -> None:
        """What is done every second."""
        while True:
            await asyncio.sleep(1.0)
            found = cut_off(self._server.server_state.connections, self._settings.receive_seconds)
            if found:
                self._counts.add("cut_off", (), found)
            self._publish()

    def _publish(self) -> None:
        self._app.flush()
        state, label = self._server.server_state, (str(self._begin.place),)
        self._counts.gauge("in_flight", len(state.tasks), label)
        self._counts.gauge("connections", len(state.connections), label)
        self._counts.gauge("ready", float(self._holder.ready), label)
        resident, seconds = _usage()
        self._counts.gauge("resident_bytes", resident, label)
        self._counts.totals["cpu_seconds", label] = self._cpu_before + seconds
        try:
            self._board.publish(self._begin.place, self._counts.plain())
        except ValueError as error:
            self._log.error("the counts can't be published", why=str(error))

    def _refused(self, reason: str) -> None:
        self._counts.add("refused_requests", (reason,))

    def _metrics(self, accept: str) -> tuple[bytes, bytes]:
        self._publish()
        return exposition(gather(self._board), accept)


def _usage() -> tuple[float, float]:
    """Resident bytes, and seconds of processor time."""
    used = os.times()
    with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 - asked every second
        pages = int(file.read().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE"), used.user + used.system
