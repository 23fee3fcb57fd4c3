"""Tables of what was measured, beside what is wanted of it."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.batch.parts import PARTS

Found = Mapping[str, Mapping[str, float]]
_MB = 1e6


def lines_of(what: str, found: Found) -> list[str]:
    """The table of one of ``size``, ``parts``, ``ways`` and ``shards``."""
    return {"size": of_size, "parts": of_parts, "ways": of_ways, "shards": of_shards}[what](found)


def of_size(found: Found) -> list[str]:
    """Memory and time by rows."""
    lines = _head("peak MB", "s", "µs a row", "processor, µs a row", "busy", "ready")
    for name, of in found.items():
        lines.append(
            _row(
                name,
                f"{of['peak'] / _MB:,.0f}",
                f"{of['wall']:.2f}",
                f"{of['wall'] / of['rows'] * 1e6:.3f}",
                f"{of['processor'] / of['rows'] * 1e6:.3f}",
                f"{of['busy']:.0%}",
                f"{of['ready']:.0%}",
            )
        )
    for sink in ("folder", "one file"):
        peaks = [of["peak"] for name, of in found.items() if name.endswith(sink)]
        if len(peaks) > 1:
            ratio = peaks[-1] / peaks[-2]
            lines.append(f"{sink}: the greatest takes {ratio:.2f} × the memory of the next; wanted: <= 1.2")
    return lines


def of_parts(found: Found) -> list[str]:
    """Processor time of the parts, and the least that a run could take."""
    lines = _head("processor, ms", "of the parts", "by the clock, ms")
    for name, of in found.items():
        if not name.startswith("parts"):
            continue
        whole = found[name.replace("parts", "whole", 1)]
        parts = sum(of[f"processor: {part}"] for part in PARTS)
        sink = name.partition(", ")[2]
        for part in PARTS:
            spent, wall = of[f"processor: {part}"], of[f"wall: {part}"]
            lines.append(_row(f"{sink}: {part}", f"{spent * 1e3:,.0f}", f"{spent / parts:.0%}", _ms(wall)))
        moving = sum(of[f"processor: {part}"] for part in ("reading", "writing"))
        lines.append(_row(f"{sink}: reading and writing alone", _ms(moving), f"{moving / parts:.0%}", ""))
        lines.append(_row(f"{sink}: all parts", _ms(parts), "", ""))
        lines.append(_row(f"{sink}: the whole run", _ms(whole["processor"]), "", _ms(whole["wall"])))
    return lines


def of_ways(found: Found) -> list[str]:
    """Threads beside processes."""
    lines = _head("s", "start, s", "s without start", "processor, s", "processor of start, s", "peak MB")
    for name, of in found.items():
        start, spent = of.get("start", 0.0), of.get("start, processor", 0.0)
        lines.append(
            _row(
                name,
                f"{of['wall']:.2f}",
                f"{start:.2f}",
                f"{of['wall'] - start:.2f}",
                f"{of['processor']:.2f}",
                f"{spent:.2f}",
                f"{(of['peak'] + of.get('peak of processes', 0)) / _MB:,.0f}",
            )
        )
    return lines


def of_shards(found: Found) -> list[str]:
    """What being cut in shards adds, and what of it is done by one thread alone."""
    lines = _head("ms", "plan", "begin", "shards", "commit", "all but shards", "processor, ms")
    for name, of in found.items():
        whole, shards = of["wall"], of.get("wall: shards")
        if shards is None:
            lines.append(_row(name, _ms(whole), *[""] * 5, _ms(of["processor"])))
            continue
        lines.append(
            _row(
                name,
                _ms(whole),
                _ms(of["wall: plan"]),
                _ms(of["wall: driver: begin"]),
                _ms(shards),
                _ms(of["wall: driver: commit"]),
                f"{1 - shards / whole:.1%}",
                _ms(of["processor"]),
            )
        )
    return lines


def _head(*names: str) -> list[str]:
    return [_row("", *names), "|" + "---|" * (len(names) + 1)]


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:,.0f}"
