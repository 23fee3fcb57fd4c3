"""Functions of texts give what Python, RE2 and the published hash say, for one text and for many."""

from __future__ import annotations

import re
import time
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.utils import murmurhash3_32

from engine.expr.derived import Derived, numbers_of
from engine.expr.murmur import murmur3, murmur3_all
from engine.expr.texts import LONGEST_PATTERN, Contains, Hash, Length, Matches, OneOf

HARD = [
    "",
    "\0",
    "a\0b",
    "é",
    "é",
    "👩‍🚀",
    "🇩🇪",
    "ß",
    "ſ",
    "K",
    "İ",
    "\n",
    "N14228",
    "x" * 5000,
    "é" * 300,
    "\U0010ffff",
]
texts = st.lists(st.one_of(st.sampled_from(HARD), st.text(max_size=12), st.text("aAsSkK\0é", max_size=400)))
PATTERNS = ["^a", "a$", ".", "[k-s]+", r"\pL", "(a|é)*b", r"\x00", "^$"]
functions: st.SearchStrategy[Any] = st.one_of(
    st.just(Length()),
    st.builds(Contains, st.text(min_size=1, max_size=3), st.just(False), st.booleans()),
    st.builds(Contains, st.sampled_from(["s", "K", "aA", "\0", "é", "x"]), st.just(False), st.booleans()),
    st.builds(Contains, st.sampled_from(PATTERNS), st.just(True), st.booleans()),
    st.builds(Matches, st.sampled_from([*PATTERNS, "a|aa", "(?i)s*k", "(?s).*", "^", "a$|", "\\0"])),
    st.lists(st.one_of(st.sampled_from(HARD), st.text("aAsSkK\0é", max_size=3)), unique=True).map(
        lambda own: OneOf(tuple(sorted(own)))
    ),
    st.builds(Hash, st.integers(1, 2**32), st.integers(0, 2**32 - 1)),
)  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(texts, functions)
@example(HARD, Length())
@example(HARD, Hash(2**32))
@example(HARD, Contains("s", ignore_case=True))
@example(HARD, OneOf(tuple(sorted(HARD[::2]))))
@example(HARD, OneOf(()))
def test_one_has_the_bits_of_many(texts: list[str], function: Any) -> None:
    many = numbers_of(function, texts)
    assert many.dtype == np.float64
    assert [function.one(text) for text in texts] == many.tolist()
    turned = pa.array([*texts, "before", *texts], pa.large_string()).slice(len(texts) + 1)
    assert function.many(turned).tolist() == many.tolist()


@settings(deadline=None)
@given(texts, st.text(min_size=1, max_size=2), st.integers(0, 2**32 - 1))
def test_against_python_and_scikit_learn(texts: list[str], pattern: str, seed: int) -> None:
    assert numbers_of(Length(), texts).tolist() == [len(text) for text in texts]
    assert numbers_of(Contains(pattern), texts).tolist() == [pattern in text for text in texts]
    assert numbers_of(OneOf((pattern,)), texts).tolist() == [text == pattern for text in texts]
    assert numbers_of(OneOf(tuple(sorted(texts))), texts).tolist() == [1.0] * len(texts)
    expected = [murmurhash3_32(text, seed, positive=True) % 1000 for text in texts]
    assert numbers_of(Hash(1000, seed), texts).tolist() == expected


@pytest.mark.parametrize(
    ("content", "seed", "expected"),
    [
        # https://en.wikipedia.org/wiki/MurmurHash
        (b"", 0, 0),
        (b"", 1, 0x514E28B7),
        (b"", 0xFFFFFFFF, 0x81F16F39),
        (b"test", 0, 0xBA6BD213),
        (b"test", 0x9747B28C, 0x704B81DC),
        (b"Hello, world!", 0, 0xC0363E43),
        (b"Hello, world!", 0x9747B28C, 0x24884CBA),
        (b"The quick brown fox jumps over the lazy dog", 0, 0x2E4FF723),
        (b"The quick brown fox jumps over the lazy dog", 0x9747B28C, 0x2FA826CD),
        # https://stackoverflow.com/a/31929528
        (b"\xff\xff\xff\xff", 0, 0x76293B50),
        (b"!Ce\x87", 0, 0xF55B516B),
        (b"!Ce\x87", 0x5082EDEE, 0x2362F9DE),
        (b"!Ce", 0, 0x7E4A8634),
        (b"!C", 0, 0xA0F7B07A),
        (b"!", 0, 0x72661CF4),
        (b"\0\0\0\0", 0, 0x2362F9DE),
        (b"\0", 0, 0x514E28B7),
    ],
)
def test_the_hash_has_the_published_values(content: bytes, seed: int, expected: int) -> None:
    assert murmur3(content, seed) == expected
    ends = np.array([len(content)])
    assert murmur3_all(np.frombuffer(content, np.uint8), ends * 0, ends, seed).tolist() == [expected]


@settings(deadline=None)
@given(
    st.lists(st.one_of(st.binary(max_size=20), st.binary(min_size=250, max_size=270))),
    st.integers(0, 2**32 - 1),
)
def test_the_hash_of_any_bytes(pieces: list[bytes], seed: int) -> None:
    ends = np.cumsum([0, *map(len, pieces)])
    found = murmur3_all(np.frombuffer(b"".join(pieces), np.uint8), ends[:-1], ends[1:], seed)
    assert found.tolist() == [murmurhash3_32(piece, seed, positive=True) for piece in pieces]


def test_case_is_that_of_unicode_not_of_a_language() -> None:
    like_s = [text for text in ("s", "S", "ſ", "ß", "x") if Contains("s", ignore_case=True).one(text)]
    assert like_s == ["s", "S", "ſ"]
    assert Contains("É", ignore_case=True).one("né") == 1.0
    assert Contains("k", ignore_case=True).one("\N{KELVIN SIGN}") == 1.0
    assert Contains("E", ignore_case=True).one("e\N{COMBINING ACUTE ACCENT}") == 1.0
    assert Contains("é").one("e\N{COMBINING ACUTE ACCENT}") == 0.0


@settings(deadline=None)
@given(texts, st.sampled_from(["a|aa", "[aA]+s?", "(?:a|é)*", "(?i)[ask]{2,5}", "(?s).{0,9}"]))
def test_a_whole_text_as_python_matches_it(texts: list[str], pattern: str) -> None:
    flags = re.ASCII if "(?i)" in pattern else 0  # for Python's folding isn't RE2's
    ascii_only = [text for text in texts if not flags or text.isascii()]
    found = numbers_of(Matches(pattern), ascii_only).tolist()
    assert found == [re.fullmatch(pattern, text, flags) is not None for text in ascii_only]


def test_a_whole_text_is_no_line_of_it() -> None:
    assert [Matches("a").one(text) for text in ("a", "a\n", "b\na", "ab", "ba")] == [1, 0, 0, 0, 0]
    assert Matches("(?m)^a$").one("a\nb") == 0
    assert Matches("a|ab").one("ab") == Matches("").one("") == 1


def test_no_pattern_is_slow() -> None:
    start = time.perf_counter()
    for pattern in ("(a+)+$", "(a|aa)*$", "(a*)*b", "^(([a-z])+.)+[A-Z]([a-z])+$"):
        function = Contains(pattern, regex=True)
        assert list(function.check()) == []
        function.one("a" * 20_000 + "!")
    assert time.perf_counter() - start < 5  # a backtracking engine would take longer than the universe is old


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (Contains("a(", regex=True), r"pattern 'a(' is no regular expression: missing ): a("),
        (Contains("(?=a)", regex=True), "is no regular expression: invalid perl operator: (?="),
        (Contains(r"(a)\1", regex=True), r"is no regular expression: invalid escape sequence: \1"),
        (Contains("a{2000}", regex=True), "is no regular expression: invalid repetition size: {2000}"),
        (Contains("((a{100}){100}){100}", regex=True), "is no regular expression: "),
        (Contains(""), "pattern is empty: every text contains it"),
        (Contains("x" * (LONGEST_PATTERN + 1)), "pattern has 1,001 characters; at most 1,000 are allowed"),
        (
            Contains("\ud800"),
            r"pattern '\ud800' holds a half of a character (a surrogate), which no text does",
        ),
        (Matches("a)(b"), "pattern 'a)(b' is no regular expression: unexpected ): a)(b"),
        (Matches(r"\Qa"), r"pattern '\\Qa' is no regular expression: missing ): \A(?:\Qa)\z"),
        (Matches("x" * (LONGEST_PATTERN + 1)), "pattern has 1,001 characters; at most 1,000 are allowed"),
        (OneOf(("a", "\ud800")), r"the text '\ud800' holds a half of a character (a surrogate)"),
        (OneOf(("b", "a")), "texts must ascend"),
        (Hash(0), "buckets must be from 1 to 2**32, not 0"),
        (Hash(1, -1), "seed must be from 0 to 2**32 - 1, not -1"),
    ],
)
def test_mistakes(function: Any, said: str) -> None:
    (found,) = function.check()
    assert said in found


def test_what_is_derived_reads_as_it_is_written() -> None:
    assert str(Derived("a", Length())) == "length(a)"
    assert str(Derived("a", Contains("(", ignore_case=True))) == "contains(a, pattern='(', ignore_case=True)"
    assert str(Derived("a", Matches("N.*"))) == "matches(a, pattern='N.*')"
    assert str(Derived("a", OneOf(("x", "y")))) == "oneof(a, texts=('x', 'y'))"
    assert str(Derived("a", Hash(10))) == "hash(a, buckets=10)"
    assert Derived("a", Hash(10)) == Derived("a", Hash(10)) != Derived("a", Hash(10, 1))
