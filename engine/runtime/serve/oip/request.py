"""The body of a request over HTTP: JSON, with the values of tensors in it or as raw bytes behind it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import pyarrow as pa

from engine.decode import json_cells, json_text
from engine.runtime.serve.call import Refusal
from engine.runtime.serve.oip import binary, json_data
from engine.runtime.serve.oip.infer import rows_of
from engine.runtime.serve.oip.tensor import Tensor


@dataclass(frozen=True, slots=True)
class Request:
    """What a body says.

    Parameters
    ----------
    id : str or None
    inputs : list of Tensor
        The values of those that nobody reads are left out.
    outputs : list of str or None
        None: all are wanted.
    in_binary : bool
        Whether outputs that say nothing of it are wanted as raw bytes.
    binary : dict of str to bool
        The outputs that say it.
    """

    id: str | None
    inputs: list[Tensor]
    outputs: list[str] | None
    in_binary: bool
    binary: dict[str, bool]


class _Parameters(msgspec.Struct):
    binary_data_size: int | None = None
    binary_data: bool | None = None
    binary_data_output: bool | None = None


class _Input(msgspec.Struct):
    name: str
    datatype: str = ""
    shape: list[int] | None = None
    parameters: _Parameters | None = None
    data: Any = msgspec.UNSET


class _Output(msgspec.Struct):
    name: str
    parameters: _Parameters | None = None


class _Body(msgspec.Struct):
    inputs: list[_Input]
    id: str | None = None
    outputs: list[_Output] | None = None
    parameters: _Parameters | None = None


_DECODER = msgspec.json.Decoder(_Body)
_NOTHING = _Parameters()


def read(body: bytes, header: bytes | None, reads: frozenset[str]) -> Request:
    """Take a body apart.

    Parameters
    ----------
    body : bytes
    header : bytes or None
        What Inference-Header-Content-Length says: the length of the JSON. None: it is all JSON.
    reads : frozenset of str
        The tensors whose values are looked at.

    Raises
    ------
    Refusal
        400: it isn't such a body.

    Examples
    --------
    >>> head = b'{"inputs":[{"name":"x","datatype":"INT8","shape":[2],"parameters":{"binary_data_size":2}}]}'
    >>> read(head + bytes([1, 2]), str(len(head)).encode(), frozenset("x")).inputs[0].values.to_pylist()
    [1, 2]
    """
    length = _header_length(header, len(body))
    parsed = _parse(body if length is None else body[:length])
    raw = None if length is None else memoryview(body)[length:]
    outputs = parsed.outputs or []
    flags = ((output.name, (output.parameters or _NOTHING).binary_data) for output in outputs)
    return Request(
        parsed.id,
        list(_tensors(parsed.inputs, raw, reads)),
        [output.name for output in outputs] or None,
        bool((parsed.parameters or _NOTHING).binary_data_output),
        {name: flag for name, flag in flags if flag is not None},
    )


def _header_length(header: bytes | None, size: int) -> int | None:
    if header is None:
        return None
    said = header.strip()
    # a number of so many digits is more than any body has
    if not said.isdigit() or len(said) > 18 or int(said) > size:
        raise Refusal(
            400,
            "Inference-Header-Content-Length: expected the length of the JSON, "
            f"{size:,} at most, found {said[:40].decode('latin-1')!r}",
            "invalid",
        )
    return int(said)


def _parse(text: bytes) -> _Body:
    try:
        return _DECODER.decode(text)
    except RecursionError:
        raise Refusal(400, "the body can't be read as JSON: it is nested too deeply", "json") from None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        pass  # what only Python's reader takes may be in it
    try:
        body = msgspec.convert(json_text.parse(text), _Body)
    except UnicodeDecodeError:
        raise Refusal(400, "the body is no UTF-8", "json") from None
    except msgspec.ValidationError as error:  # which is a ValueError, too
        raise Refusal(400, f"the body isn't that of an inference: {error}", "invalid") from None
    except ValueError as error:
        raise Refusal(400, f"the body can't be read as JSON: {error}", "json") from None
    said = [body.id or "", *(each.name for each in (*body.inputs, *(body.outputs or ())))]
    if not all(map(json_cells.is_text, (*said, *(each.datatype for each in body.inputs)))):
        raise Refusal(400, "a name or the id holds half of a surrogate pair", "invalid")
    return body


def _tensors(inputs: list[_Input], raw: memoryview | None, reads: frozenset[str]) -> Iterator[Tensor]:
    at = 0
    for item in inputs:
        size = (item.parameters or _NOTHING).binary_data_size
        data = None
        if size is not None:
            data = _cut(item.name, size, raw, at)
            at += size
        shape = () if item.shape is None else tuple(item.shape)
        if item.name not in reads:
            yield Tensor(item.name, item.datatype, shape, pa.nulls(0))
            continue
        if (data is None) == (item.data is msgspec.UNSET):
            found = "neither" if data is None else "both"
            raise Refusal(
                400,
                f"{item.name}: expected either 'data' or 'parameters.binary_data_size', found {found}",
                "invalid",
                item.name,
            )
        rows = rows_of(item.name, shape)
        if data is None:
            if item.datatype not in binary.DATATYPES:
                raise binary.unknown(item.datatype, item.name)
            yield Tensor(item.name, item.datatype, shape, json_data.read(item.data, rows, item.name), True)
        else:
            values = binary.read(item.datatype, data, rows, item.name)
            yield Tensor(item.name, item.datatype, shape, values)
    if raw is not None and at != len(raw):
        raise Refusal(
            400,
            f"expected {at:,} bytes behind the JSON, which the inputs' binary_data_size add up to, "
            f"found {len(raw):,}",
            "invalid",
        )


def _cut(name: str, size: int, raw: memoryview | None, at: int) -> memoryview:
    """The bytes of one tensor."""
    if raw is None:
        raise Refusal(
            400,
            f"{name}: has a binary_data_size, and the request has no Inference-Header-Content-Length",
            "invalid",
            name,
        )
    if not 0 <= size <= len(raw) - at:
        raise Refusal(
            400,
            f"{name}: expected a binary_data_size of at most the {len(raw) - at:,} bytes that are left, "
            f"found {size:,}",
            "invalid",
            name,
        )
    return raw[at : at + size]
