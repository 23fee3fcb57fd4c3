"""Categories as numbers of buckets, without a vocabulary."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from engine.expr.graph import Expr, where
from engine.expr.texts import Hash
from engine.schema import Column, Kind
from engine.stage import Learned, RowStage, option, stage

MOST_COLUMNS = 1024


@stage("hash_encode")
class HashEncode(RowStage):
    """Make ``<column>_hash`` for each text: the number of the bucket that it falls in; missing stays missing.

    The bucket is MurmurHash3 (x86, 32 bits, with ``seed``) of the text's UTF-8 bytes, modulo ``buckets``: the
    same on every machine, and nothing is learned, so that new texts have one, too. Different texts may share
    a bucket. With ``encode: columns`` it makes ``<column>_hash_<bucket>`` instead: 1 in the column of its
    bucket, else 0; a missing text is 0 in all of them.

    Examples
    --------
    >>> from engine.testing import run_stage
    >>> run_stage("hash_encode", {"tailnum": ["N14228", "N24211", None]}, buckets=100)
    {'tailnum_hash': [4.0, 60.0, nan]}
    >>> run_stage("hash_encode", {"carrier": ["UA", "AA", None]}, buckets=2, encode="columns")
    {'carrier_hash_0': [1.0, 0.0, 0.0], 'carrier_hash_1': [0.0, 1.0, 0.0]}
    """

    accepts = (Kind.CATEGORY, Kind.TEXT)

    buckets: int = option(ge=1, le=2**32, help="how many there are")
    seed: int = option(0, ge=0, le=2**32 - 1, help="another one gives other buckets")
    encode: Literal["bucket", "columns"] = option(
        "bucket", help="the number of the bucket, or a column of 0 and 1 for each"
    )

    def check(self, columns: Sequence[Column]) -> Iterable[str]:
        if self.encode == "columns" and self.buckets > MOST_COLUMNS:
            yield f"encode: columns makes at most {MOST_COLUMNS:,}, and buckets is {self.buckets:,}"

    def declare(self, columns: Sequence[Column]) -> Sequence[Column]:
        return [
            Column(f"{column.name}_{suffix}", Kind.NUMBER, open=column.open)
            for column in columns
            for suffix in self._suffixes
        ]

    @property
    def _suffixes(self) -> Sequence[str]:
        return ["hash"] if self.encode == "bucket" else [f"hash_{i}" for i in range(self.buckets)]

    def express(self, columns: Mapping[str, Expr], learned: Learned) -> Mapping[str, Expr]:
        made: dict[str, Expr] = {}
        for name, x in columns.items():
            bucket = x.of_text(Hash(self.buckets, self.seed))
            for i, suffix in enumerate(self._suffixes):
                made[f"{name}_{suffix}"] = bucket if self.encode == "bucket" else where(bucket == i, 1.0, 0.0)
        return made
