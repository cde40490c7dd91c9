"""Energy by day as one small SVG picture: nothing to install, and any browser or report shows it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 720, 240
LEFT, TOP, BOTTOM = 56, 34, 34
STYLE = (
    "text{font:12px sans-serif;fill:#555}.title{font-size:14px}.bar{fill:#2f7ed8}"
    ".grid{stroke:#999;stroke-opacity:.35}"
    "@media(prefers-color-scheme:dark){text{fill:#ccc}}"
)


def energy_by_day(title: str, energy_wh: Mapping[str, int], days: int) -> str:
    """Return a bar chart of the last ``days`` up to the last one that has energy; the dates are ISO 8601."""
    last = date.fromisoformat(max(energy_wh)) if energy_wh else date(1970, 1, 1)
    shown = [last - timedelta(days=back) for back in reversed(range(days))]
    kwh = [energy_wh.get(day.isoformat(), 0) / 1000 for day in shown]
    top_kwh = _round_up(max(kwh))
    step = (WIDTH - LEFT - 8) / days
    height = HEIGHT - TOP - BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" role="img">',
        f"<title>{escape(title)}</title><style>{STYLE}</style>",
        f'<text class="title" x="{LEFT}" y="20">{escape(title)}</text>',
    ]
    for share in (0.0, 0.5, 1.0):
        y = TOP + height * (1 - share)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - 8}" y1="{y:g}" y2="{y:g}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:g}" text-anchor="end">{top_kwh * share:g} kWh</text>')
    for index, (day, value) in enumerate(zip(shown, kwh, strict=True)):
        x, tall = LEFT + index * step, height * value / top_kwh
        if value:
            box = f'x="{x + step * 0.1:.1f}" y="{TOP + height - tall:.1f}" width="{step * 0.8:.1f}" height="{tall:.1f}"'
            parts.append(f'<rect class="bar" {box}><title>{day}: {value:.3f} kWh</title></rect>')
        if energy_wh and index % max(1, days // 6) == 0:
            parts.append(
                f'<text x="{x + step / 2:.1f}" y="{HEIGHT - 12}" text-anchor="middle">{day.day}.{day.month}.</text>'
            )
    return "\n".join([*parts, "</svg>", ""])


def _round_up(value: float) -> float:
    """Return the next 1, 2 or 5 times a power of ten."""
    bound = 0.01
    while True:
        for factor in (1, 2, 5):
            if bound * factor >= value:
                return bound * factor
        bound *= 10
