"""More than it can do: what is begun is answered, and rightly, in bounded time; the rest is told at once."""

from __future__ import annotations

import asyncio
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

from .running import SECONDS, serving, until
from .wire import error, post, wire

ROW = {"size": 80.5, "rooms": 3, "age": 12, "city": "Bath", "sold": "2021-05-01T00:00:00Z", "note": "x"}
ROWS = [{**ROW, "size": i / 10, "id": i} for i in range(2000)]
BODY = json.dumps(ROWS).encode()
MOST = 8


@dataclass
class Seen:
    """What clients saw."""

    accepted: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    wrong: list[Any] = field(default_factory=list)


async def ask_all(address: tuple[str, int], clients: int, requests: int, expected: bytes) -> Seen:
    """Ask from many connections at once; who is refused waits a little, as clients do."""
    seen = Seen()
    request = post(BODY)

    async def client() -> None:
        reader, writer = await asyncio.open_connection(*address)
        for _ in range(requests):
            began = perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            body = await reader.readexactly(length)
            taken = perf_counter() - began
            status = int(head.split(b" ", 2)[1])
            if status == 429 and b"retry-after: 1\r\n" in head.lower() and json.loads(body)["code"] == "busy":
                seen.refused.append(taken)
                await asyncio.sleep(0.02)
            elif status == 200 and body == expected:
                seen.accepted.append(taken)
            else:
                seen.wrong.append((status, body[:200]))
        writer.close()
        await writer.wait_closed()

    await asyncio.wait_for(asyncio.gather(*(client() for _ in range(clients))), SECONDS)
    return seen


def percentile(values: list[float], part: float) -> float:
    return sorted(values)[math.ceil(part * len(values)) - 1]


@pytest.mark.slow
def test_five_times_too_much_is_borne(bundle: Path) -> None:
    with serving(f"bundle={bundle}", f"server.max_in_flight={MOST}") as server:
        expected = server.predict(ROWS).body
        assert len(json.loads(expected)) == 2000
        alone = asyncio.run(ask_all(server.address, 1, 30, expected))
        assert (len(alone.accepted), alone.wrong) == (30, [])
        # each of those in flight takes its turn, and the loader shares the machine with them
        bound = 3 * MOST * percentile(alone.accepted, 0.9) + 0.5
        seen = asyncio.run(ask_all(server.address, 5 * MOST, 25, expected))
        assert seen.wrong == []
        assert len(seen.accepted) >= 25
        assert len(seen.refused) >= 25
        assert percentile(seen.accepted, 0.99) < bound
        # nobody waits for long to hear that it is not begun
        assert percentile(seen.refused, 0.5) < percentile(seen.accepted, 0.5)
        metrics = server.metrics()
        assert metrics['engine_refused_requests_total{reason="busy"}'] == len(seen.refused)
        assert metrics['engine_requests_total{route="predict",status="429"}'] == len(seen.refused)
        assert metrics["engine_rows_total"] == 2000 * (1 + 30 + len(seen.accepted))
        until(lambda: server.metrics()['engine_in_flight{worker="0"}'] == 1)  # the one that asks
        after = asyncio.run(ask_all(server.address, 1, 10, expected))
        assert (len(after.accepted), after.refused, after.wrong) == (10, [], [])
        assert percentile(after.accepted, 0.5) < 3 * percentile(alone.accepted, 0.5) + 0.05
        assert server.process.poll() is None


def test_one_more_than_may_be_in_flight_is_told_at_once(bundle: Path) -> None:
    with serving(f"bundle={bundle}", "server.max_in_flight=2") as server:
        with wire(server) as first, wire(server) as second:
            for client in (first, second):
                client.send(post(BODY)[:-1])
            until(lambda: server.metrics()['engine_in_flight{worker="0"}'] == 3)
            refused = server.predict({"rooms": 1})
            assert (refused.status, error(refused)) == (429, "busy")
            assert int(refused.headers["retry-after"]) >= 1
            # what watches the server is not refused
            assert server.ask("GET", "/v2/health/ready").status == 200
            assert server.ask("GET", "/metrics").status == 200
            for client in (first, second):
                client.send(post(BODY)[-1:])
                assert len(client.answer().json) == 2000
        assert server.predict({"rooms": 1}).status == 200
