"""Help must not wait for what only the work needs."""

from __future__ import annotations

import subprocess
import sys

import pytest

from engine.cli.verbs import VERBS

HEAVY = ("numba", "llvmlite", "xgboost", "pyarrow", "hydra", "omegaconf", "sklearn", "scipy", "numpy", "rich")


@pytest.mark.parametrize("argv", [["--help"], ["--version"], *([verb.name, "--help"] for verb in VERBS)])
def test_help_imports_nothing_heavy(argv: list[str]) -> None:
    code = (
        "import sys\n"
        "from engine.cli.main import main\n"
        f"code = main({argv!r})\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)\n"
        "sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (0, "[]")


def test_a_mistyped_verb_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from engine.cli.main import main\n"
        "main(['fti', 'pipeline=flights'])\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]"


def test_the_list_of_stages_needs_no_numba() -> None:
    code = (
        "import sys\n"
        "from engine.cli.main import main\n"
        "main(['stages'])\n"
        "print([name for name in ('numba', 'xgboost', 'hydra', 'sklearn') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "[]"
