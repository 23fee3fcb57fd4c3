"""docs/architecture.md says who may import whom; the code is held to it here."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ENGINE = ROOT / "engine"
PLUGINS_AND_KIT = ("plugins", "testing")
"""The kit and the package of plugins stand beside the order: plugins are loaded by name."""


def order() -> list[str]:
    """The rooms of the engine, leftmost first, as the document lists them."""
    text = (ROOT / "docs" / "architecture.md").read_text()
    block = text.split("Only leftward:")[1].split("\n\n")[1]
    return [word.strip() for word in block.replace("\n", " ").split(",")]


def rooms() -> set[str]:
    return {
        path.stem for path in ENGINE.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()
    } - {"__init__", "__main__"}


def room_of(path: Path) -> str:
    return path.relative_to(ENGINE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """The rooms that a file imports, wherever in the file, but for what only a type checker reads."""
    found = set()
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        found |= {name.split(".")[1] for name in names if name.startswith("engine.")}
    return found


def test_every_room_has_its_place() -> None:
    assert set(order()) | set(PLUGINS_AND_KIT) == rooms()


def test_imports_go_leftward() -> None:
    place = {room: i for i, room in enumerate(order())}
    wrong = []
    for path in sorted(ENGINE.rglob("*.py")):
        room = room_of(path)
        if room in place:
            wrong += [
                f"{path.relative_to(ROOT)} imports engine.{other}"
                for other in imported(path)
                if place.get(other, -1) > place[room]
            ]
    assert wrong == []


def test_only_compose_imports_hydra() -> None:
    importers = {
        str(path.relative_to(ROOT))
        for path in (*ENGINE.rglob("*.py"), *(ROOT / "plugins").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.Import) and any(a.name.split(".")[0] == "hydra" for a in node.names))
        or (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "hydra")
    }
    assert importers == {"engine/config/compose.py"}


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import engine", ("numba", "xgboost", "pyarrow", "hydra", "sklearn", "numpy")),
        ("from engine.cli.main import main", ("numba", "xgboost", "pyarrow", "hydra", "sklearn", "rich")),
        ("import engine; engine.compose(['pipeline=flights'])", ("numba", "xgboost", "pyarrow", "sklearn")),
    ],
)
def test_nothing_heavy_is_imported_early(statement: str, absent: tuple[str, ...]) -> None:
    code = f"{statement}\nimport sys\nprint([m for m in {absent!r} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
