"""A figure as a plot: one bar for each of those that were measured, with the spread of the rounds and the goal."""

from __future__ import annotations

import re
import statistics
from html import escape
from pathlib import Path

from figures import OURS, Figure, spread

_WIDTH, _LEFT, _BAR, _GAP, _TOP = 720, 190, 24, 12, 56
_SPAN = _WIDTH - _LEFT - 150


def draw(figure: Figure, folder: Path) -> Path:
    """Write the plot, as SVG; its name comes from the figure's."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (re.sub(r"[^a-z0-9]+", "-", figure.name.lower()).strip("-") + ".svg")
    path.write_text(_svg(figure), encoding="utf-8")
    return path


def _svg(figure: Figure) -> str:
    most = max([max(values) for values in figure.rounds.values()] + [figure.goal or 0])
    x = lambda value: _LEFT + value / most * _SPAN  # noqa: E731  # one scale for all that follows
    height = _TOP + len(figure.rounds) * (_BAR + _GAP) + 20
    better = "less is better" if figure.better == "low" else "more is better"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}"',
        ' font-family="sans-serif" font-size="14">',
        f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>',
        f'<text x="16" y="28" font-weight="600">{escape(figure.name)} ({escape(figure.unit)}, {better})</text>',
    ]
    for row, (who, values) in enumerate(figure.rounds.items()):
        top = _TOP + row * (_BAR + _GAP)
        middle = top + _BAR / 2
        wide = x(statistics.median(values)) - _LEFT
        colour = "#1d4ed8" if who.startswith(OURS) else "#9aa3af"
        parts += [
            f'<text x="{_LEFT - 10}" y="{middle + 5}" text-anchor="end">{escape(who)}</text>',
            f'<rect x="{_LEFT}" y="{top}" width="{wide:.1f}" height="{_BAR}" fill="{colour}"/>',
            f'<path d="M{x(min(values)):.1f} {middle}H{x(max(values)):.1f}" stroke="#111" stroke-width="2"/>',
            f'<text x="{x(max(values)) + 8:.1f}" y="{middle + 5}">{escape(spread(values))}</text>',
        ]
    if figure.goal is not None:
        parts.append(
            f'<path d="M{x(figure.goal):.1f} {_TOP - 8}V{height - 12}" stroke="#b91c1c" stroke-dasharray="4 3"/>'
            f'<text x="{x(figure.goal) + 4:.1f}" y="{_TOP - 10}" fill="#b91c1c">goal {figure.goal:g}</text>'
        )
    return "\n".join(parts) + "\n</svg>\n"
