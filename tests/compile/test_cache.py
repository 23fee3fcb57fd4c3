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


def test_without_a_folder_to_write_it_still_runs() -> None:
    """Nobody, not even root, makes folders there."""
    assert run(Path("/proc/engine"))["misses"] == 1


def test_a_folder_that_others_may_write_to_is_not_used(tmp_path: Path) -> None:
    """It could hold code of theirs: numba unpickles what it finds."""
    (tmp_path / "kernels").mkdir()
    for open_to_all in (tmp_path, tmp_path / "kernels"):
        open_to_all.chmod(0o777)
        assert run(tmp_path)["misses"] == 1
        assert not list((tmp_path / "kernels").iterdir())
        open_to_all.chmod(0o700)


def test_a_folder_behind_a_link_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "cache").symlink_to(tmp_path / "elsewhere")
    assert run(tmp_path / "cache")["misses"] == 1
    assert not list((tmp_path / "elsewhere").iterdir())


def test_object_code_stays_in_the_cache(tmp_path: Path) -> None:
    run(tmp_path / "cache", NUMBA_CACHE_DIR=str(tmp_path / "numba"))
    assert list((tmp_path / "cache").rglob("*.nbc"))
    assert not list(tmp_path.glob("numba/**/*.nbc"))


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
def test_object_code_that_was_cut_short_is_made_again(tmp_path: Path, ending: str) -> None:
    first = run(tmp_path)
    (path,) = tmp_path.rglob(f"*.{ending}")
    path.write_bytes(path.read_bytes()[:20])
    assert run(tmp_path)["sum"] == first["sum"]
    assert run(tmp_path)["hits"] == 1


def test_a_user_without_a_home_compiles_all_the_same(tmp_path: Path) -> None:
    script = (
        "import os, pathlib\n"
        "[os.environ.pop(name, None) for name in ('ENGINE_CACHE_DIR', 'XDG_CACHE_HOME')]\n"
        "def nowhere(): raise RuntimeError('Could not determine home directory.')\n"
        "pathlib.Path.home = nowhere\n"
        "from engine.jit.folder import cache_folder\n"
        "print(cache_folder('kernels').is_dir())"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert found.stdout.strip() == "True", found.stderr


def test_threads_may_ask_for_the_same_kernel_first(tmp_path: Path) -> None:
    script = SCRIPT.replace("kernel(1000,", "import concurrent.futures as c\nkernel(1000,").replace(
        "kernel = Kernel(", "make = lambda: Kernel("
    )
    script = script.replace(
        "values, out",
        "from concurrent.futures import ThreadPoolExecutor\nimport numba\n"
        "kernel, *_ = ThreadPoolExecutor(8).map(lambda _: make(), range(8))\nvalues, out",
        1,
    )
    found = subprocess.run(
        [sys.executable, "-c", script, "1.5"],
        env={**os.environ, "ENGINE_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stderr


def test_a_cache_folder_that_is_a_file_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("")
    assert run(tmp_path / "cache")["misses"] == 1
