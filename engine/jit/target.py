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
    """The vector instructions to use: ``avx512``, ``avx2`` or ``portable``."""
    import llvmlite.binding as llvm

    chosen = setting()
    if chosen == "generic":
        return "portable"
    features = llvm.get_host_cpu_features()
    if chosen == "native" and all(features.get(name) for name in ("avx512f", "avx512bw", "avx512vl")):
        return "avx512"
    return "avx2" if features.get("avx2") else "portable"


def lower_numba() -> str:
    """Tell numba to compile for what ``ENGINE_CPU`` leaves, and name that.

    It counts from numba's first compilation in this process on. numba's cache keeps machine code of
    different processors apart by itself.
    """
    import platform

    from numba import config

    chosen = setting()
    if chosen != "native" and config.CPU_NAME is None:
        on_x86 = platform.machine().lower() in ("x86_64", "amd64")
        names = {"avx2": "x86-64-v3", "generic": "x86-64"} if on_x86 else {}
        # numba reads its settings when it makes its first target machine, and has no other door.
        config.CPU_NAME = names.get(chosen, "generic")
        config.CPU_FEATURES = ""
    return level()
