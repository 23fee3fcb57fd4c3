"""What values become, from tables, from text and from rows, and that all agree to the bit."""

from __future__ import annotations

import struct
import sys
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.decode import RowDecoder, TableDecoder, scalar
from engine.errors import DataError, RowError
from engine.schema import POLICIES, Input, Kind
from engine.values import FIRST, MISSING, NAT, UNKNOWN, Categories, Values

INPUTS = (Input("n", Kind.NUMBER), Input("c", Kind.CATEGORY), Input("t", Kind.TIMESTAMP))
VOCABULARY = ("", "a", "b", "é")


def one(kind: Kind, array: pa.Array | pa.ChunkedArray, parse_text: bool = False, **policies: Any) -> Any:
    decoder = TableDecoder([Input("x", kind, **policies)], None, {"x": VOCABULARY}, parse_text)
    return decoder.decode(pa.table({"x": array}))


def row_of(kind: Kind, value: Any, **policies: Any) -> Any:
    return RowDecoder([Input("x", kind, **policies)], None, {"x": VOCABULARY}).values({"x": value})[0]


def bits(values: Values) -> list[Any]:
    if isinstance(values, Categories):
        return values.codes.tolist()
    if values.dtype == np.float64:
        return ["nan" if np.isnan(v) else struct.pack("d", v) for v in values]
    return values.tolist()


# -- parity: a table's values and the same values as Python has them

text_types = st.sampled_from(
    [
        pa.string(),
        pa.large_string(),
        pa.string_view(),
        pa.dictionary(pa.int8(), pa.string()),
        pa.dictionary(pa.uint16(), pa.large_string()),
        pa.dictionary(pa.int32(), pa.string_view()),
        pa.json_(),
        pa.json_(pa.string_view()),
    ]
)


def text_array(values: list[Any], kind: pa.DataType) -> pa.Array:
    if isinstance(kind, pa.BaseExtensionType):
        return pa.ExtensionArray.from_storage(kind, pa.array(values, kind.storage_type))
    if not pa.types.is_dictionary(kind):
        return pa.array(values, kind)
    encoded = pa.array(values, kind.value_type if kind.value_type != pa.string_view() else pa.string())
    encoded = encoded.dictionary_encode()
    indices, texts = encoded.indices.cast(kind.index_type), encoded.dictionary.cast(kind.value_type)
    return pa.DictionaryArray.from_arrays(indices, texts)


def runs(values: pa.Array) -> pa.Array:
    """Each value twice, with the first and the last cut off."""
    ends = pa.array(range(2, 2 * len(values) + 2, 2), pa.int32())
    whole = pa.RunEndEncodedArray.from_arrays(ends, values)
    return whole.slice(1, max(len(whole) - 2, 0))


def truths(values: list[Any]) -> pa.Array:
    return pa.ExtensionArray.from_storage(pa.bool8(), pa.array(values, pa.int8()))


def optional(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.none() | values, max_size=8)


number_arrays = st.one_of(
    st.builds(pa.array, optional(st.floats() | st.sampled_from([-0.0, 5e-324])), st.just(pa.float64())),
    st.builds(pa.array, optional(st.floats(width=32)), st.just(pa.float32())),
    st.builds(
        lambda v: pa.array([None if x is None else np.float16(x) for x in v], pa.float16()),
        optional(st.floats(width=16)),
    ),
    st.builds(pa.array, optional(st.integers(-(2**63), 2**63 - 1)), st.just(pa.int64())),
    st.builds(pa.array, optional(st.integers(0, 2**64 - 1)), st.just(pa.uint64())),
    st.builds(pa.array, optional(st.integers(-128, 127)), st.just(pa.int8())),
    st.builds(pa.array, optional(st.booleans()), st.just(pa.bool_())),
    st.builds(
        pa.array,
        optional(st.decimals(-(10**17), 10**17, places=19, allow_nan=False)),
        st.just(pa.decimal128(38, 19)),
    ),
    st.builds(lambda v: pa.array(v, pa.int64()).dictionary_encode(), optional(st.integers(0, 2**60))),
    st.builds(pa.nulls, st.integers(0, 4)),
    st.builds(truths, optional(st.integers(-128, 127))),
    st.builds(lambda v: truths(v)[1:], optional(st.integers(0, 2))),
    st.builds(lambda v: runs(pa.array(v, pa.int64())), optional(st.integers(-5, 5))),
    st.builds(lambda v: runs(pa.array(v, pa.int64()).dictionary_encode()), optional(st.integers(0, 2))),
    st.builds(lambda v: pa.array(v, pa.float64())[1:], optional(st.floats())),
    st.builds(
        lambda v: pa.DictionaryArray.from_arrays(pa.array(v, pa.int64()), truths([2, 0, None])),
        optional(st.integers(0, 2)),
    ),
)


@given(number_arrays)
def test_numbers_are_the_same_in_tables_and_rows(array: pa.Array) -> None:
    rows = np.array([row_of(Kind.NUMBER, value) for value in array.to_pylist()], np.float64)
    assert bits(one(Kind.NUMBER, array).columns["x"]) == bits(rows)


@given(optional(st.sampled_from(["a", "b", "é", "", "zz"])), text_types, st.integers(0, 8))
def test_categories_are_the_same_in_tables_and_rows(values: list[Any], kind: pa.DataType, cut: int) -> None:
    array = text_array(values, kind)
    expected = [row_of(Kind.CATEGORY, value) for value in array.to_pylist()]
    assert bits(one(Kind.CATEGORY, array).columns["x"]) == expected
    assert bits(one(Kind.CATEGORY, array[cut:]).columns["x"]) == expected[cut:]
    # each chunk of a dictionary has its own, and slices keep the whole one
    for chunks in (
        [array[:cut], array[cut:]],
        [text_array(values[:cut], kind), text_array(values[cut:], kind)],
    ):
        assert bits(one(Kind.CATEGORY, pa.chunked_array(chunks, array.type)).columns["x"]) == expected
    coded = runs(array)
    rows = [row_of(Kind.CATEGORY, value) for value in coded.to_pylist()]
    assert bits(one(Kind.CATEGORY, coded).columns["x"]) == rows


@given(optional(st.integers(-(2**40), 2**40)))
def test_milliseconds_in_a_date_do_not_count(values: list[Any]) -> None:
    array = pa.array(values, pa.int64()).view(pa.date64())
    rows = [row_of(Kind.TIMESTAMP, value) for value in array.to_pylist()]
    assert bits(one(Kind.TIMESTAMP, array).columns["x"]) == rows


@pytest.mark.parametrize(
    ("array", "name"),
    [
        (pa.ExtensionArray.from_storage(pa.opaque(pa.int64(), "t", "v"), pa.array([1])), "arrow.opaque"),
        (pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"0" * 16], pa.binary(16))), "arrow.uuid"),
    ],
)
def test_extension_types_that_stand_for_something_else(array: pa.Array, name: str) -> None:
    for kind, expected in ((Kind.NUMBER, "a number"), (Kind.CATEGORY, "text for a category")):
        for layout in (array, runs(array)):
            with pytest.raises(DataError) as caught:
                one(kind, layout)
            assert f"x: expected {expected}, found " in str(caught.value)
            assert f"extension<{name}" in str(caught.value)


@given(
    optional(st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30))),
    st.sampled_from(["us", "ms", "s"]),
    st.sampled_from([None, "UTC", "Asia/Tokyo"]),
)
def test_times_are_the_same_in_tables_and_rows(values: list[Any], unit: str, zone: str | None) -> None:
    array = pa.array(values, pa.timestamp("us")).cast(pa.timestamp(unit), safe=False)
    array = array.view(pa.timestamp(unit, zone))
    rows = [row_of(Kind.TIMESTAMP, value) for value in array.to_pylist()]
    assert bits(one(Kind.TIMESTAMP, array).columns["x"]) == rows


@given(optional(st.integers(-(2**62), 2**62)))
def test_nanoseconds_are_floored(values: list[Any]) -> None:
    array = pa.array(values, pa.timestamp("ns"))
    rows = [row_of(Kind.TIMESTAMP, value) for value in array.to_numpy(zero_copy_only=False)]
    assert bits(one(Kind.TIMESTAMP, array).columns["x"]) == rows
    assert rows == [NAT if value is None else value // 1000 for value in values]


@given(optional(st.dates()), st.sampled_from([pa.date32(), pa.date64()]))
def test_dates_are_midnight(values: list[Any], kind: pa.DataType) -> None:
    rows = [row_of(Kind.TIMESTAMP, value) for value in values]
    assert bits(one(Kind.TIMESTAMP, pa.array(values, kind)).columns["x"]) == rows


@given(
    st.lists(st.sampled_from([None, "a", "zz"]), min_size=1, max_size=4),
    st.sampled_from(POLICIES),
    st.sampled_from(POLICIES),
)
def test_policies_refuse_the_same_values_in_the_same_words(
    values: list[Any], missing: Any, unknown: Any
) -> None:
    decoded = one(Kind.CATEGORY, pa.array(values, pa.string()), missing=missing, unknown=unknown)
    refused = []
    for row, value in enumerate(values):
        try:
            row_of(Kind.CATEGORY, value, missing=missing, unknown=unknown)
        except RowError as error:
            fatal = (missing if error.code == "missing" else unknown) == "fail"
            refused.append((row, error.column, error.code, str(error), fatal))
    assert [(b.row, b.column, b.code, b.message, b.fatal) for b in decoded.bad] == refused


# -- text


@given(optional(st.floats(allow_nan=False)))
def test_numbers_in_text_are_what_python_reads(values: list[Any]) -> None:
    cells = pa.array([None if v is None else repr(v) for v in values], pa.string())
    assert bits(one(Kind.NUMBER, cells, parse_text=True).columns["x"]) == bits(
        one(Kind.NUMBER, pa.array(values, pa.float64())).columns["x"]
    )


NUMBERS_IN_TEXT = {
    " 3 ": 3.0, "+1": 1.0, ".5": 0.5, "1.": 1.0, "1E5": 1e5, "-inf": -np.inf, "Infinity": np.inf, "true": 1.0,
    "False": 0.0, "-0": -0.0, "1e400": np.inf, "nan": np.nan,
}  # fmt: skip


@pytest.mark.parametrize("beside", ["1", "abc"])
@pytest.mark.parametrize("cell", NUMBERS_IN_TEXT)
def test_a_number_in_text_does_not_depend_on_its_neighbours(cell: str, beside: str) -> None:
    found = one(Kind.NUMBER, pa.array([cell, beside]), parse_text=True)
    assert bits(found.columns["x"][:1]) == bits(np.array([NUMBERS_IN_TEXT[cell]]))
    assert [bad.row for bad in found.bad] == ([1] if beside == "abc" else [])


@pytest.mark.parametrize("cell", ["", " ", "1_0", "0x10", "1e", "--1", "1,5", "١", "infinit"])
def test_what_is_no_number(cell: str) -> None:
    (bad,) = one(Kind.NUMBER, pa.array(["1", cell]), parse_text=True).bad
    assert (bad.row, bad.code, bad.message) == (1, "invalid", f"x: expected a number, found {cell!r}")


TIMES = {
    "2013-01-01": datetime(2013, 1, 1, tzinfo=UTC),
    "2013-01-01 05:06": datetime(2013, 1, 1, 5, 6, tzinfo=UTC),
    "2013-01-01T05:06:07Z": datetime(2013, 1, 1, 5, 6, 7, tzinfo=UTC),
    "2013-01-01T05:06:07.1234569": datetime(2013, 1, 1, 5, 6, 7, 123456, tzinfo=UTC),
    "1969-12-31T23:59:59.9999999Z": datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    "2013-01-01T00:00:00+05:30": datetime(2012, 12, 31, 18, 30, tzinfo=UTC),
    "2013-01-01T00:00-00:30": datetime(2013, 1, 1, 0, 30, tzinfo=UTC),
}


@pytest.mark.parametrize("cell", TIMES)
def test_times_in_text(cell: str) -> None:
    expected = row_of(Kind.TIMESTAMP, TIMES[cell])
    assert row_of(Kind.TIMESTAMP, cell) == expected
    assert one(Kind.TIMESTAMP, pa.array([cell]), parse_text=True).columns["x"].tolist() == [expected]


@pytest.mark.parametrize(
    "cell", ["", "2013", "2013-02-30", "2013-01-01T05", "2013-01-01T24:00", "2013-01-01T00:00:60", "20130101"]
)
def test_what_is_no_time(cell: str) -> None:
    with pytest.raises(RowError) as caught:
        row_of(Kind.TIMESTAMP, cell)
    assert str(caught.value) == f"x: expected a timestamp, found {cell!r} (str)"
    (bad,) = one(Kind.TIMESTAMP, pa.array([cell]), parse_text=True).bad
    assert bad.message == f"x: expected a timestamp, found {cell!r}"


def test_text_that_is_no_utf8_is_invalid() -> None:
    for kind in (Kind.NUMBER, Kind.CATEGORY, Kind.TIMESTAMP):
        (bad,) = one(kind, pa.array([None, b"\xff"]), parse_text=True).bad
        assert (bad.row, bad.code) == (1, "invalid")
        assert bad.message.endswith(r"found bytes that are no UTF-8: b'\xff' (bytes)")


# -- tables


def test_a_schema_is_refused_with_all_that_is_wrong() -> None:
    schema = pa.schema([("n", pa.string()), ("carier", pa.string()), ("t", pa.int64())])
    inputs = [
        *INPUTS[:1],
        Input("carrier", Kind.CATEGORY),
        *INPUTS[2:],
        Input("o", Kind.NUMBER, optional=True),
    ]
    with pytest.raises(DataError) as caught:
        TableDecoder(inputs).check_schema(schema, "flights.parquet")
    assert str(caught.value) == (
        "flights.parquet: the columns don't fit the pipeline's inputs\n"
        "  n: expected a number, found string\n"
        "  carrier: no such column. Did you mean 'carier'?\n"
        "  t: expected a timestamp or a date, found int64\n"
        "  columns there: n, carier, t\n"
        "  if it may be absent: 'inputs.NAME={kind: …, optional: true}'"
    )


def test_a_category_found_as_a_number() -> None:
    with pytest.raises(DataError, match="c: expected text for a category, found int64"):
        TableDecoder(INPUTS).check_schema(
            pa.schema([("n", pa.int8()), ("c", pa.int64()), ("t", pa.date32())]), "x"
        )


def test_fitting_takes_the_sorted_texts_of_the_table() -> None:
    column = pa.chunked_array(
        [pa.array(["b", None]).dictionary_encode(), pa.array(["a", "b"]).dictionary_encode()]
    )
    found = TableDecoder(INPUTS[1:2]).decode(pa.table({"c": column})).columns["c"]
    assert isinstance(found, Categories)
    assert found.texts == ("a", "b")
    assert found.codes.tolist() == [3, 0, 2, 3]


def test_an_absent_optional_column_is_missing_and_its_policy_holds() -> None:
    inputs = [INPUTS[0], Input("o", Kind.NUMBER, optional=True, missing="reject")]
    found = TableDecoder(inputs, ["n"], {}).decode(pa.table({"n": [1.0, 2.0]}))
    assert list(found.columns) == ["n"]
    assert [(bad.row, bad.column, bad.code) for bad in found.bad] == [
        (0, "o", "missing"),
        (1, "o", "missing"),
    ]


def test_an_input_that_nothing_needs_is_not_looked_at() -> None:
    found = TableDecoder(INPUTS, ["n"], {}).decode(pa.table({"n": [1.0]}))
    assert list(found.columns) == ["n"]
    assert RowDecoder(INPUTS, ["n"], {}).decode({"n": 1.0, "c": 5}) == {"n": 1.0}


def test_an_input_that_nothing_needs_is_looked_at_where_a_policy_is_stated() -> None:
    inputs = [INPUTS[0], Input("o", Kind.NUMBER, checked=True)]
    decoder = TableDecoder(inputs, ["n"], {}, parse_text=True)
    assert decoder.reads == ("n", "o")
    (bad,) = decoder.decode(pa.table({"n": ["1"], "o": ["x"]})).bad
    assert (bad.column, bad.code, bad.fatal) == ("o", "invalid", False)
    with pytest.raises(RowError, match=r"^o: expected a number, found 'x'"):
        RowDecoder(inputs, ["n"], {}).values({"n": 1.0, "o": "x"})
    lax = [INPUTS[0], Input("o", Kind.NUMBER, invalid="null", checked=True)]
    assert TableDecoder(lax, ["n"], {}).reads == ("n",)


def test_a_time_outside_the_calendar_is_invalid_in_every_form() -> None:
    late = 253_402_300_800
    for array in (pa.array([late], pa.timestamp("s")), pa.array([late * 1000], pa.timestamp("ms", "UTC"))):
        (bad,) = one(Kind.TIMESTAMP, array).bad
        assert bad.message == "x: expected a timestamp, found a time outside the years 1 to 9999"
    (bad,) = one(Kind.TIMESTAMP, pa.array([2**62], pa.timestamp("s"))).bad
    assert bad.code == "invalid"
    with pytest.raises(RowError, match="outside the years 1 to 9999"):
        row_of(Kind.TIMESTAMP, late * 10**6)


def test_an_invalid_value_may_count_as_missing() -> None:
    found = one(Kind.NUMBER, pa.array(["x"]), True, invalid="null", missing="reject")
    assert [bad.code for bad in found.bad] == ["missing"]
    assert np.isnan(row_of(Kind.NUMBER, "x", invalid="null"))


# -- rows


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        (Kind.CATEGORY, 5, "x: expected text, found 5 (int)"),
        (Kind.CATEGORY, b"a", "x: expected text, found b'a' (bytes)"),
        (Kind.NUMBER, "12", "x: expected a number, found '12' (str)"),
        (Kind.NUMBER, 10**400, "x: expected a number, found a whole number too large for a float"),
        (Kind.NUMBER, [1], "x: expected a number, found [1] (list)"),
        (Kind.NUMBER, Decimal("sNaN"), "x: expected a number, found Decimal('sNaN') (Decimal)"),
        (Kind.TIMESTAMP, True, "x: expected a timestamp, found True (bool)"),
        (Kind.TIMESTAMP, 1.5, "x: expected a timestamp, found 1.5 (float)"),
    ],
)
def test_a_row_is_refused_in_words(kind: Kind, value: Any, message: str) -> None:
    with pytest.raises(RowError) as caught:
        row_of(kind, value)
    assert (str(caught.value), caught.value.column, caught.value.code) == (message, "x", "invalid")


@pytest.mark.parametrize("row", [None, [1], 5, "n", pa.table({"n": [1.0]})])
def test_what_is_no_row(row: Any) -> None:
    with pytest.raises(TypeError) as caught:
        RowDecoder(INPUTS).values(row)
    assert str(caught.value) == (
        f"predict_one takes a mapping from input to value, not {type(row).__name__}: "
        "such as {'distance': 200.0}; predict_many takes tables"
    )


def test_what_counts_as_missing_in_a_row() -> None:
    for value in (
        None,
        float("nan"),
        np.float32("nan"),
        Decimal("nan"),
        pandas.NA,
        pandas.NaT,
        np.datetime64("NaT"),
    ):
        assert np.isnan(row_of(Kind.NUMBER, value))
        assert row_of(Kind.CATEGORY, value) == 0
        assert row_of(Kind.TIMESTAMP, value) == NAT
    assert RowDecoder(INPUTS, None, {}).decode({"other": 1})["t"] == NAT


def test_values_of_other_libraries() -> None:
    assert row_of(Kind.NUMBER, np.float32(0.1)) == float(np.float32(0.1))
    assert type(row_of(Kind.NUMBER, np.int64(3))) is float
    assert row_of(Kind.NUMBER, np.True_) == 1.0
    assert row_of(Kind.NUMBER, float(-(2**63))) == float(-(2**63))
    assert row_of(Kind.CATEGORY, np.str_("a")) == 3
    assert row_of(Kind.TIMESTAMP, date(1970, 1, 2)) == 86_400_000_000
    assert row_of(Kind.TIMESTAMP, np.datetime64("1970-02")) == 31 * 86_400_000_000
    assert row_of(Kind.TIMESTAMP, pandas.Timestamp("1969-12-31 23:59:59.999999999", tz="UTC")) == -1


def test_the_first_input_in_order_is_the_one_that_is_named() -> None:
    inputs = [Input("c", Kind.CATEGORY), Input("n", Kind.NUMBER)]
    with pytest.raises(RowError) as caught:
        RowDecoder(inputs, ["n", "c"], {"c": ("a",)}).values({"n": "x", "c": 1})
    assert caught.value.column == "c"


def row_decoder(*, missing: Any = "null", invalid: Any = "reject", unknown: Any = "null") -> RowDecoder:
    """Of two inputs of each kind, in turn, the first of which have policies."""
    inputs = [
        Input(f"{kind}{i}", kind, **(policies if i == 0 else {}))
        for i, policies in enumerate([{"missing": missing, "invalid": invalid, "unknown": unknown}, {}])
        for kind in (Kind.NUMBER, Kind.CATEGORY, Kind.TIMESTAMP)
    ]
    return RowDecoder(inputs, None, {item.name: VOCABULARY for item in inputs if item.kind is Kind.CATEGORY})


def one_bits(value: Any) -> Any:
    """A float's bits; of a NaN there are many, and they mean one thing."""
    if not isinstance(value, float):
        return value
    return "nan" if value != value else struct.pack("d", value)


def outcome(run: Callable[[], Any]) -> Any:
    """The bits of what is answered, or what is said."""
    try:
        return [one_bits(value) for value in run()]
    except RowError as error:
        return error.column, error.code, str(error)


class Text(str):
    pass


class Whole(int):
    pass


class Fraction(float):
    pass


class Moment(datetime):
    pass


class Convertible:
    """What `float` takes, and an input doesn't."""

    def __float__(self) -> float:
        return 1.0

    def __index__(self) -> int:
        return 1

    def __repr__(self) -> str:
        return "Convertible()"


common = st.none() | st.sampled_from([float("nan"), float("inf"), -float("inf"), -0.0, True, np.True_, b"a"])
common |= st.sampled_from([Convertible(), Decimal("0.1"), Decimal("nan"), np.float32(0.1), np.int64(3), [1]])
whole = st.integers(-(2**54), 2**54) | st.integers(-(10**400), 10**400)
whole |= st.sampled_from([2**53 + 1, 2**53 + 3, 2**1024, 2**1024 - 2**970, 2**1024 - 2**970 - 1])
texts = st.sampled_from(["a", "é", "", "zz", "12", "2013-01-01", np.str_("b"), Text("a"), Text("zz")])
zones = st.sampled_from([None, UTC, ZoneInfo("UTC"), ZoneInfo("Asia/Tokyo"), timezone(timedelta(hours=-5))])
times = st.datetimes(timezones=zones) | st.sampled_from(
    [
        datetime.max.replace(tzinfo=timezone(timedelta(hours=-1))),
        datetime.min.replace(tzinfo=timezone(timedelta(hours=1))),
        Moment(2013, 1, 1, 5, tzinfo=UTC),
        date(2013, 1, 1),
        np.datetime64("2013-01-01"),
    ]
)
usual = {"number": st.floats() | whole, "category": texts, "timestamp": times}
anything = (
    common | st.floats() | whole | texts | times | st.builds(Whole, whole) | st.builds(Fraction, st.floats())
)


@st.composite
def rows(draw: st.DrawFn) -> dict[str, Any]:
    """Mostly values of the inputs' kinds, so that rows get through; some keys are absent."""
    names = [f"{kind}{i}" for i in range(2) for kind in usual]
    strange = draw(st.sets(st.sampled_from(names), max_size=2))
    row = {name: draw(anything if name in strange else usual[name[:-1]]) for name in names}
    for name in draw(st.sets(st.sampled_from(names), max_size=2)):
        del row[name]
    return row


@given(rows(), st.sampled_from(POLICIES), st.sampled_from(POLICIES), st.sampled_from(POLICIES))
def test_a_value_does_not_depend_on_its_row(
    row: dict[str, Any], missing: Any, invalid: Any, unknown: Any
) -> None:
    """A row whose values come as most do is decoded all at once: with the bits and words of one by one."""
    decoder = row_decoder(missing=missing, invalid=invalid, unknown=unknown)
    found = outcome(lambda: decoder.values(row))
    one_by_one = []
    for name in decoder.names:
        policies = {"missing": missing, "invalid": invalid, "unknown": unknown} if name.endswith("0") else {}
        kind = Kind(name[:-1])
        alone = RowDecoder([Input(name, kind, **policies)], None, {name: VOCABULARY})
        value = outcome(lambda alone=alone, name=name: alone.values({name: row.get(name)}))
        if isinstance(value, tuple):
            assert found == value  # the first that is refused
            return
        one_by_one += value
    assert found == one_by_one
    assert outcome(lambda: decoder.values(MappingProxyType(row))) == found
    assert outcome(lambda: decoder.values({"other": object(), **row})) == found


@given(anything)
def test_a_number_is_what_float_makes_of_it(value: Any) -> None:
    try:
        expected = [one_bits(scalar.number(value))]
    except ValueError as error:
        expected = ("x", "invalid", f"x: expected a number, found {error}")
    for beside in (1.5, None, "a", Decimal(1)):
        inputs = [Input("x", Kind.NUMBER), Input("y", Kind.NUMBER, invalid="null")]
        found = outcome(lambda b=beside, i=inputs: RowDecoder(i).values({"x": value, "y": b})[:1])
        assert found == expected


@given(times)
def test_a_datetime_is_whole_microseconds(value: Any) -> None:
    if not isinstance(value, datetime):
        return
    zoned = value if value.tzinfo else value.replace(tzinfo=UTC)
    expected = (zoned - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    if scalar.FIRST_TIME <= expected <= scalar.LAST_TIME:
        assert row_of(Kind.TIMESTAMP, value) == expected
    else:
        with pytest.raises(RowError, match="outside the years 1 to 9999"):
            row_of(Kind.TIMESTAMP, value)


def test_a_default_of_the_row_is_not_asked() -> None:
    row: dict[str, Any] = defaultdict(lambda: 5.0, {"c": "a"})
    assert bits(np.array(RowDecoder(INPUTS[:1]).values(row))) == ["nan"]
    assert list(row) == ["c"]


@pytest.mark.parametrize("needed", [[], ["n"], ["n", "c"]])
def test_any_number_of_inputs(needed: list[str]) -> None:
    decoder = RowDecoder(INPUTS, needed, {"c": VOCABULARY})
    assert decoder.decode({"n": 2, "c": "a"}) == {name: {"n": 2.0, "c": 3}[name] for name in needed}
    assert len(decoder.pack({})) == 8 * len(needed)


def test_threads_with_dictionaries_of_their_own() -> None:
    """A decoder remembers the last dictionary it saw: a thread must not take another's for its own."""
    rng = np.random.default_rng(0)
    texts = [f"text {i}" for i in range(4000)]
    known = tuple(sorted(texts[:3000]))
    place = {text: FIRST + i for i, text in enumerate(known)}
    codes = {None: MISSING} | {text: place.get(text, UNKNOWN) for text in texts}
    decoder = TableDecoder([Input("k", Kind.CATEGORY)], None, {"k": known})
    stored = TableDecoder([Input("k", Kind.CATEGORY)], None, {"k": known}, as_stored=["k"])
    tables = []
    for order in [rng.permutation(texts).tolist() for _ in range(3)] * 8:
        indices = pa.array(rng.integers(0, len(texts) + 1, 50), pa.int32(), mask=rng.random(50) < 0.1)
        # made anew for each, so that they have to be compared, which lets other threads run
        tables.append(pa.table({"k": pa.DictionaryArray.from_arrays(indices, pa.array([*order, None]))}))
    expected = [[codes[text] for text in table["k"].to_pylist()] for table in tables]

    def decode(number: int) -> tuple[list[int], list[int]]:
        found = decoder.decode(tables[number]).columns["k"]
        assert isinstance(found, Categories)
        return found.codes.tolist(), stored.decode(tables[number]).stored["k"].plain().tolist()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        numbers = rng.integers(0, len(tables), 1500).tolist()
        with ThreadPoolExecutor(8) as pool:
            for number, found in zip(numbers, pool.map(decode, numbers), strict=True):
                assert found == (expected[number], expected[number])
    finally:
        sys.setswitchinterval(interval)
