"""`engine stages NAME`: a plugin's documentation as text."""

from __future__ import annotations

import inspect
import textwrap

import pytest

from engine.cli.docstring import plain
from engine.cli.main import main
from engine.registry import KINDS, Registry


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind in KINDS for name in Registry().names(kind)]
)
def test_no_markup_is_left_and_examples_stay(
    kind: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["stages", name, f"kind={kind}"]) == 0
    shown = capsys.readouterr().out
    written = inspect.getdoc(Registry().load(name, kind)) or ""
    assert "--------" not in shown and "========" not in shown and "``" not in shown
    _, _, examples = written.partition("Examples\n--------\n")
    assert f"\nexamples\n{textwrap.indent(examples, '  ')}\n" in shown


WRITTEN = """Divide ``x`` by `engine.y`, or
by ``a
long word``.

Parameters
----------
x : float
    What `is` divided.

=====  =========
``a``  what
=====  =========
``x``  one thing
y      ``two``
=====  =========

>>> f("``x``")  # `as it is`
`1`
Notes
-----
End."""

SHOWN = """  Divide x by engine.y, or
  by a
  long word.

parameters
  x : float
      What is divided.

  a  what
  x  one thing
  y  two

  >>> f("``x``")  # `as it is`
  `1`
notes
  End."""


def test_what_authors_write() -> None:
    assert plain(WRITTEN) == SHOWN
    assert plain("") == ""
