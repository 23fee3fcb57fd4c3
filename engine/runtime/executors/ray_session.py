"""A Ray to run tasks on: one of its own on this machine, or a cluster that is joined."""

from __future__ import annotations

import os
import re
import signal
import socket
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from engine.errors import UserError

_REACHED_WITHIN = 10.0
_CLIENT_PORT = 10001
_QUIET = {"log_to_driver": False, "logging_level": "ERROR"}
_TOKEN = "\n  a cluster that asks for a token takes it from RAY_AUTH_TOKEN, with RAY_AUTH_MODE=token"
_STORE_BYTES = 80 << 20
"""Ray takes no less for its store; beside the recipe hardly anything lies there."""


def imported_ray() -> ModuleType:
    """Ray.

    Raises
    ------
    UserError
        It isn't installed.
    """
    try:
        import ray
    except ImportError:
        raise UserError(
            "executor=ray needs Ray, which isn't installed: pip install 'inference-engine[ray]'"
        ) from None
    module: ModuleType = ray
    return module


@contextmanager
def joined(ray: ModuleType, address: str | None, cpus: int | None, room: int) -> Iterator[None]:
    """Be connected to Ray while a block runs.

    One that this process has joined already is used as it is, and goes on.

    Parameters
    ----------
    ray : module
    address : str or None
        None: start one on this machine, which ends with the block.
    cpus : int or None
        How many processors that one has; None: all of this process's.
    room : int
        The bytes that are to be stored there.

    Raises
    ------
    UserError
        There is none at the address, or none can be started.
    """
    if ray.is_initialized():
        yield
        return
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        try:
            with _own_signals(), _no_report():
                if address is None:
                    _start(ray, cpus or len(os.sched_getaffinity(0)), room, folder)
                else:
                    _join(ray, address)
            yield
        finally:
            ray.shutdown()


def _start(ray: ModuleType, cpus: int, room: int, folder: str) -> None:
    with _said(f"Ray can't be started with {cpus} CPUs on this machine"):
        ray.init(
            address="local",
            num_cpus=cpus,
            include_dashboard=False,
            object_store_memory=_STORE_BYTES + 2 * room,
            _temp_dir=folder,
            **_QUIET,
        )


def _join(ray: ModuleType, address: str) -> None:
    _knock(address)
    with (
        _said(f"there is no Ray to be joined at executor.address={address}", _TOKEN),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # what goes wrong is raised, too
        ray.init(address=address, **_QUIET)


@contextmanager
def _said(what: str, advice: str = "") -> Iterator[None]:
    try:
        yield
    except (Exception, SystemExit) as error:  # Ray leaves the process where nothing answers
        reason = str(error).strip() if isinstance(error, Exception) else "it doesn't answer as Ray does"
        reason = reason.splitlines()[0] if reason else type(error).__name__
        raise UserError(f"{what}: {reason}{advice}") from None


def _knock(address: str) -> None:
    """See that something listens there: Ray itself would try for two minutes.

    Raises
    ------
    UserError
    """
    match = re.fullmatch(r"(ray://)?([^:/]+|\[[^\]]+\])(?::(\d+))?", address)
    if match is None:
        if address == "auto":
            return
        raise UserError(
            f"executor.address: expected auto, ray://HOST:{_CLIENT_PORT} or HOST:PORT, found {address!r}"
        )
    client, host, port = match.groups()
    if address == "auto":
        return
    if port is None and not client:
        raise UserError(f"executor.address={address}: a port is due: {host}:6379, where Ray's head listens")
    try:
        socket.create_connection((host.strip("[]"), int(port or _CLIENT_PORT)), _REACHED_WITHIN).close()
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(
            f"there is no Ray at executor.address={address}: {reason}; 'ray status' on its head says whether"
            " it runs, and address=null starts one on this machine"
        ) from None


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keep what this process does on signals: Ray takes SIGTERM for itself."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _no_report() -> Iterator[None]:
    """Ray sends no report of how it is used, unless somebody asked for it."""
    name = "RAY_USAGE_STATS_ENABLED"
    if name in os.environ:
        yield
        return
    os.environ[name] = "0"
    try:
        yield
    finally:
        del os.environ[name]
