"""``python -m engine.cli.worker N``: a worker of ``engine serve``, which alone starts it."""

from __future__ import annotations

import signal
import sys


def main(argv: list[str]) -> int:
    """Serve at the channel whose descriptor is given."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal: the supervisor gets it, too

    from engine.cli.open import open_composed, read_stored
    from engine.config.config import Config
    from engine.pipeline import Pipeline
    from engine.runtime.serve.worker import run_worker

    def load(config: Config, folder: str | None) -> Pipeline:
        return open_composed(config, None if folder is None else read_stored(folder)).ready()

    return run_worker(int(argv[0]), load)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
