"""``engine promote``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import engine
from engine.bundle import versions

from .conftest import Run


@pytest.fixture
def two(project: Path, run: Run) -> tuple[str, str]:
    """Two versions, the second in use."""
    first = (project / "bundles/prices/current").read_text().strip()
    assert run("fit", "pipeline=prices", "source.path=houses.parquet", "stages.model.rounds=4").code == 0
    return first, (project / "bundles/prices/current").read_text().strip()


def test_a_version_becomes_the_one_in_use(project: Path, run: Run, two: tuple[str, str]) -> None:
    first, second = two
    ran = run("promote", "bundle=bundles/prices", f"version={first}", "--json", conf=False)
    assert ran.code == 0
    assert json.loads(ran.out) == {"bundle": "bundles/prices", "version": first, "before": second}
    assert engine.load("bundles/prices").version == first
    assert run("promote", "bundle=bundles/prices", f"version={second[:6]}", conf=False).code == 0
    assert engine.load("bundles/prices").version == second
    again = run("promote", "bundle=bundles/prices", f"version={second}", conf=False)
    assert (again.code, "in use already" in again.err) == (0, True)


def test_without_a_current_it_mends(project: Path, run: Run, two: tuple[str, str]) -> None:
    (project / "bundles/prices/current").unlink()
    assert run("promote", "bundle=bundles/prices", f"version={two[0]}", conf=False).code == 0
    assert engine.load("bundles/prices").version == two[0]


def test_a_damaged_version_is_refused(project: Path, run: Run, two: tuple[str, str]) -> None:
    first, second = two
    model = project / "bundles/prices/versions" / first / "model-model.ubj"
    data = bytearray(model.read_bytes())
    data[len(data) // 2] ^= 1
    model.write_bytes(data)
    ran = run("promote", "bundle=bundles/prices", f"version={first}", conf=False)
    assert ran.code == 2
    assert "was changed" in ran.err
    assert (project / "bundles/prices/current").read_text().strip() == second


def test_mistakes_say_what_there_is(project: Path, run: Run, two: tuple[str, str]) -> None:
    first, second = two
    bare = run("promote", "bundle=bundles/prices", conf=False)
    assert bare.code == 2
    assert f"version={second}" in bare.err
    assert "in use" in bare.err
    wrong = run("promote", "bundle=bundles/prices", f"version={first[:-1]}z", conf=False)
    assert (wrong.code, first in wrong.err) == (2, True)
    assert run("promote", f"version={first}", conf=False).code == 2
    lost = run("promote", "bundle=bundles/price", f"version={first}", conf=False)
    assert (lost.code, "prices" in lost.err) == (2, True)
    inside = run("promote", f"bundle=bundles/prices/versions/{first}", f"version={first}", conf=False)
    assert inside.code == 2
    assert sorted(versions("bundles/prices")) == sorted(two)
