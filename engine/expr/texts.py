"""Functions of texts that give numbers, for `engine.expr.graph.Expr.of_text`.

A new one is a frozen dataclass here, with the methods of `engine.expr.derived.TextFunction`; ``many`` and
``one`` must agree to the bit, which `tests/expr/test_texts.py` holds them to.

Texts are sequences of Unicode code points and their UTF-8 bytes; nothing is normalised.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.expr.murmur import murmur3, murmur3_all
from engine.values import FloatArray

LONGEST_PATTERN = 1000
"""Characters of a pattern: it may come from somebody else."""


@dataclass(frozen=True, slots=True)
class Length:
    """How many characters a text has: Unicode code points.

    >>> Length().one("né"), Length().one("👩‍🚀")
    (2.0, 3.0)
    """

    def check(self) -> Iterable[str]:
        return ()

    def many(self, texts: Any) -> FloatArray:
        import pyarrow.compute as pc

        return _floats(pc.utf8_length(texts))

    def one(self, text: str) -> float:
        return float(len(text))


@dataclass(frozen=True, slots=True)
class Contains:
    """1 where a text contains a pattern, else 0.

    Parameters
    ----------
    pattern : str
        A text; with ``regex`` a regular expression of RE2 (https://github.com/google/re2/wiki/Syntax), which
        takes time in proportion to the text, whatever the pattern.
    regex : bool
    ignore_case : bool
        By Unicode's simple case folding, as RE2 does it.

    Examples
    --------
    >>> Contains("n1", ignore_case=True).one("N14228"), Contains("^N[0-9]+$", regex=True).one("N14228A")
    (1.0, 0.0)
    """

    pattern: str
    regex: bool = False
    ignore_case: bool = False

    def check(self) -> Iterable[str]:
        if not self.pattern:
            yield "pattern is empty: every text contains it"
            return
        yield from _pattern_mistakes(self.pattern, self._match)

    def many(self, texts: Any) -> FloatArray:
        return _floats(self._match(texts))

    def one(self, text: str) -> float:
        if not self.regex:
            if not self.ignore_case:
                return float(self.pattern in text)
            if text.isascii() and self.pattern.isascii():
                return float(self.pattern.lower() in text.lower())
        import pyarrow as pa

        return float(self._match(pa.scalar(text, pa.large_string())).as_py())

    def _match(self, texts: Any) -> Any:
        import pyarrow.compute as pc

        match = pc.match_substring_regex if self.regex else pc.match_substring
        return match(texts, self.pattern, ignore_case=self.ignore_case)


@dataclass(frozen=True, slots=True)
class Matches:
    """1 where a regular expression of RE2 matches a whole text, else 0.

    >>> Matches("N[0-9]+").one("N14228"), Matches("N[0-9]+").one("N14228A"), Matches("a|ab").one("ab")
    (1.0, 0.0, 1.0)
    """

    pattern: str

    def check(self) -> Iterable[str]:
        # by itself first: "a)(b" is one only between the parentheses that are put around it
        wrong = list(_pattern_mistakes(self.pattern, Contains(self.pattern, regex=True)._match))
        return wrong or _pattern_mistakes(self.pattern, self._match)

    def many(self, texts: Any) -> FloatArray:
        return _floats(self._match(texts))

    def one(self, text: str) -> float:
        import pyarrow as pa

        return float(self._match(pa.scalar(text, pa.large_string())).as_py())

    def _match(self, texts: Any) -> Any:
        import pyarrow.compute as pc

        return pc.match_substring_regex(texts, rf"\A(?:{self.pattern})\z")


@dataclass(frozen=True, slots=True)
class OneOf:
    """1 where a text is one of some, else 0.

    Parameters
    ----------
    texts : tuple of str
        Ascending.

    Examples
    --------
    >>> OneOf(("AA", "UA")).one("UA"), OneOf(("AA", "UA")).one("ua")
    (1.0, 0.0)
    """

    texts: tuple[str, ...]

    def check(self) -> Iterable[str]:
        if list(self.texts) != sorted(self.texts):
            yield "texts must ascend"
        for text in self.texts:
            try:
                text.encode()
            except UnicodeEncodeError:
                yield f"the text {text!r} holds a half of a character (a surrogate), which no text does"

    def many(self, texts: Any) -> FloatArray:
        import pyarrow as pa
        import pyarrow.compute as pc

        return _floats(pc.is_in(texts, pa.array(self.texts, texts.type)))

    def one(self, text: str) -> float:
        place = bisect_left(self.texts, text)
        return float(place < len(self.texts) and self.texts[place] == text)


@dataclass(frozen=True, slots=True)
class Hash:
    """A number from 0 up to, not with, ``buckets``: MurmurHash3 (x86, 32 bits) of the UTF-8 bytes, modulo it.

    >>> Hash(1000).one("N14228") == murmur3(b"N14228") % 1000
    True
    """

    buckets: int
    seed: int = 0

    def check(self) -> Iterable[str]:
        if not 1 <= self.buckets <= 2**32:
            yield f"buckets must be from 1 to 2**32, not {self.buckets}"
        if not 0 <= self.seed < 2**32:
            yield f"seed must be from 0 to 2**32 - 1, not {self.seed}"

    def many(self, texts: Any) -> FloatArray:
        _, offsets, data = texts.buffers()
        ends = np.frombuffer(offsets or bytes(8), np.int64)[texts.offset : texts.offset + len(texts) + 1]
        found = murmur3_all(np.frombuffer(data or b"", np.uint8), ends[:-1], ends[1:], self.seed)
        return (found.astype(np.int64) % self.buckets).astype(np.float64)

    def one(self, text: str) -> float:
        return float(murmur3(text.encode(), self.seed) % self.buckets)


def _pattern_mistakes(pattern: str, match: Callable[[Any], Any]) -> Iterable[str]:
    """What is wrong with a pattern, found by matching it."""
    import pyarrow as pa

    if len(pattern) > LONGEST_PATTERN:
        yield f"pattern has {len(pattern):,} characters; at most {LONGEST_PATTERN:,} are allowed"
        return
    try:
        match(pa.array(["x"], pa.large_string()))
    except UnicodeEncodeError:
        yield f"pattern {pattern!r} holds a half of a character (a surrogate), which no text does"
    except pa.ArrowInvalid as error:
        reason = str(error).partition(": ")[2] or str(error)
        yield (
            f"pattern {pattern!r} is no regular expression: {reason}\n"
            "  RE2's are meant, which have no look-around and no back-references: "
            "https://github.com/google/re2/wiki/Syntax"
        )


def _floats(array: Any) -> FloatArray:
    found: FloatArray = array.to_numpy(zero_copy_only=False).astype(np.float64)
    return found
