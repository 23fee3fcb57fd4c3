"""One HTML file that holds all it shows: text, tables and charts, in light and dark, nothing fetched.

Texts that come from data are escaped where they are put in: `text` for HTML, `label` for a chart, and a
figure's JSON holds no character that could end its script.
"""

from __future__ import annotations

import html
import json
import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_LONGEST = 60
"""Characters of a text in a chart."""


@dataclass(frozen=True)
class Chart:
    """A chart, as Plotly takes it.

    Parameters
    ----------
    title : str
    note : str
        A sentence on how to read it.
    data : sequence of mapping
        Traces. A colour such as ``var(--c1)`` is one of the page's, and changes with light and dark.
    layout : mapping
    wide : bool
        Whether it takes the page's whole width.
    """

    title: str
    note: str
    data: Sequence[Mapping[str, Any]]
    layout: Mapping[str, Any] = field(default_factory=dict)
    wide: bool = False


def text(value: object) -> str:
    """A value as text of an HTML page.

    >>> text("<b>")
    '&lt;b&gt;'
    """
    return html.escape(str(value))


def label(value: object) -> str:
    """A value as text of a chart: Plotly reads some HTML in it.

    >>> label("<b>")
    '&lt;b&gt;'
    """
    shown = str(value)
    return html.escape(shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…", quote=False)


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, names: int = 1) -> str:
    """Cells as an HTML table; all but the first ``names`` columns hold numbers."""

    def line(cells: Sequence[str], tag: str) -> str:
        made = [
            f"<{tag}{'' if i < names else ' class=n'}>{text(cell)}</{tag}>" for i, cell in enumerate(cells)
        ]
        return f"<tr>{''.join(made)}</tr>"

    top = f"<thead>{line(head, 'th')}</thead>" if head else ""
    body = "".join(line(row, "td") for row in rows)
    return f"<div class=scroll><table>{top}<tbody>{body}</tbody></table></div>"


def page(title: str, body: str, charts: Sequence[Chart]) -> str:
    """The whole page.

    Parameters
    ----------
    title : str
        Plain text.
    body : str
        HTML, shown above the charts.
    charts : sequence of Chart
    """
    from plotly.offline import get_plotlyjs

    figures = []
    places = []
    for number, chart in enumerate(charts):
        name = f"chart-{number}"
        wide = " class=wide" if chart.wide else ""
        places.append(
            f"<figure{wide}><figcaption><h3>{text(chart.title)}</h3><p>{text(chart.note)}</p></figcaption>"
            f'<div id="{name}" class=chart></div></figure>'
        )
        figures.append({"id": name, "data": list(chart.data), "layout": dict(chart.layout)})
    return _PAGE.format(
        title=text(title),
        style=_STYLE,
        body=body,
        charts="\n".join(places),
        library=get_plotlyjs() if charts else "",
        figures=_json(figures),
        script=_SCRIPT,
    )


def write(path: Path, content: str) -> None:
    """Put a page into a file, at once; what was there is replaced."""
    part = path.absolute().with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.part")
    try:
        with part.open("x", encoding="utf-8", errors="replace") as file:
            file.write(content)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _json(value: Any) -> str:
    """JSON that can stand in a script: without NaN, and without what HTML reads."""
    made = json.dumps(_plain(value), allow_nan=False, separators=(",", ":"))
    for sign in "<>&":
        made = made.replace(sign, f"\\u{ord(sign):04x}")
    return made


def _plain(value: Any) -> Any:
    """Arrays as lists, six digits of each number, null for what is none."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; \
style-src 'unsafe-inline'; img-src data: blob:">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
{body}
<section class=charts>
{charts}
</section>
</main>
<noscript>The charts need JavaScript; it is in this file, and fetches nothing.</noscript>
<script>{library}</script>
<script type="application/json" id="figures">{figures}</script>
<script>{script}</script>
</body>
</html>
"""

_STYLE = """
:root { --page: #f6f7f9; --panel: #ffffff; --text: #1d2430; --soft: #5d6776; --line: #dde1e7;
  --c1: #2563b8; --c2: #c2570c; --c3: #15803d; --c4: #7c3aed; --none: rgba(0,0,0,0); }
@media (prefers-color-scheme: dark) {
  :root { --page: #14171c; --panel: #1d2128; --text: #e4e8ee; --soft: #9aa5b4; --line: #343b46;
    --c1: #6ea8f7; --c2: #f29a4f; --c3: #58c27d; --c4: #b79bf9; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 28px 20px 60px; }
h1 { font-size: 26px; margin: 0 0 2px; overflow-wrap: anywhere; }
h2 { font-size: 18px; margin: 30px 0 8px; }
h3 { font-size: 15px; margin: 0; }
p { margin: 2px 0 8px; color: var(--soft); }
code { font: 13px ui-monospace, monospace; overflow-wrap: anywhere; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 340px), 1fr)); gap: 0 24px; }
.scroll { overflow-x: auto; background: var(--panel); border: 1px solid var(--line); border-radius: 8px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 5px 12px; border-bottom: 1px solid var(--line); white-space: nowrap; }
td:first-child { white-space: normal; overflow-wrap: anywhere; }
tr:last-child td { border-bottom: 0; }
th { color: var(--soft); font-weight: 600; font-size: 13px; }
.n { text-align: right; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 480px), 1fr)); gap: 16px;
  margin-top: 30px; }
figure { margin: 0; padding: 14px 14px 6px; background: var(--panel); border: 1px solid var(--line);
  border-radius: 8px; min-width: 0; }
figure.wide { grid-column: 1 / -1; }
.chart { height: 380px; }
"""

_SCRIPT = """
const figures = JSON.parse(document.getElementById("figures").textContent);
const look = () => {
  const style = getComputedStyle(document.documentElement);
  const colour = (value) => {
    const found = typeof value === "string" && value.match(/^var\\((--[a-z0-9]+)\\)$/);
    return found ? style.getPropertyValue(found[1]).trim() : value;
  };
  const dress = (value, key) => {
    if (Array.isArray(value)) return value.map((inner) => dress(inner, key));
    if (value !== null && typeof value === "object")
      return Object.fromEntries(Object.entries(value).map(([k, inner]) => [k, dress(inner, k)]));
    return /color(scale)?$/.test(key) ? colour(value) : value;
  };
  const axis = { gridcolor: "var(--line)", linecolor: "var(--line)", zerolinecolor: "var(--line)",
    automargin: true };
  for (const { id, data, layout } of figures) {
    const whole = { paper_bgcolor: "var(--none)", plot_bgcolor: "var(--none)",
      font: { color: "var(--text)", family: "system-ui, sans-serif", size: 12 },
      hoverlabel: { bgcolor: "var(--panel)", bordercolor: "var(--line)", font: { color: "var(--text)" } },
      margin: { l: 60, r: 16, t: 12, b: 48 },
      legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 }, ...layout };
    for (const name of new Set(["xaxis", "yaxis", ...Object.keys(layout).filter((k) => /^[xy]axis/.test(k))]))
      whole[name] = { ...axis, ...(layout[name] || {}) };
    Plotly.react(id, dress(data, ""), dress(whole, ""), { displayModeBar: false, responsive: true });
  }
};
look();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", look);
document.body.dataset.drawn = String(figures.length);
"""
