"""What the author of an executor writes: its options, and how it runs the shards of a batch.

An executor is a class in a file of its own, ``executors/NAME.py`` in a folder of plugins, decorated with
`executor`. Its annotated attributes are its options in ``executor: {use: NAME, …}``; the class becomes a
frozen dataclass. How large shards and batches are is the run's affair: an executor need not look at
``shard_rows`` and ``batch_rows``, which every one has.

Examples
--------
>>> from engine.executor import ExecutorPlugin, executor, option
>>> @executor("inline")
... class Inline(ExecutorPlugin):
...     '''One shard after the other, in this thread.'''
...
...     def run(self, work):
...         from engine.runtime.shards.score import try_shard
...
...         for shard in work.shards:
...             work.settle(try_shard(work.job, shard, work.state))
>>> Inline().use
'inline'
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import TYPE_CHECKING, TypeVar, dataclass_transform

from engine.declare import Plugin, declare
from engine.option import option

if TYPE_CHECKING:
    from engine.runtime.shards.work import Work

__all__ = ["ExecutorPlugin", "executor", "option"]


class ExecutorPlugin(Plugin):
    """Base of every executor that configs can name."""

    def run(self, work: Work) -> None:
        """Have every shard scored by `engine.runtime.shards.score.try_shard`, and tell what came of each.

        Raises
        ------
        BaseException
            What ``work.settle`` raised, or an interrupt; no shard is then under way any more.
        """
        raise NotImplementedError


_P = TypeVar("_P", bound=ExecutorPlugin)


@dataclass_transform(frozen_default=True, field_specifiers=(option, field))
def executor(name: str, *, version: int = 1) -> Callable[[type[_P]], type[_P]]:
    """Make a class an executor that configs call ``name``; the file is named after it."""
    return declare(name, version)
