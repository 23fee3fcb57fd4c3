"""The refused rows of a run, held against what is allowed as shards end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from engine.runtime.rejects import MOST_SAMPLES, Rejects, check_share
from engine.runtime.shards.plan import Plan, Receipt, Sample
from engine.schema import Input


class RefusedShare:
    """Adds up receipts; what each costs doesn't depend on how many there are.

    Parameters
    ----------
    rejects : Rejects
    inputs : sequence of Input
    plan : Plan
    done : iterable of Receipt
        Those that were there before.

    Raises
    ------
    RefusedError
        More rows are refused than may be.
    """

    def __init__(
        self, rejects: Rejects, inputs: Sequence[Input], plan: Plan, done: Iterable[Receipt]
    ) -> None:
        self._rejects = rejects
        self._inputs = inputs
        known = [shard.rows for shard in plan.shards]
        self._total = None if None in known else sum(number or 0 for number in known)
        self._rows = self._refused = 0
        self._first: list[tuple[int, tuple[Sample, ...]]] = []
        for receipt in done:
            self._count(receipt)
        self._check(self._total)

    def add(self, receipt: Receipt) -> None:
        """Count a shard that is done.

        Raises
        ------
        RefusedError
        """
        self._count(receipt)
        self._check(self._total)

    def end(self) -> None:
        """All shards are done: judge a share of rows whose number wasn't known before.

        Raises
        ------
        RefusedError
        """
        self._check(self._rows)

    def _count(self, receipt: Receipt) -> None:
        self._rows += receipt.rows_in
        self._refused += receipt.rejected
        if receipt.samples:  # each has one at least, so that of so many shards no more are needed
            known = [*self._first, (receipt.shard, receipt.samples)]
            self._first = sorted(known, key=lambda first: first[0])[:MOST_SAMPLES]

    def _check(self, total: int | None) -> None:
        samples = [sample for _, found in self._first for sample in found]
        check_share(self._rejects, self._inputs, self._refused, self._rows, total, samples)
