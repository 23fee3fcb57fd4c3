"""A worker: one process that answers requests, told by the supervisor what to load and when to stop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import select
import signal
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from engine.config.config import Config
from engine.errors import EngineError
from engine.pipeline import Pipeline
from engine.runtime.serve.app import App
from engine.runtime.serve.begin import Begin, config_from_plain
from engine.runtime.serve.board import Board
from engine.runtime.serve.build import build_routes
from engine.runtime.serve.channel import Channel
from engine.runtime.serve.connection import cut_off
from engine.runtime.serve.holder import Holder
from engine.runtime.serve.http_server import http_server
from engine.runtime.serve.keys import key_in, read_keys
from engine.runtime.serve.loading import Load, Loaded, load_version, step_aside
from engine.runtime.serve.logs import start_logs
from engine.runtime.serve.predictions.keep import keep
from engine.runtime.serve.predictions.log import Log, open_log
from engine.runtime.serve.publisher import Publisher
from engine.runtime.serve.sockets import address, allow_connections
from engine.runtime.serve.tls import open_tls

if TYPE_CHECKING:
    from engine.runtime.serve.rpc.server import Running

_SWITCH_SECONDS = 0.001
"""How long a thread that loads a version may keep the others waiting."""
_LATE_SECONDS = 0.5
"""How long after the grace period the supervisor's word is waited for."""
_LOG_SECONDS = 3.0
"""How long the prediction log may take to write what waits: the supervisor doesn't wait much longer."""
_QUIET_SECONDS, _ACCEPT_SECONDS = 0.2, 3.0
"""Those who connected before it came are accepted until nobody waited for so long, and this long at most."""


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
    begin = Begin.from_plain(said)
    allow_connections(begin.settings.max_connections)
    if begin.trial:
        step_aside()
        found = load_version(load, begin.config, begin.folder, begin.predictions)
        channel.send({"kind": "tried", "why": found.why})
        return 0
    sys.setswitchinterval(_SWITCH_SECONDS)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_Worker(channel, begin, load).run())


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
        self._publisher = Publisher(Board(board, begin.places), begin.place, self._log)
        self._counts = self._publisher.counts
        self._holder = Holder(self._counts, settings.model_name)
        self._pool = ThreadPoolExecutor(settings.threads, "answer")
        self._keys = None if settings.keys is None else read_keys(Path(settings.keys))
        self._tls = open_tls(settings.tls_cert, settings.tls_key, settings.tls_client_ca)
        self._predictions: Log | None = None
        self._grpc: Running | None = None
        metrics = partial(self._publisher.metrics, self._publish)
        routes = build_routes(settings, self._holder, metrics)
        self._app = App(settings, self._holder, self._counts, routes, self._pool, self._log)
        self._app.mark = f"{begin.place}-{self._app.mark}"
        self._app.allowed = None if self._keys is None else self._allowed
        self._server = http_server(self._app, settings, self._tls, self._refused)
        self._stop, self._close = asyncio.Event(), asyncio.Event()
        self._serving: asyncio.Task[None] | None = None
        self._loads = count(1)
        self._newest = 0  # of the loads that were taken: an older one that took longer comes too late
        self._code = 0

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
            await self._accept_the_rest()
        self._server.should_exit = True
        if self._grpc is not None:
            await self._grpc.stop(self._settings.drain_seconds)
        await serving
        if self._predictions is not None:
            await asyncio.to_thread(self._predictions.close, _LOG_SECONDS)
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._log.info("stopped")

    async def _accept_the_rest(self) -> None:
        """Go on while somebody waits to be accepted: whoever still does when the socket closes is reset."""
        poll, loop = select.poll(), asyncio.get_running_loop()
        poll.register(self._listener, select.POLLIN)
        end = loop.time() + _ACCEPT_SECONDS
        quiet = 0.0
        while quiet < _QUIET_SECONDS and loop.time() < end:
            await asyncio.sleep(0.02)
            quiet = 0.0 if poll.poll(0) else quiet + 0.02

    def _told(self) -> None:
        """Do what the supervisor says; without one there is nobody to serve for."""
        messages = self._channel.arrived()
        if messages is None:
            asyncio.get_running_loop().remove_reader(self._channel.end)
            self._stop.set()
            return
        for message in messages:
            if message["kind"] == "load":
                self._begin_loading(config_from_plain(message["config"]), message["folder"], first=False)
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
        loop, number = asyncio.get_running_loop(), next(self._loads)

        def work() -> None:
            found = load_version(self._load, config, folder, self._begin.predictions)
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(partial(self._take, found, number, first=first))

        threading.Thread(target=work, name="load", daemon=True).start()

    def _take(self, found: Loaded, number: int, *, first: bool) -> None:
        """Put a version in the place of the one in use, or say why not."""
        pipeline = found.pipeline
        if pipeline is None:
            self._failed(found.why, found.code, first=first)
            return
        if number > self._newest:
            try:
                self._log_predictions(pipeline)
            except EngineError as error:
                self._failed(str(error), error.exit_code, first=first)
                return
            self._holder.swap(pipeline)
            self._newest = number
            if not first:
                self._publish()
                self._channel.send({"kind": "serves", "version": pipeline.version, "first": False})
        if first:
            gc.collect()
            gc.freeze()  # what was made for good is never looked through again
            self._opening = asyncio.get_running_loop().create_task(self._open())

    def _failed(self, why: str, code: int, *, first: bool) -> None:
        """Say that a version can't be had; without the first there is nothing to serve."""
        self._channel.send({"kind": "failed", "why": why, "code": code, "first": first})
        if first:
            self._code = code
            self._stop.set()

    async def _open(self) -> None:
        """Take requests: the first version is here."""
        try:
            await self._serve_grpc()
        except EngineError as error:
            self._failed(str(error), error.exit_code, first=True)
            return
        self._serve()
        while not self._server.started and not self._stop.is_set():
            await asyncio.sleep(0.005)
        self._publish()
        assert self._holder.live is not None
        self._channel.send({"kind": "serves", "version": self._holder.live.version, "first": True})

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
            new_id=self._app.new_id,
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
        """A call of gRPC was answered."""
        self._app.note(f"grpc/{method}", code, seconds)

    async def _tick(self) -> None:
        """What is done every second."""
        while True:
            await asyncio.sleep(1.0)
            try:
                found = cut_off(self._server.server_state.connections, self._settings.receive_seconds)
                if found:
                    self._counts.add("cut_off", (), found)
                self._publish()
            except Exception:
                self._log.exception("what is done every second failed")

    def _publish(self) -> None:
        self._app.flush()
        state = self._server.server_state
        self._publisher.publish(state.tasks, state.connections, self._holder.ready)

    def _refused(self, reason: str) -> None:
        self._counts.add("refused_requests", (reason,))
