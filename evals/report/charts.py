"""Charts as inline SVG: no script, readable by screen readers, in the colours of the page."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup, escape

from evals.metrics.calibration import Bin, Point
from evals.record import Estimate

_SIZE, _LEFT, _BOTTOM, _TOP, _RIGHT = 300, 44, 40, 12, 12
"""Of a square plot, in units of the picture."""
_ROW, _NAMES, _BAR = 26, 190, 360
_HISTOGRAM_BINS = 12
_DASHES = ("0", "7 3", "2 3", "9 3 2 3")
_STYLE = (
    "<style>text{font:11px sans-serif;fill:#222}.line{fill:none;stroke:#1f5f8b;stroke-width:2}"
    ".whisker,.axis{fill:none;stroke:#777;stroke-width:1}</style>"
)


def intervals(rows: Sequence[tuple[str, Estimate, Estimate | None]]) -> Markup:
    """Dot and whisker for each metric from 0 to 1; the other run's as a hollow dot below."""
    shown = [row for row in rows if row[1].value is not None and 0 <= row[1].value <= 1]
    if not shown:
        return Markup("")
    height = _ROW * len(shown) + 30
    parts = [_scale(height)]
    for number, (name, found, other) in enumerate(shown):
        y = _ROW * number + _ROW / 2
        parts.append(f'<text x="{_NAMES - 12}" y="{y + 4:.1f}" text-anchor="end">{escape(name)}</text>')
        if other is not None and other.value is not None and 0 <= other.value <= 1:
            parts.append(_whisker(other, y + 6, "other"))
        parts.append(_whisker(found, y, "dot"))
    words = "; ".join(f"{name} {found.value:.3f}" for name, found, _ in shown if found.value is not None)
    return _svg("Metrics with 95 % intervals", words, _NAMES + _BAR + 20, height, parts)


def _scale(height: float) -> str:
    lines = []
    for tenth in (0, 25, 50, 75, 100):
        x = _NAMES + _BAR * tenth / 100
        lines.append(f'<path class="grid" d="M{x:.1f} 0V{height - 26}"/>')
        lines.append(f'<text class="tick" x="{x:.1f}" y="{height - 10}" text-anchor="middle">{tenth / 100:g}</text>')
    return "".join(lines)


def _whisker(found: Estimate, y: float, kind: str) -> str:
    assert found.value is not None
    x = _NAMES + _BAR * found.value
    low, high = (value if value is not None else found.value for value in (found.low, found.high))
    ends = _NAMES + _BAR * max(0, low), _NAMES + _BAR * min(1, high)
    line = f'<path class="whisker {kind}" d="M{ends[0]:.1f} {y:.1f}H{ends[1]:.1f}"/>'
    return f'{line}<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="{5 if kind == "dot" else 3.5}"/>'


def reliability(bins: Sequence[Bin]) -> Markup:
    """Accuracy against mean confidence, a dot for each tenth with its interval and its count."""
    if not bins:
        return Markup("")
    parts = [_axes("confidence", "right"), f'<path class="ideal" d="M{_x(0)} {_y(0)}L{_x(1)} {_y(1)}"/>']
    for one in bins:
        x, y = _x(one.confidence), _y(one.accuracy)
        parts.append(f'<path class="whisker dot" d="M{x} {_y(one.accuracy_low)}V{_y(one.accuracy_high)}"/>')
        parts.append(f'<circle class="dot" cx="{x}" cy="{y}" r="5"/>')
        parts.append(f'<text class="tick" x="{x - 8}" y="{y + 4}" text-anchor="end">{one.n}</text>')
    words = "; ".join(f"confidence {one.confidence:.2f}, right {one.accuracy:.2f}, {one.n} cases" for one in bins)
    return _svg("Reliability: how often a verdict of a given confidence is right", words, _SIZE, _SIZE, parts)


def coverage(points: Sequence[Point]) -> Markup:
    """Accuracy when only the surest share of cases is answered."""
    if not points:
        return Markup("")
    line = "L".join(f"{_x(point.coverage)} {_y(point.accuracy)}" for point in points)
    parts = [_axes("share answered, surest first", "right"), f'<path class="line" d="M{line}"/>']
    half = min(points, key=lambda point: abs(point.coverage - 0.5))
    words = f"At {half.coverage:.0%} of cases {half.accuracy:.2f} are right; at all {points[-1].accuracy:.2f}."
    return _svg("Risk and coverage", words, _SIZE, _SIZE, parts)


def retrieval(recalls: Sequence[tuple[int, float]]) -> Markup:
    """Recall at each depth."""
    if len(recalls) < 2:
        return Markup("")
    deepest = max(depth for depth, _ in recalls)
    places = [(_x(depth / deepest), _y(value)) for depth, value in recalls]
    line = "L".join(f"{x} {y}" for x, y in places)
    dots = "".join(f'<circle class="dot" cx="{x}" cy="{y}" r="4"/>' for x, y in places)
    axes = _axes("documents looked at", "gold found", ticks=[(depth / deepest, str(depth)) for depth, _ in recalls])
    words = "; ".join(f"recall at {depth}: {value:.2f}" for depth, value in recalls)
    return _svg("Recall by depth", words, _SIZE, _SIZE, [axes, f'<path class="line" d="M{line}"/>', dots])


def curves(title: str, across: str, rows: Sequence[tuple[str, Sequence[tuple[float, Estimate]]]]) -> Markup:
    """Shares with whiskers over a count, one line a row; it stands alone, so it brings its own style."""
    values = sorted({x for _, points in rows for x, _ in points})
    if len(values) < 2:
        return Markup("")
    place = {x: _x(number / (len(values) - 1)) for number, x in enumerate(values)}
    parts = [_STYLE, _axes(across, "share", ticks=[(n / (len(values) - 1), f"{x:g}") for n, x in enumerate(values)])]
    for number, (name, points) in enumerate(rows):
        known = [(place[x] + 3 * number, found) for x, found in points if found.value is not None]
        line = "L".join(f"{x:.1f} {_y(found.value or 0)}" for x, found in known)
        parts.append(f'<path class="line" style="stroke-dasharray:{_DASHES[number % len(_DASHES)]}" d="M{line}"/>')
        parts += [f'<path class="whisker" d="M{x:.1f} {_y(f.low or 0)}V{_y(f.high or 0)}"/>' for x, f in known]
        y = _TOP + 14 * (number + 1)
        dash = _DASHES[number % len(_DASHES)]
        parts.append(f'<path class="line" style="stroke-dasharray:{dash}" d="M{_LEFT + 12} {y - 4}h26"/>')
        parts.append(f'<text x="{_LEFT + 44}" y="{y}">{escape(name)}</text>')
    words = "; ".join(
        f"{name}: {', '.join(f'{x:g} {f.value:.2f}' for x, f in p if f.value is not None)}" for name, p in rows
    )
    return _svg(title, words, _SIZE, _SIZE, parts)


def seconds(values: Sequence[float]) -> Markup:
    """How long cases took, on a scale of logarithms."""
    logs = [math.log10(max(value, 0.001)) for value in values]
    if not logs or max(logs) - min(logs) < 1e-9:
        return Markup("")
    low, width = min(logs), (max(logs) - min(logs)) / _HISTOGRAM_BINS
    counts = [0] * _HISTOGRAM_BINS
    for value in logs:
        counts[min(_HISTOGRAM_BINS - 1, int((value - low) / width))] += 1
    step = (_x(1) - _x(0)) / _HISTOGRAM_BINS
    bars = "".join(
        f'<rect class="bar" x="{_x(0) + number * step + 1:.1f}" y="{_y(count / max(counts)):.1f}"'
        f' width="{step - 2:.1f}" height="{_y(0) - _y(count / max(counts)):.1f}"/>'
        for number, count in enumerate(counts)
    )
    ends = [(0.0, f"{10**low:.2g} s"), (1.0, f"{10 ** max(logs):.2g} s")]
    words = f"{len(values)} cases, from {10**low:.2g} to {10 ** max(logs):.2g} seconds"
    return _svg("Seconds a case", words, _SIZE, _SIZE, [_axes("seconds", "cases", ticks=ends, numbers=False), bars])


def _x(share: float) -> float:
    return round(_LEFT + (_SIZE - _LEFT - _RIGHT) * share, 1)


def _y(share: float) -> float:
    return round(_TOP + (_SIZE - _TOP - _BOTTOM) * (1 - share), 1)


def _axes(across: str, upward: str, *, ticks: Sequence[tuple[float, str]] | None = None, numbers: bool = True) -> str:
    fifths = [(share, f"{share:g}") for share in (0, 0.5, 1)]
    parts = [f'<path class="axis" d="M{_x(0)} {_y(1)}V{_y(0)}H{_x(1)}"/>']
    for share, name in fifths if ticks is None else ticks:
        anchor = "end" if share > 0.95 else "start" if share < 0.02 else "middle"
        place = f'x="{_x(share)}" y="{_y(0) + 15}" text-anchor="{anchor}"'
        parts.append(f'<text class="tick" {place}>{escape(name)}</text>')
    for share, name in fifths if numbers else ():
        parts.append(f'<text class="tick" x="{_x(0) - 6}" y="{_y(share) + 4}" text-anchor="end">{name}</text>')
    middle = (_y(0) + _y(1)) / 2
    parts.append(f'<text x="{(_x(0) + _x(1)) / 2}" y="{_SIZE - 6}" text-anchor="middle">{escape(across)}</text>')
    turned = f'x="12" y="{middle}" text-anchor="middle" transform="rotate(-90 12 {middle})"'
    return "".join(parts) + f"<text {turned}>{escape(upward)}</text>"


def _svg(title: str, words: str, width: float, height: float, parts: Sequence[str]) -> Markup:
    body = f"<title>{escape(title)}</title><desc>{escape(words)}</desc>{''.join(parts)}"
    box = f'viewBox="0 0 {width:g} {height:g}"'
    return Markup(f'<svg class="chart" role="img" xmlns="http://www.w3.org/2000/svg" {box}>{body}</svg>')  # noqa: S704 (every text in it is escaped above)
