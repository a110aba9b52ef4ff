"""Sparklines: small curves as SVG, made here, with their meaning in words."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

_WIDTH, _HEIGHT = 120, 24


def sparkline(values: Sequence[float], *, slots: int, label: str) -> Markup:
    """
    Return a curve from the oldest value to the newest, which is at the right edge.

    Args:
        slots: The number of values that fill the width.
        label: The curve in words, for screen readers and on hover.
    """
    top = max([*values, 1.0])
    step = _WIDTH / max(slots - 1, 1)
    left = _WIDTH - step * (len(values) - 1)
    points = [
        (left + step * place, _HEIGHT - 1 - (_HEIGHT - 3) * value / top)
        for place, value in enumerate(values)
    ]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    area = f"{left:.1f},{_HEIGHT} {line} {_WIDTH},{_HEIGHT}" if points else ""
    return Markup(
        '<svg class="spark" viewBox="0 0 {w} {h}" preserveAspectRatio="none" role="img"'
        ' aria-label="{label}"><title>{label}</title>'
        '<polygon points="{area}" fill="currentColor" fill-opacity="0.15"/>'
        '<polyline points="{line}" fill="none" stroke="currentColor" stroke-width="1.5"/></svg>'
    ).format(w=_WIDTH, h=_HEIGHT, label=label, area=area, line=line)
