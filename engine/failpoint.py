"""Points where a test can end the process, to see what a crash leaves behind."""

from __future__ import annotations

import os
import signal


def reach(name: str) -> None:
    """End this process as ``kill -9`` would, if ``ENGINE_FAILPOINT`` names this point; else nothing.

    >>> reach("bundle.renamed")
    """
    if os.environ.get("ENGINE_FAILPOINT") == name:
        os.kill(os.getpid(), signal.SIGKILL)
