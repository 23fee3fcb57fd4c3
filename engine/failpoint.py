"""Points where a test can end the process, to see what a crash leaves behind."""

from __future__ import annotations

import itertools
import os
import re
import signal

_TIMES = itertools.count(1)
"""How often the point in question was reached; from any thread."""


def reach(name: str) -> None:
    """Send this process a signal if ``ENGINE_FAILPOINT`` names this point; else nothing.

    ``commit.part`` is ``kill -9`` the first time that the point is reached, ``commit.part@3`` the third time;
    ``commit.part@3:TERM`` is another signal.

    >>> reach("bundle.renamed")
    """
    wanted = os.environ.get("ENGINE_FAILPOINT", "")
    if not wanted.startswith(name):
        return
    found = re.fullmatch(re.escape(name) + r"(?:@(\d+))?(?::([A-Z]+))?", wanted)
    if found is not None and next(_TIMES) == int(found[1] or 1):
        os.kill(os.getpid(), signal.Signals[f"SIG{found[2] or 'KILL'}"])
