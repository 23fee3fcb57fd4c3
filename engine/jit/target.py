"""Which processor the kernels are compiled for: this one, or less of it, as ``ENGINE_CPU`` says.

=============  ==============================================================================
``ENGINE_CPU``  kernels use
=============  ==============================================================================
``native``     all that this processor has (the default)
``avx2``       at most AVX2 and FMA (x86-64-v3)
``generic``    what every processor of this kind has
=============  ==============================================================================
"""

from __future__ import annotations

import os
from functools import cache

from engine.errors import UserError, did_you_mean

SETTINGS = ("native", "avx2", "generic")

_AVX512 = frozenset({"avx512f", "avx512bw", "avx512vl"})
_V3 = frozenset({"avx", "avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe"})
_NAMED = {"x86-64-v3": _V3, "x86-64-v4": _V3 | _AVX512}
"""What the processors have that LLVM gives a name of their own: https://gitlab.com/x86-psABIs/x86-64-ABI"""


def setting() -> str:
    """What ``ENGINE_CPU`` says.

    Raises
    ------
    UserError
        It is none of the settings.
    """
    chosen = os.environ.get("ENGINE_CPU") or "native"
    if chosen not in SETTINGS:
        known = ", ".join(SETTINGS)
        raise UserError(f"ENGINE_CPU is {chosen!r}; it may be {known}.{did_you_mean(chosen, SETTINGS)}")
    return chosen


@cache
def level() -> str:
    """The vector instructions to use: ``avx512``, ``avx2`` or ``portable``.

    No more than numba compiles for, as ``NUMBA_CPU_NAME`` and ``NUMBA_CPU_FEATURES`` may say, too: LLVM ends
    the process where an instruction is wanted that its target lacks.
    """
    chosen = setting()
    if chosen == "generic":
        return "portable"
    features = _features()
    if chosen == "native" and features >= _AVX512:
        return "avx512"
    return "avx2" if "avx2" in features else "portable"


def lower_numba() -> str:
    """Tell numba to compile for what ``ENGINE_CPU`` leaves, and name that.

    It counts from numba's first compilation in this process on. numba's cache keeps machine code of
    different processors apart by itself.
    """
    _lower()
    return level()


def _lower() -> None:
    import platform

    from numba import config

    chosen = setting()
    if chosen == "native" or config.CPU_NAME is not None:
        return
    if chosen == "avx2" and not _of_host() >= _V3:
        return  # all that it has is less
    on_x86 = platform.machine().lower() in ("x86_64", "amd64")
    names = {"avx2": "x86-64-v3", "generic": "x86-64"} if on_x86 else {}
    # numba reads its settings when it makes its first target machine, and has no other door.
    config.CPU_NAME = names.get(chosen, "generic")
    config.CPU_FEATURES = ""


def _features() -> frozenset[str]:
    """What numba's machine code may use, as LLVM names it; less where a processor's name is all we know."""
    from numba import config

    _lower()
    if config.CPU_FEATURES is None:
        return _of_host()
    found = set(_NAMED.get(str(config.CPU_NAME).lower(), ()))
    for item in config.CPU_FEATURES.split(","):
        (found.discard if item.startswith("-") else found.add)(item.lstrip("+-").strip())
    return frozenset(found)


def _of_host() -> frozenset[str]:
    from numba.core.codegen import get_host_cpu_features

    return frozenset(item[1:] for item in get_host_cpu_features().split(",") if item.startswith("+"))
