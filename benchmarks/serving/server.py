"""Servers as processes: started on a core, waited for, stopped."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_PATIENCE = 120.0
_GRACE = 20.0


@dataclass(frozen=True)
class Server:
    """How to start a server.

    Parameters
    ----------
    name : str
    command : tuple of str
    port : int
        Where it answers HTTP.
    folder : Path
        Where it runs; its log is written there.
    ready : str or None
        The path that answers 200 once it is ready; None: as soon as the port is open.
    """

    name: str
    command: tuple[str, ...]
    port: int
    folder: Path
    ready: str | None = None


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        port: int = opened.getsockname()[1]
    return port


@dataclass(frozen=True)
class Running:
    """A server that is ready.

    Parameters
    ----------
    session : int
        The session of its processes.
    seconds : float
        It took to be ready.
    """

    session: int
    seconds: float

    def busy(self) -> float:
        """Seconds of processor time that its processes have used until now."""
        ticks = 0
        for path in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                # after the name, which may hold anything: state, parent, group, session; see proc(5)
                fields = path.read_text().rpartition(")")[2].split()
                if int(fields[3]) == self.session:
                    ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def running(server: Server, core: int | None = None) -> Iterator[Running]:
    """A server that is ready, on one core or wherever it likes.

    Raises
    ------
    SystemExit
        It ended, or wasn't ready in time; its log's last lines say why.
    """
    server.folder.mkdir(parents=True, exist_ok=True)
    log = server.folder / f"{server.name}.log"
    pinned = [] if core is None else ["taskset", "-c", str(core)]
    path = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path}
    with log.open("wb") as to:
        start = time.perf_counter()
        process = subprocess.Popen(
            [*pinned, *server.command],
            cwd=server.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=to,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        while not _is_ready(server):
            if process.poll() is not None or time.perf_counter() - start > _PATIENCE:
                last = log.read_text(errors="replace")[-2000:]
                raise SystemExit(f"{server.name} isn't ready: {' '.join(server.command)}\n{last}")
            time.sleep(0.005)
        yield Running(process.pid, time.perf_counter() - start)
    finally:
        _stop(process)


def _is_ready(server: Server) -> bool:
    try:
        if server.ready is None:
            socket.create_connection(("127.0.0.1", server.port), timeout=1).close()
            return True
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
        with contextlib.closing(connection):
            connection.request("GET", server.ready)
            return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE)
    # workers that outlived it, and itself
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(_GRACE)
