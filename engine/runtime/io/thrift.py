"""Structs of Thrift's compact protocol, taken apart as far as is asked.

The values of a struct stay the bytes that they are, so that fields which nobody here knows are written as
they were read. The protocol: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT, UUID = range(1, 14)
"""Kinds of values. Of a field that is true or false, the kind is all there is."""

_DEEPEST = 64
"""Structs and lists within each other; Thrift's own limit for them."""
_WIDTHS = {TRUE: 1, FALSE: 1, BYTE: 1, DOUBLE: 8, UUID: 16}
"""Bytes of what is always of one size, where it isn't a field that is true or false."""

Value: TypeAlias = tuple[int, bytes]
"""The kind of a field and the bytes behind its head."""
Struct: TypeAlias = dict[int, Value]
"""The fields by their numbers, in the order in which they lie."""


class ThriftError(ValueError):
    """The bytes are no Thrift, or other than what is looked for."""


def read_struct(raw: bytes, at: int = 0) -> tuple[Struct, int]:
    """The fields of the struct that begins there, and where it ends.

    Raises
    ------
    ThriftError

    Examples
    --------
    >>> read_struct(bytes([0x15, 6, 0x11, 0]))  # 1: an i32, 3; 2: true
    ({1: (5, b'\\x06'), 2: (1, b'')}, 4)
    """
    struct: Struct = {}
    number = 0
    try:
        while head := raw[at]:
            number, kind, at = _field(raw, at, head, number)
            end = at if kind in (TRUE, FALSE) else _end(raw, at, kind, 1)
            if number in struct:
                raise ThriftError(f"field {number} is there twice")
            struct[number] = (kind, raw[at:end])
            at = end
    except IndexError:
        raise ThriftError("a struct isn't complete") from None
    return struct, at + 1


def write_struct(struct: Mapping[int, Value]) -> bytes:
    """The bytes of a struct.

    Examples
    --------
    >>> write_struct({1: (I32, write_integer(3)), 2: (TRUE, b"")}).hex(" ")
    '15 06 11 00'
    """
    out = bytearray()
    last = 0
    for number, (kind, raw) in struct.items():
        step = number - last
        out += bytes([step << 4 | kind]) if 0 < step < 16 else bytes([kind]) + write_integer(number)
        out += raw
        last = number
    out.append(0)
    return bytes(out)


def read_integer(value: Value) -> int:
    """A number of 16, 32 or 64 bits.

    Raises
    ------
    ThriftError
    """
    kind, raw = value
    if kind not in (I16, I32, I64):
        raise ThriftError(f"a value of kind {kind} is where a number belongs")
    found, _ = _varint(raw, 0)
    return found >> 1 ^ -(found & 1)


def write_integer(number: int) -> bytes:
    """The bytes of a number of 16, 32 or 64 bits.

    Examples
    --------
    >>> write_integer(-1), write_integer(64)
    (b'\\x01', b'\\x80\\x01')
    """
    return _write_varint(number << 1 ^ number >> 63)


def read_binary(value: Value) -> bytes:
    """The bytes of a text.

    Raises
    ------
    ThriftError
    """
    kind, raw = value
    if kind != BINARY:
        raise ThriftError(f"a value of kind {kind} is where a text belongs")
    return raw[_varint(raw, 0)[1] :]


def read_structs(value: Value) -> Iterator[Struct]:
    """The structs of a list, one after the other.

    Raises
    ------
    ThriftError
    """
    kind, raw = value
    if kind != LIST:
        raise ThriftError(f"a value of kind {kind} is where a list belongs")
    size, element, at = _list_head(raw, 0)
    if size and element != STRUCT:
        raise ThriftError(f"a list of kind {element} is where one of structs belongs")
    for _ in range(size):
        struct, at = read_struct(raw, at)
        yield struct


def write_list(structs: Iterable[bytes]) -> bytes:
    """The bytes of a list of structs.

    Examples
    --------
    >>> write_list([write_struct({1: (I16, write_integer(3))}), write_struct({})]).hex(" ")
    '2c 14 06 00 00'
    """
    out = bytearray()
    size = 0
    for struct in structs:
        out += struct
        size += 1
    head = bytes([size << 4 | STRUCT]) if size < 15 else bytes([0xF0 | STRUCT]) + _write_varint(size)
    return head + out


def _field(raw: bytes, at: int, head: int, last: int) -> tuple[int, int, int]:
    """The number and the kind of a field with this head, and where its value begins."""
    at += 1
    if head >> 4:
        number = last + (head >> 4)
    else:
        found, at = _varint(raw, at)
        number = found >> 1 ^ -(found & 1)
    if not -(1 << 15) <= number < 1 << 15:
        raise ThriftError(f"there is no field {number}")
    return number, head & 15, at


def _end(raw: bytes, at: int, kind: int, depth: int) -> int:
    """Where a value ends that isn't a field which is true or false; IndexError: behind the bytes."""
    if I16 <= kind <= I64:
        at = at + 1 if raw[at] < 0x80 else _varint(raw, at)[1]
    elif kind == BINARY:
        size, at = (raw[at], at + 1) if raw[at] < 0x80 else _varint(raw, at)
        at += size
    elif kind in _WIDTHS:
        at += _WIDTHS[kind]
    elif depth == _DEEPEST:
        raise ThriftError(f"more than {_DEEPEST} structs or lists are in each other")
    elif kind == STRUCT:
        while head := raw[at]:
            inner = head & 15
            at = at + 1 if head >> 4 else _field(raw, at, head, 0)[2]
            if inner not in (TRUE, FALSE):
                at = _end(raw, at, inner, depth + 1)
        at += 1
    elif kind in (LIST, SET):
        size, element, at = _list_head(raw, at)
        if element in _WIDTHS:
            at += size * _WIDTHS[element]
        else:
            for _ in range(size):
                at = _end(raw, at, element, depth + 1)
    elif kind == MAP:
        size, at = _varint(raw, at)
        if size:
            kinds, at = raw[at], at + 1
            for _ in range(size):
                at = _end(raw, _end(raw, at, kinds >> 4, depth + 1), kinds & 15, depth + 1)
    else:
        raise ThriftError(f"there is no kind {kind} of value")
    if at > len(raw):
        raise IndexError
    return at


def _list_head(raw: bytes, at: int) -> tuple[int, int, int]:
    """The size of a list, the kind of its values, and where they begin."""
    head, at = raw[at], at + 1
    size = head >> 4
    if size == 15:
        size, at = _varint(raw, at)
    return size, head & 15, at


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    """A number without a sign, and where it ends."""
    found = shift = 0
    while (byte := raw[at]) & 0x80:
        found |= (byte & 0x7F) << shift
        at += 1
        shift += 7
        if shift > 63:
            raise ThriftError("a number has more than 64 bits")
    found |= byte << shift
    if found >> 64:
        raise ThriftError("a number has more than 64 bits")
    return found, at + 1


def _write_varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
