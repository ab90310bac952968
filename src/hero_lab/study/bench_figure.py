"""The bench at a glance: a field for each rule and reward model, blue where the rule gains and orange where it loses.

draw_gains({("HERO", "strong"): [3.9, 4.2]}, Path("bench.svg"))
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hero_lab.study.plan import RULES
from hero_lab.study.qualities import QUALITIES, Quality
from hero_rl.files.whole import replacing
from hero_rl.pages import drawing_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Gains", "draw_gains"]

Gains = dict[tuple[str, Quality], list[float]]
"""Points over the verifier alone, one for each pipeline, by rule and reward model."""

_INK = "#202124"
_FULL = 15.0  # points from which on a colour is at its deepest
_PALE = 0.55  # share of the depth up to which dark letters can be read


def draw_gains(gains: Gains, path: Path) -> None:
    """Write the figure as SVG: in each field the mean, and under it the worst pipeline. Empty fields did not run."""
    import matplotlib

    with drawing_style(_INK):
        figure = _drawn(gains)
        with matplotlib.rc_context({"svg.hashsalt": path.name}), replacing(path) as file:
            # A ground of its own, since the letters are dark and the page may be.
            figure.savefig(file, format="svg", facecolor="white", metadata={"Date": None})


def _drawn(gains: Gains) -> Figure:
    from matplotlib.figure import Figure

    rules = [rule for rule in RULES if any(rule == other for other, _ in gains)]
    qualities = [quality for quality in QUALITIES if any(quality == other for _, other in gains)]
    figure = Figure(figsize=(2.2 + 0.82 * len(qualities), 0.9 + 0.42 * len(rules)), layout="constrained")
    axes = figure.subplots()
    for (rule, quality), points in gains.items():
        if points:
            _draw_field(axes, qualities.index(quality), rules.index(rule), points)
    axes.set_xlim(-0.5, max(len(qualities), 1) - 0.5)
    axes.set_ylim(max(len(rules), 1) - 0.5, -0.5)
    axes.set_xticks(range(len(qualities)), qualities)
    axes.set_yticks(range(len(rules)), rules)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    several = any(len(points) > 1 for points in gains.values())
    worst = "; in brackets the worst pipeline" if several else ", one pipeline each"
    axes.set_xlabel(f"hard prompts, sampled: points over verifier only{worst}")
    return figure


def _draw_field(axes: Axes, x: int, y: int, points: list[float]) -> None:
    import matplotlib

    mean = sum(points) / len(points)
    depth = max(-1.0, min(1.0, mean / _FULL))
    colour = matplotlib.colormaps["PuOr"](0.5 + depth / 2)
    axes.fill_between([x - 0.48, x + 0.48], y - 0.46, y + 0.46, color=colour, linewidth=0)
    ink = "white" if abs(depth) > _PALE else _INK
    several = len(points) > 1
    axes.text(x, y - (0.16 if several else 0), f"{mean:+.1f}", ha="center", va="center", color=ink)
    if several:
        axes.text(x, y + 0.24, f"({min(points):+.1f})", ha="center", va="center", color=ink, fontsize="x-small")
