"""Tasks of Ray."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.executor import ExecutorPlugin, executor, option

if TYPE_CHECKING:
    from engine.runtime.shards.work import Work


@executor("ray")
class RayExecutor(ExecutorPlugin):
    """Shards as tasks of Ray, one CPU each, on this machine or on a cluster; needs the extra ``ray``.

    Examples
    --------
    >>> RayExecutor(address="auto")
    RayExecutor(address='auto', cpus=None, attempts=3, in_flight=None)
    """

    address: str | None = option(
        None, help="a cluster: auto, HOST:PORT or ray://HOST:10001; null: a Ray of its own on this machine"
    )
    cpus: int | None = option(None, ge=1, le=4096, help="of a Ray of its own; null: all of this machine")
    attempts: int = option(3, ge=1, le=100, help="how often a shard is tried where a fault may pass")
    in_flight: int | None = option(
        None, ge=1, le=1 << 20, help="tasks handed to Ray at a time; null: four for each CPU"
    )

    def run(self, work: Work) -> None:
        from engine.runtime.executors.ray import RayTasks

        RayTasks(self.address, self.cpus, self.attempts, self.in_flight).run(work)
