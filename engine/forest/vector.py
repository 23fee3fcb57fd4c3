"""Vector code that numba can't write by itself: ranks, comparisons, and trees of either form."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from engine.forest.registers import LANES, constant, load, load_table, lookup, plus, splat, store
from engine.forest.sizes import BLOCK, COMPARED, EXITS, MASK, TILE

_I8, _I32, _I64, _F32 = ir.IntType(8), ir.IntType(32), ir.IntType(64), ir.FloatType()
MOST_LOOKED_UP = {"avx512": 256, "avx2": 64}
"""Leaves up to which `lookup` beats plain loads."""


def search(level: str, levels: int) -> Any:
    """A function that ranks a column among ``2**levels - 1`` sorted thresholds, laid out as a heap.

    ``f(table, column, left, right, highest, count)``: writes the ranks (less 128) of ``count`` float32, a
    multiple of `sizes.TILE`, to ``left``, where a missing value has rank 0, and to ``right``, where it has
    rank ``highest``.
    """

    def build(
        typingctx: Any, table: Any, column: Any, left: Any, right: Any, highest: Any, count: Any
    ) -> Any:
        def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            table, column, left, right, highest, count = args
            lanes = LANES[level]
            whole = ir.VectorType(_I32, lanes)
            held = load_table(builder, level, table, 2**levels)
            top = splat(builder, builder.sub(builder.trunc(highest, _I32), _I32(128)), lanes)
            stop = builder.udiv(count, _I64(lanes))
            with cgutils.for_range(builder, stop, intp=_I64) as loop:
                at = builder.mul(loop.index, _I64(lanes))
                x = load(
                    builder, ir.VectorType(_F32, lanes), builder.add(column, builder.mul(at, _I64(4))), 4
                )
                node = constant(_I32, 1, lanes)
                for step in range(levels):
                    first, past = (0, lanes) if 2**step < lanes else (2**step, 2 ** (step + 1))
                    part = held[first // lanes : past // lanes]
                    threshold = lookup(builder, level, part, node)
                    below = builder.zext(builder.fcmp_ordered("<=", threshold, x), whole)
                    node = builder.add(builder.add(node, node), below)
                rank = builder.sub(node, constant(_I32, 2**levels + 128, lanes))
                missing = builder.fcmp_unordered("uno", x, x)
                bytes_ = ir.VectorType(_I8, lanes)
                store(builder, builder.trunc(rank, bytes_), builder.add(left, at))
                other = builder.select(missing, top, rank)
                store(builder, builder.trunc(other, bytes_), builder.add(right, at))
            return context.get_dummy_value()

        return types.void(*[types.int64] * 6), emit

    build.__name__ = f"search_{level}_{levels}"
    return intrinsic(build)


def compare() -> Any:
    """A function that makes every comparison of some trees once, for a block of rows.

    ``f(records, count, ranks, tiles, masks, work)``: six int64 for every slot: where its ranks lie; how many
    bits they have; the address of the comparisons' bounds (uint8, sorted), each less half the range where it
    is not in the lower half; how many are in the lower half, how many not; where the first one's mask goes.
    A mask has a bit for each row of a `BLOCK`, 1 where the row goes right: where its rank is not less than
    the bound. ``work`` has `sizes.COMPARING` bytes.

    Nothing is compared. Of numbers with one bit more, those from k up are those with the new bit *or* the
    rest from k up; and those from k and half the range up are those with the new bit *and* the rest from k
    up. So each further bit makes twice as many masks out of those that are there, a block of rows at a time.
    """

    def build(typingctx: Any, records: Any, count: Any, ranks: Any, tiles: Any, masks: Any, work: Any) -> Any:
        def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            records, count, ranks, tiles, masks, work = args
            vector = ir.VectorType(_I64, BLOCK // 64)
            bits, known = work, plus(builder, work, 8 * MASK)
            ones = ir.Constant(vector, [-1] * vector.count)

            def each(times: Any) -> Any:
                return cgutils.for_range(builder, times, intp=_I64)

            def mask(address: Any, number: Any) -> Any:
                return builder.add(address, builder.mul(number, _I64(MASK)))

            with each(count) as loop:
                record = builder.add(records, builder.mul(loop.index, _I64(8 * COMPARED)))
                slot, n_bits, bounds, n_low, n_high, first = (
                    load(builder, _I64, plus(builder, record, 8 * i), 8) for i in range(COMPARED)
                )
                _store_bits(builder, builder.add(ranks, slot), tiles, bits)
                store(builder, ones, known, MASK)
                last = builder.sub(n_bits, _I64(1))
                with each(last) as level:
                    bit = load(builder, vector, mask(bits, level.index), MASK)
                    half = builder.shl(_I64(1), level.index)
                    with each(half) as old:
                        here = mask(known, old.index)
                        rest = load(builder, vector, here, MASK)
                        store(builder, builder.and_(bit, rest), mask(here, half), MASK)
                        store(builder, builder.or_(bit, rest), here, MASK)
                bit = load(builder, vector, mask(bits, last), MASK)
                to = builder.add(masks, first)
                for combine, many in ((builder.or_, n_low), (builder.and_, n_high)):
                    with each(many) as bound:
                        place = load(builder, _I8, builder.add(bounds, bound.index))
                        rest = load(builder, vector, mask(known, builder.zext(place, _I64)), MASK)
                        store(builder, combine(bit, rest), mask(to, bound.index), MASK)
                    bounds, to = builder.add(bounds, many), mask(to, many)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 6), emit

    build.__name__ = "compare"
    return intrinsic(build)


def _store_bits(builder: Any, ranks: Any, tiles: Any, bits: Any) -> None:
    """The eight bits of each rank, from the lowest up: a mask for each."""
    vector = ir.VectorType(_I8, TILE)
    with cgutils.for_range(builder, tiles, intp=_I64) as tile:
        at = builder.mul(tile.index, _I64(TILE))
        ranked = load(builder, vector, builder.add(ranks, at), TILE)
        for bit in range(8):
            chosen = builder.and_(ranked, constant(_I8, 2**bit, TILE))
            # ranks are kept less 128, which is the highest bit the other way round
            has = builder.icmp_unsigned("==" if bit == 7 else "!=", chosen, constant(_I8, 0, TILE))
            word = builder.bitcast(has, ir.IntType(TILE))
            place = builder.add(bits, builder.mul(tile.index, _I64(TILE // 8)))
            store(builder, word, plus(builder, place, MASK * bit), TILE // 8)


def complete(level: str, depth: int) -> Any:
    """A function that finds the leaf of a block of rows in a complete tree, and adds it.

    ``f(nodes, leaves, masks, sums, tiles, width, leaf_stride, sum_stride)``: ``nodes`` holds for every split,
    as a heap, where the mask of its comparison lies (uint32). The number of a row's leaf has one bit for each
    level, and each of those is chosen for all rows of the block by bitwise operations. ``width`` numbers of
    the leaf are added to sums that lie ``sum_stride`` bytes apart.
    """

    def build(
        typingctx: Any, nodes: Any, leaves: Any, masks: Any, sums: Any, tiles: Any, width: Any,
        leaf_stride: Any, sum_stride: Any,
    ) -> Any:  # fmt: skip
        def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            nodes, leaves, masks, sums, tiles, width, leaf_stride, sum_stride = args
            bits = _leaf_bits(builder, nodes, masks, depth)
            room = cgutils.alloca_once(builder, bits[0].type, size=depth)
            room.align = 64
            begin = builder.ptrtoint(room, _I64)
            for number, bit in enumerate(bits):
                store(builder, bit, plus(builder, begin, MASK * number), MASK)
            with cgutils.for_range(builder, tiles, intp=_I64) as loop:
                here = builder.add(begin, builder.mul(loop.index, _I64(TILE // 8)))
                index = _leaf_numbers(builder, level, here, depth)
                place = builder.add(sums, builder.mul(loop.index, _I64(4 * TILE)))
                with cgutils.for_range(builder, width, intp=_I64) as outputs:
                    table = builder.add(leaves, builder.mul(outputs.index, leaf_stride))
                    out = builder.add(place, builder.mul(outputs.index, sum_stride))
                    _add_leaves(builder, level, table, index, out, 2**depth)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 8), emit

    build.__name__ = f"complete_{level}_{depth}"
    return intrinsic(build)


def _leaf_bits(builder: Any, nodes: Any, masks: Any, depth: int) -> list[Any]:
    """The bits of each row's leaf, from the root's down."""
    vector = ir.VectorType(_I64, BLOCK // 64)

    def at(node: int, step: int) -> list[Any]:
        offset = builder.zext(load(builder, _I32, plus(builder, nodes, 4 * node), 4), _I64)
        right = load(builder, vector, builder.add(masks, offset), MASK)
        if step == depth - 1:
            return [right]
        pairs = zip(at(2 * node + 1, step + 1), at(2 * node + 2, step + 1), strict=True)
        # x ^ ((x ^ y) & z): y where z is 1
        return [right, *(builder.xor(x, builder.and_(builder.xor(x, y), right)) for x, y in pairs)]

    return at(0, 0)


def _leaf_numbers(builder: Any, level: str, bits: Any, depth: int) -> Any:
    """The numbers of a tile's leaves out of their bits."""
    kind = _I8 if depth <= 8 else ir.IntType(16)
    index = constant(kind, 0, TILE)
    for number in range(depth):
        word = load(builder, ir.IntType(TILE), plus(builder, bits, MASK * number), TILE // 8)
        one = builder.bitcast(word, ir.VectorType(ir.IntType(1), TILE))
        more = builder.add(index, constant(kind, 2 ** (depth - 1 - number), TILE))
        index = builder.select(one, more, index)
    return index


def _goes_left(builder: Any, record: Any, ranks: Any, rows: int) -> Any:
    offset = builder.zext(load(builder, _I32, record, 4), _I64)
    bound = load(builder, _I32, plus(builder, record, 4), 4)
    bounds = builder.bitcast(splat(builder, bound, rows // 4), ir.VectorType(_I8, rows))
    ranked = load(builder, ir.VectorType(_I8, rows), builder.add(ranks, offset))
    return builder.icmp_signed("<", ranked, bounds)


def _add_leaves(builder: Any, level: str, table: Any, index: Any, out: Any, size: int) -> None:
    if size > MOST_LOOKED_UP.get(level, 0):
        _add_leaves_plainly(builder, table, index, out)
        return
    lanes = LANES[level]
    held = load_table(builder, level, table, size)
    for start in range(0, TILE, lanes):
        chosen = [ir.Constant(_I32, start + i) for i in range(lanes)]
        some = builder.shuffle_vector(
            index, ir.Constant(index.type, ir.Undefined), ir.Constant(ir.VectorType(_I32, lanes), chosen)
        )
        numbers = builder.zext(some, ir.VectorType(_I32, lanes))
        place = plus(builder, out, 4 * start)
        found = lookup(builder, level, held, numbers)
        store(builder, builder.fadd(load(builder, found.type, place, 4), found), place, 4)


def _add_leaves_plainly(builder: Any, table: Any, index: Any, out: Any) -> None:
    kind = index.type.element
    size = kind.width // 8
    room = cgutils.alloca_once(builder, index.type)
    room.align = 64
    builder.store(index, room, align=64)
    begin = builder.ptrtoint(room, _I64)
    for start in range(0, TILE, 8):
        found = ir.Constant(ir.VectorType(_F32, 8), ir.Undefined)
        for i in range(8):
            number = builder.zext(load(builder, kind, plus(builder, begin, size * (start + i)), size), _I64)
            leaf = load(builder, _F32, builder.add(table, builder.mul(number, _I64(4))), 4)
            found = builder.insert_element(found, leaf, _I32(i))
        place = plus(builder, out, 4 * start)
        store(builder, builder.fadd(load(builder, found.type, place, 4), found), place, 4)


def listed(rows: int = TILE) -> Any:
    """A function that finds the leaf of a block of rows in a tree of any form, with at most `EXITS` leaves.

    ``f(records, count, ranks, work)``: four uint32 for every split, children first: where its slot lies, four
    copies of its bound, and where in ``work`` the answers of its children lie: a leaf's own number, or what
    an earlier split found. The answers of split i go to ``(EXITS + i) * rows``.
    """

    def build(typingctx: Any, records: Any, count: Any, ranks: Any, work: Any) -> Any:
        def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            records, count, ranks, work = args
            vector = ir.VectorType(_I8, rows)
            with cgutils.for_range(builder, count, intp=_I64) as loop:
                record = builder.add(records, builder.mul(loop.index, _I64(16)))
                less = _goes_left(builder, record, ranks, rows)
                sides = []
                for byte in (8, 12):
                    offset = builder.zext(load(builder, _I32, plus(builder, record, byte), 4), _I64)
                    sides.append(load(builder, vector, builder.add(work, offset), rows))
                place = builder.add(work, builder.mul(plus(builder, loop.index, EXITS), _I64(rows)))
                store(builder, builder.select(less, *sides), place, rows)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 4), emit

    build.__name__ = "listed"
    return intrinsic(build)
