"""A study's figures: learning curves, and what each rule makes of each reward model; in light and dark."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hero_lab.arena.results import START
from hero_lab.study.estimates import Gap, Selection, gap_of
from hero_lab.study.plan import PARTS
from hero_lab.study.qualities import QUALITIES
from hero_rl.files.whole import replacing
from hero_rl.pages import drawing_style

if TYPE_CHECKING:
    import numpy as np
    import pandas
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["CAPTIONS", "write_figures"]

_INK = {"light": "#202124", "dark": "#e8eaed"}
# Okabe and Ito's palette, told apart by colour-blind readers, each with a mark of its own besides.
_STYLES = {
    "verifier only": ("#0072B2", "s"),
    "RM only": ("#009E73", "^"),
    "weighted sum 0.5": ("#CC79A7", "D"),
    "HERO": ("#D55E00", "o"),
    "gated HERO": ("#E69F00", "v"),
}


_QUALITY_COLOURS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6D31", "#7A7A7A")
_QUALITY_STYLES = {
    quality: (colour, mark) for quality, colour, mark in zip(QUALITIES, _QUALITY_COLOURS, "osDv^<>p", strict=True)
}

CAPTIONS = {
    "curves": "Accuracy by the oracle on 200 development prompts of each kind while training: mean over seeds, shaded "
    "from the least to the greatest seed. Strong reward model.",
    "qualities": "Points over the verifier alone on hard prompts, sampled, trained on hard-to-verify prompts: each "
    "small mark a pipeline, the large one their mean. What lies below the figure stands at its lower edge, a mean with "
    "its number.",
    "trust": "What gated HERO saw of each reward model (AUROC against the verifier in mixed groups of the batch) and "
    "the trust that it gave, means of ten steps: mean over seeds, shaded from the least to the greatest seed.",
}
"""What each figure shows, by its name."""

# Points below the verifier alone at which the figure ends: what collapsed would flatten the rest.
_LOWEST = -15


def write_figures(frame: pandas.DataFrame, folder: Path) -> list[Path]:
    """Draw every figure that the table has cells for, as `study-*.svg` and `study-*-dark.svg`."""
    paths = []
    for name, draw in (("curves", _curves), ("qualities", _qualities), ("trust", _trust)):
        for theme in ("light", "dark"):
            with drawing_style(_INK[theme]):
                figure = draw(frame)
            if figure is None:
                break
            path = folder / f"study-{name}{'' if theme == 'light' else '-dark'}.svg"
            _save(figure, path)
            paths.append(path)
    return paths


def _save(figure: Figure, path: Path) -> None:
    import matplotlib

    # The same bytes every time.
    with matplotlib.rc_context({"svg.hashsalt": path.name, "svg.fonttype": "none"}), replacing(path) as file:
        figure.savefig(file, format="svg", metadata={"Date": None}, transparent=True)


def _figure(columns: int, rows: int = 1) -> tuple[Figure, np.ndarray]:
    """An empty figure and its axes, (rows, columns)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.2 * columns, 2.7 * rows + 0.5), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, sharex=True, sharey="row")


def _curves(frame: pandas.DataFrame) -> Figure | None:
    """Accuracy by the oracle against step: a column a regime, a row a kind of held-out prompts."""
    regimes = [r for r in PARTS["main"][0].regimes if len(Selection("HERO", r).values(frame, "curve", "hard")) > 0]
    if not regimes:
        return None
    figure, grid = _figure(len(regimes), rows=2)
    for row, kind in zip(grid, ("hard", "easy"), strict=True):
        for axes, regime in zip(row, regimes, strict=True):
            for rule in (rule for rule in PARTS["main"][0].rules if rule != START):
                _draw_band(axes, frame, Selection(rule, regime), "curve", kind, _STYLES[rule], rule, scale=100)
            _plain(axes)
        row[0].set_ylabel(f"{kind} prompts, sampled, %")
    for axes, regime in zip(grid[0], regimes, strict=True):
        axes.set_title(f"trained on {regime} prompts")
    for axes in grid[-1]:
        axes.set_xlabel("step")
    _legend(figure, grid[0][0])
    return figure


def _qualities(frame: pandas.DataFrame) -> Figure | None:
    """Difference from verifier-only on hard prompts, reward model by reward model; what collapsed is written below."""
    rules = ("RM only", "weighted sum 0.5", "HERO", "gated HERO")
    present = [q for q in QUALITIES if _gaps(frame, "gated HERO", q)]
    if len(present) < 2:
        return None
    figure, grid = _figure(1)
    figure.set_size_inches(8, 4.2)
    axes = grid[0][0]
    for place, rule in enumerate(rules):
        points = [(i + (place - 1.5) * 0.2, gap) for i, q in enumerate(present) if (gap := _gaps(frame, rule, q))]
        for number, (x, gap) in enumerate(points):
            _draw_gap(axes, x, gap, rule, first=number == 0)
    axes.axhline(0, color="#9aa0a6", linewidth=1)
    axes.set_ylim(bottom=_LOWEST - 1)
    axes.set_xticks(range(len(present)), present)
    axes.set_xlabel("reward model")
    axes.set_ylabel("hard prompts, sampled:\npoints over verifier only")
    _plain(axes)
    _legend(figure, axes)
    return figure


def _draw_gap(axes: Axes, x: float, gap: Gap, rule: str, first: bool) -> None:
    """Every pipeline as a small mark, their mean as a large one; what lies below the figure at its lower edge."""
    colour, mark = _STYLES[rule]
    each = [max(100 * difference, _LOWEST) for difference in gap.differences]
    mean = 100 * gap.estimate.mean
    axes.plot([x] * len(each), each, mark, color=colour, markersize=3, alpha=0.6)
    axes.plot([x], [max(mean, _LOWEST)], mark, color=colour, markersize=8, label=rule if first else None)
    if mean < _LOWEST:
        axes.annotate(f"{mean:.0f}", (x, _LOWEST), (0, 7), textcoords="offset points", ha="center", fontsize="small")


def _gaps(frame: pandas.DataFrame, rule: str, quality: str):
    return gap_of(frame, Selection(rule, quality=quality), Selection("verifier only"), "sampled", "hard")


def _trust(frame: pandas.DataFrame) -> Figure | None:
    """The gated rule's trust, and the AUROC that it follows, against step."""
    all_of_them = {quality: Selection.of("gated HERO", quality) for quality in QUALITIES}
    seen = {quality: selection for quality, selection in all_of_them.items() if len(selection.values(frame, "trust"))}
    if not seen:
        return None
    figure, grid = _figure(2)
    for axes, measure, title in zip(
        grid[0], ("rm_auroc", "trust"), ("AUROC against the verifier", "trust in the reward model"), strict=True
    ):
        for quality, selection in seen.items():
            _draw_band(axes, frame, selection, measure, "", _QUALITY_STYLES[quality], quality)
        axes.set_title(title)
        axes.set_ylim(-0.03, 1.03)
        axes.set_xlabel("step")
        _plain(axes)
    figure.set_size_inches(8, 3.8)
    _legend(figure, grid[0][0])
    return figure


def _draw_band(
    axes: Axes,
    frame: pandas.DataFrame,
    selection: Selection,
    measure: str,
    kind: str,
    style: tuple[str, str],
    label: str,
    scale: float = 1,
) -> None:
    """Mean over seeds as a line with marks, the range of the seeds behind it."""
    table = scale * selection.by_step(frame, measure, kind)
    if table.empty:
        return
    colour, mark = style
    steps = list(table.columns)
    axes.plot(steps, table.mean(), color=colour, marker=mark, markersize=4, label=label)
    axes.fill_between(steps, table.min(), table.max(), color=colour, alpha=0.15, linewidth=0)


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.2)


def _legend(figure: Figure, axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, fontsize="small")
