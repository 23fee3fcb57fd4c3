"""The cache of compiled kernels: what finds it, and what must not."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import json, sys
import numpy as np
from engine.compile.kernel import Kernel, plan_kernel
from engine.compile.passes import Root
from engine.expr.graph import Expr, exp, log1p
from engine.schema import Kind

by = float(sys.argv[1])
x = Expr.input("x", Kind.NUMBER)
kernel = Kernel(plan_kernel([Root(log1p(exp(x * by)) / 3, "number", 1, "y")], 0, {}))
values, out = np.linspace(-3, 3, 1000), np.empty(1000)
columns = np.array([values.ctypes.data])
outputs = np.array([0, out.ctypes.data])
kernel(1000, columns.ctypes.data, outputs.ctypes.data, kernel.new_scratch().ctypes.data)
stats = kernel.call.stats
print(json.dumps({
    "hits": sum(stats.cache_hits.values()),
    "misses": sum(stats.cache_misses.values()),
    "sum": out.sum().hex(),
}))
"""


def run(folder: Path, by: float = 1.5, **environment: str) -> dict[str, object]:
    """A kernel compiled or loaded in a process of its own."""
    found = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(by)],
        env={**os.environ, "ENGINE_CACHE_DIR": str(folder), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    answer: dict[str, object] = json.loads(found.stdout)
    return answer


def test_a_second_process_starts_from_the_cache(tmp_path: Path) -> None:
    first, second = run(tmp_path), run(tmp_path)
    assert (first["hits"], first["misses"]) == (0, 1)
    assert (second["hits"], second["misses"]) == (1, 0)
    assert first["sum"] == second["sum"]


def test_other_numbers_run_the_same_kernel(tmp_path: Path) -> None:
    first, second = run(tmp_path), run(tmp_path, by=0.5)
    assert second["hits"] == 1
    assert first["sum"] != second["sum"]


def test_the_cache_is_its_owners_alone(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    run(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_changed_callee_has_another_name(tmp_path: Path) -> None:
    """numba itself would run the old code: it watches the file of the kernel only."""
    script = (
        "import engine.jit.cache as cache, pathlib, sys\n"
        "root = pathlib.Path(sys.argv[1])\n"
        "before = cache.kernel_name('source')\n"
        "cache._salt.cache_clear()\n"
        "read = pathlib.Path.read_bytes\n"
        "pathlib.Path.read_bytes = lambda path: read(path) + (b'#' if path.name == sys.argv[1] else b'')\n"
        "print(before != cache.kernel_name('source'))\n"
    )
    for name in ("functions.py", "calendar.py", "libm.py", "values.py"):
        found = subprocess.run(
            [sys.executable, "-c", script, name], capture_output=True, text=True, check=True
        )
        assert found.stdout.strip() == "True", name


def test_a_damaged_source_is_written_again(tmp_path: Path) -> None:
    first = run(tmp_path)
    (path,) = (tmp_path / "kernels").glob("kernel_*.py")
    path.write_text("def kernel(*args):\n    pass\n")
    assert run(tmp_path)["sum"] == first["sum"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_without_a_folder_to_write_it_still_runs(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        assert run(tmp_path / "cache")["misses"] == 1
    finally:
        tmp_path.chmod(0o700)


def test_a_cache_folder_that_is_a_file_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("")
    assert run(tmp_path / "cache")["misses"] == 1
