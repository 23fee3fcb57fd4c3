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
from typing import Any

import uvicorn
import uvloop

from engine.config.config import Config
from engine.errors import EngineError, fault
from engine.pipeline import Pipeline
from engine.runtime.serve.app import App
from engine.runtime.serve.board import Board
from engine.runtime.serve.build import build_routes
from engine.runtime.serve.channel import Channel
from engine.runtime.serve.connection import Connection, cut_off
from engine.runtime.serve.counts import Counts
from engine.runtime.serve.exposition import exposition, gather
from engine.runtime.serve.holder import Holder, warm
from engine.runtime.serve.logs import start_logs
from engine.runtime.serve.settings import Settings

Load = Callable[[Config, str | None], Pipeline]
"""Makes a pipeline of a composed config and the folder of a bundle's version, which it checks."""

_SWITCH_SECONDS = 0.001
"""How long a thread that loads a version may keep the others waiting."""


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
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal: the supervisor gets it, too
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    channel = Channel(socket.socket(fileno=descriptor))
    said = channel.receive()
    if said is None:
        return 0
    begin = Begin(**{**said, "settings": Settings(**said["settings"]), "config": _config(said["config"])})
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


def loaded(load: Load, config: Config, folder: str | None) -> tuple[Pipeline | None, str, int]:
    """A version that is warm, or why it can't be, and the exit code that goes with it."""
    try:
        pipeline = load(config, folder)
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
    pipeline, why, _ = loaded(load, begin.config, begin.folder)
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
        self._holder = Holder(self._counts)
        self._pool = ThreadPoolExecutor(settings.threads, "answer")
        routes = build_routes(settings, self._holder, self._metrics)
        self._app = App(settings, self._holder, self._counts, routes, self._pool, self._log, begin.place)
        self._server = self._http()
        self._app.tasks = self._server.server_state.tasks
        self._stop = asyncio.Event()
        self._serving: asyncio.Task[None] | None = None
        self._code = 0
        self._cpu_before = self._counts.totals.get(("cpu_seconds", (str(begin.place),)), 0.0)

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
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
            await asyncio.sleep(self._settings.grace_seconds)
        self._server.should_exit = True
        await serving
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._log.info("stopped")

    def _http(self) -> _Server:
        settings = self._settings
        connection = type("_Connection", (Connection,), {"most": settings.max_connections})
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
            elif message["kind"] == "drain":
                self._stop.set()

    def _begin_loading(self, config: Config, folder: str | None, *, first: bool) -> None:
        loop = asyncio.get_running_loop()

        def work() -> None:
            result = loaded(self._load, config, folder)
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
        self._holder.swap(pipeline)
        if first:
            self._serve()
            gc.collect()
            gc.freeze()  # what was made for good is never looked through again
        self._publish()
        self._channel.send({"kind": "serves", "version": pipeline.version, "first": first})

    async def _tick(self) -> None:
        """What is done every second."""
        while True:
            await asyncio.sleep(1.0)
            found = cut_off(self._server.server_state.connections, self._settings.receive_seconds)
            if found:
                self._counts.add("cut_off", (), found)
            self._publish()

    def _publish(self) -> None:
        if self._holder.watch is not None:
            self._holder.watch.flush()
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

    def _metrics(self, accept: str) -> tuple[bytes, bytes]:
        self._publish()
        return exposition(gather(self._board), accept)


def _usage() -> tuple[float, float]:
    """Resident bytes, and seconds of processor time."""
    used = os.times()
    with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 - asked every second
        pages = int(file.read().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE"), used.user + used.system
