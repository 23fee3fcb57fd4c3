"""Pipelines to serve, and a server of them on an event loop in a thread, as a worker runs it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

import grpc
import numpy as np
import pyarrow as pa
import uvloop
from tritonclient.grpc import service_pb2_grpc

from engine.answer.live import Live
from engine.api import build, fit
from engine.config.config import Config
from engine.pipeline import Pipeline
from engine.runtime.serve.call import Call
from engine.runtime.serve.rpc.host import Headers, Host
from engine.runtime.serve.rpc.server import Running, start_server

T = TypeVar("T")

TEXTS = ("red", "green", "blue", "", "ünï", "a b")


def rides() -> Pipeline:
    """Every kind of input, every datatype of output, and columns to keep: an input and one that is none."""
    config = {
        "name": "rides",
        "inputs": {"a": "number", "b": "number", "k": "category", "t": "timestamp", "w": "text"},
        "target": {"value": "y > 0"},
        "split": {"kind": "random", "valid": 0.2, "test": 0.2},
        "keep": ["t", "ref"],
        "golden": 0,
        "stages": {
            "clock": {"use": "calendar", "columns": ["t"], "parts": ["hour", "weekday"]},
            "long": {"use": "text_length", "columns": ["w"]},
            "hot": {"use": "onehot", "columns": ["k"], "min_count": 1},
            "model": {"use": "xgboost", "rounds": 8, "columns": ["numbers"], "params": {"max_depth": 3}},
            "late": {"use": "threshold", "columns": ["score"], "at": 0.5},
            "risk": {"use": "bands", "columns": ["mix"], "edges": [0.5], "names": ["low", "ünï"]},
            "mix": {"use": "expr", "value": "score * 2 + a", "before": "risk"},
            "place": {"use": "rank", "columns": ["score"]},
        },
    }
    rng = np.random.default_rng(3)
    rows = 400
    a = rng.normal(size=rows)
    table = pa.table(
        {
            "a": pa.array(a, mask=rng.random(rows) < 0.1),
            "b": pa.array(rng.normal(size=rows) * 100),
            "k": pa.array(rng.choice(np.array(TEXTS, object), rows), pa.string()),
            "t": pa.array(rng.integers(-(10**15), 2 * 10**15, rows), pa.timestamp("us", "UTC")),
            "w": pa.array(rng.choice(np.array(TEXTS, object), rows), pa.string()),
            "ref": pa.array(range(rows)),
            "y": pa.array(a + rng.normal(size=rows)),
        }
    )
    return fit(Config(config), table)


def sums() -> Pipeline:
    """Numbers alone, one of them optional, and one that must be there."""
    inputs = {"a": {"kind": "number", "missing": "reject"}, "b": {"kind": "number", "optional": True}}
    stages = {"sum": {"use": "expr", "value": "a + where(isnan(b), 0, b)"}}
    return build(Config({"name": "sums", "inputs": inputs, "stages": stages}))


@dataclass
class Served:
    """A server that answers, and what its host can be told meanwhile."""

    live: Live | None
    ready: bool = True
    key: bytes | None = None
    seen: list[tuple[str, str, float]] = field(default_factory=list)
    keep: Callable[[str, Call], None] | None = None
    threads: set[str] = field(default_factory=set)
    hold: threading.Event = field(default_factory=threading.Event)
    waiting: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def __post_init__(self) -> None:
        self.hold.set()
        self.loop = uvloop.new_event_loop()
        self.pool = ThreadPoolExecutor(2, thread_name_prefix="heavy")
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self.running: list[Running] = []

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def do(self, work: Coroutine[Any, Any, T], seconds: float = 60) -> T:
        """What a coroutine gives on the server's loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(seconds)

    def host(self) -> Host:
        return Host(
            live=lambda: self.live,
            is_ready=lambda: self.ready,
            allowed=self._allowed,
            observe=lambda *call: self.seen.append(call),
            heavy=self._heavy,
            keep=self.keep,
        )

    def _allowed(self, headers: Headers) -> bool:
        return self.key is None or (b"x-api-key", self.key) in headers

    async def _heavy(self, work: Callable[[], T]) -> T:
        def run() -> T:
            self.threads.add(threading.current_thread().name)
            self.waiting.release()
            assert self.hold.wait(60)
            return work()

        return await self.loop.run_in_executor(self.pool, run)

    def start(self, address: str = "127.0.0.1:0", **options: Any) -> str:
        """Another server of the same host; returns its address."""
        running = self.do(start_server(address, self.host(), **options))
        self.running.append(running)
        return f"{address.rpartition(':')[0]}:{running.port}"

    def stop(self) -> None:
        self.hold.set()
        for running in self.running:
            self.do(running.stop(5))
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(60)
        assert not self._thread.is_alive()
        self.pool.shutdown()
        self.loop.close()


def stub(channel: grpc.Channel) -> Any:
    """A client's generated calls."""
    return service_pb2_grpc.GRPCInferenceServiceStub(channel)
