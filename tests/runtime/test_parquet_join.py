"""Parquet files joined: as reading them one after the other, with no page decoded."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import DataError
from engine.runtime.io import open_source, parquet_footer
from engine.runtime.io.parquet import ParquetPart
from engine.runtime.io.parquet_join import join_parquet
from engine.runtime.io.thrift import (
    BINARY,
    I16,
    LIST,
    STRUCT,
    Struct,
    read_integer,
    read_struct,
    read_structs,
    write_integer,
    write_list,
    write_struct,
)

SCHEMA = pa.schema({"id": pa.int64(), "place": pa.string(), "score": pa.float32()})

COLUMNS = {
    "int64": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "uint8": (pa.uint8(), st.integers(0, 255)),
    "float32": (pa.float32(), st.floats(width=32, allow_nan=False)),
    "bool": (pa.bool_(), st.booleans()),
    "string": (pa.string(), st.text(max_size=4)),
    "coded": (pa.dictionary(pa.int32(), pa.string()), st.sampled_from("abc")),
    "large": (pa.large_string(), st.text(max_size=4)),
    "binary": (pa.binary(), st.binary(max_size=4)),
    "decimal": (pa.decimal128(9, 2), st.decimals(-9999, 9999, places=2)),
    "date": (pa.date32(), st.dates()),
    "time": (pa.timestamp("us", "UTC"), st.integers(0, 2**50)),
    "duration": (pa.duration("s"), st.integers(-(2**40), 2**40)),
    "list": (pa.list_(pa.string()), st.lists(st.none() | st.text(max_size=3), max_size=3)),
    "struct": (
        pa.struct({"x": pa.bool_(), "y": pa.list_(pa.int32())}),
        st.fixed_dictionaries(
            {"x": st.none() | st.booleans(), "y": st.none() | st.lists(st.integers(-9, 9), max_size=3)}
        ),
    ),
    "map": (
        pa.map_(pa.string(), pa.int8()),
        st.lists(st.tuples(st.text(max_size=2), st.integers(-9, 9)), max_size=2),
    ),
    "null": (pa.null(), st.none()),
}
"""Types of columns and what they may hold."""


def part(folder: Path, schema: pa.Schema, *batches: pa.RecordBatch) -> bytes:
    """The file that the engine writes of these rows."""
    writer = ParquetPart(folder / "part", schema)
    for batch in batches:
        writer.write(batch)
    writer.close()
    return (folder / "part").read_bytes()


def rows(start: int, stop: int) -> pa.RecordBatch:
    numbers = range(start, stop)
    return pa.record_batch(
        [list(numbers), [f"p{i % 7}" if i % 5 else None for i in numbers], [i / 2 for i in numbers]],
        schema=SCHEMA,
    )


def coded(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The same with the text as a dictionary."""
    return batch.set_column(1, "place", batch["place"].dictionary_encode())


def written(table: pa.Table, **options: object) -> bytes:
    """A file as pyarrow writes it."""
    file = pa.BufferOutputStream()
    pq.write_table(table, file, **{"write_page_checksum": True, **options})
    return file.getvalue().to_pybytes()


def opener(raw: bytes) -> Callable[[], pa.NativeFile]:
    return lambda: pa.BufferReader(raw)


def join(parts: Sequence[bytes]) -> bytes:
    out = pa.BufferOutputStream()
    count = join_parquet(map(opener, parts), out)
    raw = out.getvalue().to_pybytes()
    assert pq.read_metadata(io.BytesIO(raw)).num_rows == count
    return raw


def read(raw: bytes, **options: object) -> pa.Table:
    return pq.read_table(pa.BufferReader(raw), page_checksum_verification=True, **options)


def in_one_dictionary(table: pa.Table) -> pa.Table:
    """The table with equal dictionaries where rows are equal."""
    return table.unify_dictionaries().combine_chunks()


def groups(raw: bytes) -> list[dict[str, object]]:
    metadata = pq.read_metadata(io.BytesIO(raw))
    return [metadata.row_group(i).to_dict() for i in range(metadata.num_row_groups)]


def footer(raw: bytes) -> Struct:
    length = int.from_bytes(raw[-8:-4], "little")
    return read_struct(raw[-8 - length : -8])[0]


def with_footer(raw: bytes, fields: Struct | bytes) -> bytes:
    length = int.from_bytes(raw[-8:-4], "little")
    new = fields if isinstance(fields, bytes) else write_struct(fields)
    return raw[: -8 - length] + new + len(new).to_bytes(4, "little") + b"PAR1"


def with_groups(raw: bytes, change: Callable[[Struct], None]) -> bytes:
    """The file with its RowGroups changed."""
    fields = footer(raw)
    changed = []
    for group in read_structs(fields[4]):
        change(group)
        changed.append(write_struct(group))
    return with_footer(raw, {**fields, 4: (LIST, write_list(changed))})


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_joined_is_what_the_parts_are_one_after_the_other(tmp_path: Path, data: st.DataObject) -> None:
    names = data.draw(st.lists(st.sampled_from(sorted(COLUMNS)), min_size=1, max_size=5, unique=True))
    schema = pa.schema({name: COLUMNS[name][0] for name in names})
    batches = []
    for count in data.draw(st.lists(st.integers(0, 12), min_size=1, max_size=6)):
        values = [
            data.draw(st.lists(st.none() | COLUMNS[name][1], min_size=count, max_size=count))
            for name in names
        ]
        batches.append(
            pa.record_batch([pa.array(v, t) for v, t in zip(values, schema.types, strict=True)], names)
        )
    parts = [part(tmp_path, schema, batch) for batch in batches]
    found = read(join(parts))
    assert found.schema.equals(schema)
    assert found.to_pylist() == pa.Table.from_batches(batches, schema).to_pylist()
    apart = pa.concat_tables([read(raw) for raw in parts])
    assert in_one_dictionary(found).equals(in_one_dictionary(apart))
    cut = data.draw(st.integers(0, len(parts)))
    again = [join(some) for some in (parts[:cut], parts[cut:]) if some]
    assert read(join(again)).equals(found)


def test_text_with_dictionaries_in_some_parts_only(tmp_path: Path) -> None:
    unlike = pa.record_batch([[1, 2], ["q" * 40, "r" * 50], [0.0, 1.0]], schema=SCHEMA)
    batches = [rows(0, 9), coded(rows(9, 40)), unlike, coded(rows(40, 41))]
    plain = written(pa.table(rows(41, 90)), use_dictionary=False)
    raw = join([*(part(tmp_path, SCHEMA, batch) for batch in batches), plain])
    whole = pa.concat_tables(pa.table(b).cast(SCHEMA) for b in [*batches, rows(41, 90)])
    assert read(raw).equals(whole)
    as_codes = read(raw, read_dictionary=["place"])
    assert pa.types.is_dictionary(as_codes.schema.field("place").type)
    assert as_codes.cast(SCHEMA).equals(whole)
    opened = pq.ParquetFile(pa.BufferReader(raw))
    assert [opened.read_row_group(i).num_rows for i in range(5)] == [9, 31, 2, 1, 49]
    assert opened.read_row_group(2).to_pylist() == unlike.to_pylist()
    (tmp_path / "joined.parquet").write_bytes(raw)
    for names in ((), ("place",)):
        source = open_source({"path": str(tmp_path / "joined.parquet")})
        streamed = list(source.batches(SCHEMA.names, 7, names))
        assert [row for batch in streamed for row in batch.to_pylist()] == whole.to_pylist()
    assert pl.read_parquet(io.BytesIO(raw)).to_dicts() == whole.to_pylist()
    found = pl.scan_parquet(tmp_path / "joined.parquet").filter(pl.col("id") == 41).collect()
    assert found["score"].to_list() == [20.5]


def test_the_footer_says_where_all_lies(tmp_path: Path) -> None:
    parts = [
        part(tmp_path, SCHEMA, rows(0, 5)),
        part(tmp_path, SCHEMA),
        written(pa.table(rows(5, 25)), row_group_size=10),
    ]
    raw = join(parts)
    before = [group for i in (0, 2) for group in groups(parts[i])]
    after = groups(raw)
    at = 4
    for group, same in zip(after, before, strict=True):
        for column, old in zip(group["columns"], same["columns"], strict=True):
            start = column["dictionary_page_offset"] or column["data_page_offset"]
            assert start == at
            at += column["total_compressed_size"]
            moved = {"dictionary_page_offset", "data_page_offset"}
            assert {k: v for k, v in column.items() if k not in moved} == {
                k: v for k, v in old.items() if k not in moved
            }
            assert column["is_stats_set"]
        assert group["num_rows"] == same["num_rows"]
        assert group["total_byte_size"] == same["total_byte_size"]
    assert at == len(raw) - 8 - int.from_bytes(raw[-8:-4], "little")
    assert [read_integer(g[5]) for g in read_structs(footer(raw)[4])] == [
        g["columns"][0]["dictionary_page_offset"] or g["columns"][0]["data_page_offset"] for g in after
    ]
    first, whole = (pq.read_metadata(io.BytesIO(r)) for r in (parts[0], raw))
    assert (whole.metadata, whole.created_by) == (first.metadata, first.created_by)
    assert read(raw, filters=[("id", "=", 17)])["score"].to_pylist() == [8.5]


def test_parts_without_rows(tmp_path: Path) -> None:
    empty = part(tmp_path, SCHEMA)
    for raw in (join([empty]), join([empty, empty])):
        assert groups(raw) == []
        assert read(raw).schema.equals(SCHEMA) and read(raw).num_rows == 0
        assert pl.read_parquet(io.BytesIO(raw)).shape == (0, 3)
    assert read(join([empty, part(tmp_path, SCHEMA, rows(0, 3)), empty])).equals(pa.table(rows(0, 3)))
    with pytest.raises(DataError, match="there is no Parquet file to join"):
        join([])


def test_a_flipped_byte_of_a_page_is_still_found(tmp_path: Path) -> None:
    whole = join([part(tmp_path, SCHEMA, rows(i, i + 40)) for i in (0, 40)])
    for group in groups(whole):
        for column in group["columns"]:
            raw = bytearray(whole)
            raw[column["data_page_offset"] + column["total_compressed_size"] // 2] ^= 1
            with pytest.raises(OSError, match="CRC checksum verification failed"):
                pq.ParquetFile(pa.BufferReader(bytes(raw)), page_checksum_verification=True).read()


def test_indexes_of_pages_and_bloom_filters_are_moved() -> None:
    parts = [
        written(
            pa.table(rows(start, start + 3000)),
            row_group_size=1000,
            data_page_size=512,
            write_batch_size=100,
            write_page_index=True,
            bloom_filter_options={"id": {"ndv": 1000}},
        )
        for start in (0, 3000)
    ]
    raw = join([*parts, join(parts)])
    pages = 0
    for group in read_structs(footer(raw)[4]):
        for column in read_structs(group[1]):
            start = read_integer(column[4])
            index, end = read_struct(raw, start)
            assert end - start == read_integer(column[5])
            for page in read_structs(index[1]):
                place = read_integer(page[1])
                header, data = read_struct(raw, place)
                assert read_integer(header[1]) == 0  # DATA_PAGE
                assert data - place + read_integer(header[3]) == read_integer(page[2])
                pages += 1
            start = read_integer(column[6])
            assert read_struct(raw, start)[1] - start == read_integer(column[7])
        column = next(read_structs(group[1]))
        meta, _ = read_struct(column[3][1])
        start = read_integer(meta[14])
        filter, end = read_struct(raw, start)
        assert end - start + read_integer(filter[1]) == read_integer(meta[15])
    assert pages > 12 * 3 * 2
    assert read(raw, filters=[("id", "=", 4321)]).num_rows == 2
    assert pl.scan_parquet(io.BytesIO(raw)).filter(pl.col("id") == 4321).collect().height == 2


def test_unknown_fields_are_kept(tmp_path: Path) -> None:
    odd = {
        32767: (BINARY, b"\x05hello"),
        40: (LIST, bytes([0x21, 1, 2])),
        41: (11, bytes([2, 0x85, 1, 0x61, 0x82, 0x00, 0x00, 0x03])),
        -3: (STRUCT, bytes([0x13, 7, 0x11, 0])),
    }

    def change(group: Struct) -> None:
        columns = list(read_structs(group[1]))
        for column in columns:
            meta, _ = read_struct(column[3][1])
            column[3] = (STRUCT, write_struct({**meta, **odd}))
            column.update(odd)
        group[1] = (LIST, write_list(map(write_struct, columns)))
        group.update(odd)

    plain = part(tmp_path, SCHEMA, rows(0, 5))
    strange = with_groups(plain, change)
    strange = with_footer(strange, {**footer(strange), **odd})
    raw = join([strange, plain, strange])
    assert read(raw).num_rows == 15
    assert footer(raw).items() >= odd.items()
    first, middle, last = read_structs(footer(raw)[4])
    for group in (first, last):
        column = next(read_structs(group[1]))
        for struct in (group, column, read_struct(column[3][1])[0]):
            assert struct.items() >= odd.items()
    assert not middle.keys() & odd.keys()


def test_row_groups_are_numbered_as_long_as_the_numbers_suffice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_footer, "_LARGEST_ORDINAL", 2)
    plain = part(tmp_path, SCHEMA, rows(0, 5))
    numbered = with_groups(plain, lambda group: group.update({7: (I16, write_integer(9))}))
    raw = join([numbered, plain, numbered, numbered])
    numbers = [read_integer(group[7]) if 7 in group else None for group in read_structs(footer(raw)[4])]
    assert numbers == [0, None, 2, None]
    assert read(raw).num_rows == 20


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (SCHEMA.remove(1), "part 2: it has the columns id, score, the first has id, place, score"),
        (
            SCHEMA.set(2, pa.field("score", pa.float64())),
            "column 'score' is double, in the first it is float",
        ),
        (SCHEMA.set(0, pa.field("id", pa.duration("s"))), r"column 'id' is duration\[s\], .* it is int64"),
        (SCHEMA.set(0, pa.field("id", pa.int64(), False)), "column 'id' is int64 not null, .* it is int64"),
    ],
)
def test_another_schema_is_refused(tmp_path: Path, schema: pa.Schema, message: str) -> None:
    with pytest.raises(DataError, match=message):
        join([part(tmp_path, SCHEMA, rows(0, 5)), part(tmp_path, schema)])


def test_schemas_without_arrows_types(tmp_path: Path) -> None:
    table = pa.table(rows(0, 5))
    bare = written(table, store_schema=False)
    other = written(table.set_column(2, "score", table["score"].cast("double")), store_schema=False)
    assert read(join([bare, bare])).num_rows == 10
    with pytest.raises(DataError, match="part 2: its column 'score' is stored as another type"):
        join([bare, other])
    with pytest.raises(DataError, match="another number of columns"):
        join([bare, written(table.select(["id", "place"]), store_schema=False)])
    with pytest.raises(DataError, match="says nothing of Arrow's types"):
        join([bare, part(tmp_path, SCHEMA, rows(0, 5))])
    polars = io.BytesIO()  # names the root otherwise
    pl.DataFrame(table.to_pydict(), schema_overrides={"score": pl.Float32}).write_parquet(polars)
    fields = footer(polars.getvalue())
    fields.pop(5, None)
    fields[7] = footer(bare)[7]
    assert read(join([bare, with_footer(polars.getvalue(), fields)])).num_rows == 10


def test_whether_text_is_read_as_dictionaries_is_as_the_first_part_has_it(tmp_path: Path) -> None:
    kind = pa.dictionary(pa.int32(), pa.string())
    as_codes = SCHEMA.set(1, pa.field("place", kind))
    texts, codes = part(tmp_path, SCHEMA, rows(0, 5)), part(tmp_path, as_codes, coded(rows(5, 9)))
    assert read(join([texts, codes])).equals(pa.table(pa.concat_batches([rows(0, 9)])))
    assert read(join([codes, texts])).schema.field("place").type == kind


def test_what_is_no_part_is_refused(tmp_path: Path) -> None:
    whole = part(tmp_path, SCHEMA, rows(0, 5))
    for raw, message in [
        (b"", "part 2: it doesn't begin and end as Parquet files do"),
        (b"PAR1PAR1", "it doesn't begin and end"),
        (b"ARROW1" + whole[6:], "it doesn't begin and end"),
        (whole[:-1], "it doesn't begin and end"),
        (b"PARE" + whole[4:-4] + b"PARE", "it is encrypted"),
        (with_footer(whole, {**footer(whole), 8: (STRUCT, b"\0")}), "it has encrypted columns"),
        (whole[:-8] + b"\xff\xff\xff\x7fPAR1", "its footer is damaged: it says 2,147,483,647 bytes"),
    ]:
        with pytest.raises(DataError, match=message):
            join([whole, raw])
    with pytest.raises(DataError, match=r"part 1: can't be read: .*No such file"):
        join_parquet([lambda: pa.OSFile(str(tmp_path / "none"))], pa.BufferOutputStream())


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x19\xfc" + b"\xff" * 9 + b"\x01",  # a list of 2^64 structs
        b"\x19\xfc\xff\xff\xff\xff\x0f\0",
        b"\x19\xf1" + b"\xff" * 9 + b"\x01",  # 2^64 values of one byte
        b"\x18\xff\xff\xff\xff\x7f\0",
        b"\x1b\xff\xff\xff\xff\x7f\x88\0",
        b"\x16" + b"\x80" * 1000 + b"\0\0",
        b"\x1c" * 100_000,
        b"\x19\x19" + b"\x19" * 100_000,
        b"\x15\x02\x05\x02\x02\0",  # field 1 twice
        b"\x1f\0",
        b"\x05\xff\xff\xff\x0f\0",  # a field past 32,767
        b"\0",
    ],
)
def test_a_footer_that_is_no_thrift_is_refused(tmp_path: Path, raw: bytes) -> None:
    whole = part(tmp_path, SCHEMA, rows(0, 5))
    with pytest.raises(DataError, match="part 1: its footer is damaged"):
        join([with_footer(whole, raw)])


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_footer_is_refused_or_of_no_matter(tmp_path: Path, data: st.DataObject) -> None:
    whole = part(tmp_path, SCHEMA, rows(0, 5))
    raw = bytearray(whole)
    start = len(raw) - 8 - int.from_bytes(raw[-8:-4], "little")
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(start, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        joined = join_parquet([opener(bytes(raw)), opener(whole)], pa.BufferOutputStream())
    except DataError as error:
        assert str(error).startswith("part ")
    else:
        assert joined >= 5


def test_places_outside_the_file_are_refused(tmp_path: Path) -> None:
    whole = part(tmp_path, SCHEMA, rows(0, 5))
    for number, place in ((5, 10**9), (5, -1), (3, -5)):
        with pytest.raises(DataError, match="part 1: its footer is damaged"):
            join(
                [
                    with_groups(
                        whole, lambda group, n=number, p=place: group.update({n: (6, write_integer(p))})
                    )
                ]
            )
    with pytest.raises(DataError, match="it says 5 rows, its row groups have 7"):
        join([with_groups(whole, lambda group: group.update({3: (6, write_integer(7))}))])
