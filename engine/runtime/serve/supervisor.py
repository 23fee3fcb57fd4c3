"""The supervisor: starts workers, starts them again, and sees to new versions; it answers no request."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.config.config import Config
from engine.errors import EngineError, UserError, fault
from engine.runtime.serve.begin import Begin, config_to_plain
from engine.runtime.serve.binding import check_exposure
from engine.runtime.serve.board import Board, new_board
from engine.runtime.serve.counts import Counts
from engine.runtime.serve.keys import read_keys
from engine.runtime.serve.logs import start_logs
from engine.runtime.serve.predictions.settings import PredictionLog
from engine.runtime.serve.process import Process, start
from engine.runtime.serve.settings import Settings
from engine.runtime.serve.sockets import address, hush, listen, reserve
from engine.runtime.serve.tls import open_tls

_FIRST_WAIT, _LONGEST_WAIT = 0.1, 10.0
"""Seconds until a worker that died is started again; doubled each time that it dies without having served."""
_PATIENCE = 5.0
"""Seconds beyond those of draining after which a worker is killed."""


@dataclass(frozen=True)
class Version:
    """A version to serve.

    Parameters
    ----------
    config : Config
        Composed for it.
    folder : str or None
        None: the pipeline is no bundle's.
    """

    config: Config
    folder: str | None


class Supervisor:
    """Keeps a server running.

    Parameters
    ----------
    settings : Settings
    version : Version
    command : list of str
    predictions : PredictionLog
    newest : callable, optional
        ``newest(folder)``: the version in use if it is another than the one in that folder, else None.
        None: the version never changes.
    say : callable
        Tells people, once, that the server is ready.
    """

    def __init__(
        self,
        settings: Settings,
        version: Version,
        command: list[str],
        predictions: PredictionLog,
        newest: Callable[[str | None], Version | None] | None = None,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._settings = settings
        self._version = version
        self._command = command
        self._predictions = predictions
        self._newest = newest
        self._say = say
        self._workers: dict[int, Process] = {}
        self._waits: dict[int, float] = {}
        self._refused: str | None = None
        self._stopping = False
        self._failure: tuple[str, int] | None = None
        self._counts = Counts()

    def run(self, first: Process) -> int:
        """Serve until a signal comes; returns the exit code.

        Parameters
        ----------
        first : Process
            The first worker, begun already.

        Raises
        ------
        UserError
            An address can't be had, or the pipeline can't be loaded.
        """
        self._workers[0] = first
        try:
            settings = self._settings
            self._log = start_logs(settings.log_format)
            host = self._host()
            self._listener = listen(host, settings.port, "server.port")
            self._grpc = None
            if settings.grpc_port is not None:
                self._grpc = reserve(host, settings.grpc_port, "server.grpc_port")
            self._places = self._settings.workers + 1
            self._board = Board(new_board(self._places), self._places)
            return asyncio.run(self._run())
        finally:
            for process in self._workers.values():
                process.end()

    def _host(self) -> str:
        """The address to listen at, once it is known who may ask there."""
        settings = self._settings
        if settings.keys is not None:
            read_keys(Path(settings.keys))
        tls = open_tls(settings.tls_cert, settings.tls_key, settings.tls_client_ca)
        for note in () if tls is None else tls.notes:
            self._log.warning("tls", note=note)
        found = check_exposure(settings.host, settings.keys, settings.tls_client_ca, settings.anonymous)
        # a name such as localhost may have an address of each kind, and one is listened at
        return next((item for item in found if ":" not in item), found[0])

    async def _run(self) -> int:
        loop = asyncio.get_running_loop()
        self._stop, self._ready, self._look = asyncio.Event(), asyncio.Event(), asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._asked)
        self._begin(0, self._workers[0])
        tasks = [loop.create_task(self._watch())]
        stop = loop.create_task(self._stop.wait())
        ready = loop.create_task(self._ready.wait())
        await asyncio.wait({stop, ready}, return_when=asyncio.FIRST_COMPLETED)
        if self._failure is not None:
            raise _FailedError(*self._failure)
        if not self._stop.is_set():
            self._announce()
            for place in range(1, self._settings.workers):
                self._start(place)
            await stop
        for task in tasks:
            task.cancel()
        await self._drain()
        return 0

    def _announce(self) -> None:
        where = address(self._listener)
        scheme = "https" if self._settings.tls_cert else "http"
        more = {} if self._grpc is None else {"grpc": address(self._grpc)}
        name = str(self._version.config["name"] or "")
        self._log.info("ready", url=f"{scheme}://{where}", **more, name=name, version=self._served)
        self._say(f"{scheme}://{where}")

    # -- workers

    def _start(self, place: int) -> None:
        if self._stopping:
            return
        try:
            process = start(self._command)
        except OSError as error:  # too many processes, or too little memory: not for ever
            wait = self._wait(place)
            self._log.error("a worker can't be started", worker=place, why=str(error), seconds=wait)
            asyncio.get_running_loop().call_later(wait, self._start, place)
            return
        self._begin(place, process)

    def _begin(self, place: int, process: Process) -> None:
        """Tell a process that it is a worker."""
        self._workers[place] = process
        self._tell(process, place)
        process.channel.end.setblocking(False)
        asyncio.get_running_loop().add_reader(process.channel.end, self._heard, place, process)

    def _tell(self, process: Process, place: int, tried: Version | None = None) -> None:
        version = tried or self._version
        begin = Begin(
            place,
            self._places,
            self._settings,
            self._predictions,
            version.config,
            version.folder,
            trial=tried is not None,
            early=not self._ready.is_set(),
        )
        files = [self._listener.fileno(), self._board.file]
        if self._grpc is not None:
            files.append(self._grpc.fileno())
        process.channel.send(begin.to_plain(), files)

    def _heard(self, place: int, process: Process) -> None:
        messages = process.channel.arrived()
        if messages is None:
            asyncio.get_running_loop().remove_reader(process.channel.end)
            self._lost(place, process)
            return
        for message in messages:
            if message["kind"] == "serves":
                self._waits.pop(place, None)
                self._served = message["version"]
                self._log.info("serves", worker=place, version=message["version"])
                self._ready.set()
            elif message["first"] and not self._ready.is_set():
                self._failure = message["why"], message["code"]
                self._ready.set()
            else:
                self._log.error("a version can't be loaded", worker=place, why=message["why"])

    def _lost(self, place: int, process: Process) -> None:
        """A worker is gone: another takes its place."""
        code = process.end()
        process.gone.set()
        del self._workers[place]
        published = self._board.read(place)
        if published is not None:
            self._board.publish(place, {**published, "gauges": []})
        if self._stopping:
            return
        if not self._ready.is_set():
            self._failure = f"the worker ended while it started (exit code {code})", 1
            self._ready.set()
            return
        wait = self._wait(place)
        self._log.error("a worker died and is started again", worker=place, exit=code, seconds=wait)
        self._count("worker_restarts")
        asyncio.get_running_loop().call_later(wait, self._start, place)

    def _wait(self, place: int) -> float:
        """Seconds until a worker is started again, who didn't serve since it was the last time."""
        wait = min(2 * self._waits[place], _LONGEST_WAIT) if place in self._waits else _FIRST_WAIT
        self._waits[place] = wait
        return wait

    def _count(self, name: str) -> None:
        self._counts.add(name)
        self._board.publish(self._places - 1, self._counts.plain())

    def _send(self, message: dict[str, Any]) -> None:
        for process in self._workers.values():
            process.channel.send(message)

    async def _drain(self) -> None:
        """Let the workers finish, and kill those that don't."""
        self._stopping = True
        self._log.info("stopping")
        self._send({"kind": "drain"})
        if self._ready.is_set():
            await asyncio.sleep(self._settings.grace_seconds)
        hush(self._listener)
        self._send({"kind": "close"})
        self._listener.close()  # the workers close theirs when they have accepted who is waiting
        most = self._settings.drain_seconds + _PATIENCE
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(most):
                for process in list(self._workers.values()):
                    await process.gone.wait()
        self._log.info("stopped")

    # -- versions

    def _asked(self) -> None:
        """SIGHUP: other keys are read at once, even if a version is being tried."""
        self._send({"kind": "keys"})
        self._look.set()

    async def _watch(self) -> None:
        """Look for new versions, now and then and on SIGHUP."""
        await self._ready.wait()
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._look.wait(), self._settings.poll_seconds)
            if self._look.is_set():
                self._look.clear()
                self._refused = None  # asked again, it is tried again
            try:
                await self._follow()
            except Exception as error:
                self._refuse(f"it can't be looked for: {fault(error)}", "")

    async def _follow(self) -> None:
        if self._newest is None:
            return
        try:
            version = self._newest(self._version.folder)
        except (EngineError, OSError) as error:
            self._refuse(str(error), "")
            return
        if version is None:
            self._refused = None
            return
        if version.folder == self._refused:
            return
        why = await self._try(version)
        if why:
            self._refuse(why, version.folder or "")
            return
        self._refused = None
        self._version = version
        self._send({"kind": "load", "config": config_to_plain(version.config), "folder": version.folder})

    async def _try(self, version: Version) -> str:
        """Whether a version can be loaded, and answers as it should: tried where it can do no harm."""
        process = start(self._command)
        self._tell(process, self._places - 1, version)
        try:
            said = await asyncio.wait_for(
                asyncio.get_running_loop().run_in_executor(None, process.channel.receive),
                self._settings.load_seconds,
            )
        except TimeoutError:
            process.popen.kill()
            return f"it wasn't ready after {self._settings.load_seconds:g} s (server.load_seconds)"
        finally:
            process.end()
        return "the process that tried it died" if said is None else str(said["why"])

    def _refuse(self, why: str, folder: str) -> None:
        if folder == self._refused and folder:
            return
        key = folder or why
        if key == self._refused:
            return
        self._refused = key
        self._count("versions_refused")
        self._log.error("a version is refused; the one in use goes on", folder=folder, why=why)


class _FailedError(UserError):
    """The pipeline can't be served."""

    def __init__(self, why: str, code: int) -> None:
        super().__init__(why)
        self.exit_code = code
