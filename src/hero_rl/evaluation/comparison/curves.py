"""Averages against the training step: one line a method, a band for its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hero_rl.errors import ConfigError
from hero_rl.evaluation.comparison.runs import Run
from hero_rl.evaluation.comparison.values import Column, Values, columns_of, common_problems
from hero_rl.evaluation.statistics import Estimate
from hero_rl.files.whole import replacing
from hero_rl.pages import drawing_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Curve", "Theme", "curves_of", "draw_curves", "write_curves"]

Theme = Literal["light", "dark"]

# After Okabe and Ito's palette, told apart by colour-blind readers, in tones that stand out from the page; a method has
# a shape of its own too.
_COLOURS = {
    "light": ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#B07A00", "#882255", "#5f6368"),
    "dark": ("#FF8A3D", "#56B4E9", "#2BC79A", "#E9A0C9", "#F0C845", "#D08CFF", "#bdc1c6"),
}
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_PAGE = {"light": ("#202124", "#ffffff"), "dark": ("#e8eaed", "#1b1c1f")}
_DASHES: tuple[Any, ...] = ((0, (4, 2)), (0, (1, 1.5)), (0, (6, 1.5, 1, 1.5)))
_FEW = 10  # steps that are all named on their axis
_SUFFIXES = (".svg", ".png", ".pdf")


@dataclass(frozen=True)
class Curve:
    """One method in one panel.

    Attributes:
        name: the method's.
        points: its steps and numbers in order; the step is None of a method that has none, which is drawn as a level.
    """

    name: str
    points: tuple[tuple[int | None, Estimate], ...]


def curves_of(
    runs: Sequence[Run], *, metric: str = "pass@1", common: bool = False, seed: int = 0
) -> dict[Column, list[Curve]]:
    """The lines of each panel: the average of each kind, or its one benchmark.

    Raises:
        ConfigError: no method has two steps.
    """
    steps: dict[str, set[int]] = {}
    for run in runs:
        steps.setdefault(run.name, set()).update([] if run.step is None else [run.step])
    if not any(len(found) > 1 for found in steps.values()):
        raise ConfigError(
            "--curves: no method has runs at two steps; hero eval --step N says at which step a model was"
        )
    values = Values(common_problems(runs, common), metric, seed)
    panels: dict[str, Column] = {column.kind: column for column in columns_of(runs)}  # the average is the last
    return {column: _curves(runs, column, values) for column in panels.values()}


def _curves(runs: Sequence[Run], column: Column, values: Values) -> list[Curve]:
    curves = []
    for name in dict.fromkeys(run.name for run in runs):
        mine = sorted((run for run in runs if run.name == name), key=lambda run: -1 if run.step is None else run.step)
        points = [(run.step, values.estimate(run, column)) for run in mine]
        curves.append(Curve(name, tuple((step, found) for step, found in points if found is not None)))
    return curves


def write_curves(panels: dict[Column, list[Curve]], path: Path, metric: str = "pass@1") -> list[Path]:
    """Draw for a light page and, with `-dark` in the name, for a dark one; returns both paths.

    Raises:
        ConfigError: the name does not end in .svg, .png or .pdf.
    """
    if path.suffix not in _SUFFIXES:
        raise ConfigError(f"--curves: {path}: the name must end in one of {', '.join(_SUFFIXES)}")
    import matplotlib

    themes: tuple[Theme, ...] = ("light", "dark")
    written = []
    for theme in themes:
        target = path if theme == "light" else path.with_stem(f"{path.stem}-dark")
        figure = draw_curves(panels, metric, theme)
        same: Any = {"Date": None} if path.suffix == ".svg" else {"CreationDate": None} if path.suffix == ".pdf" else {}
        with matplotlib.rc_context({"svg.hashsalt": "hero-rl"}), replacing(target) as file:
            figure.savefig(file, format=path.suffix[1:], dpi=160, metadata=same)
        written.append(target)
    return written


def draw_curves(panels: dict[Column, list[Curve]], metric: str = "pass@1", theme: Theme = "light") -> Figure:
    """A panel a kind of benchmark, the methods' names below."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    ink, page = _PAGE[theme]
    with drawing_style(ink):
        figure = Figure(
            figsize=(4.6 * len(panels) + 0.4, 4),
            facecolor=page,
            layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.1, wspace=0.05),
        )
        all_axes = figure.subplots(1, len(panels), squeeze=False)[0]
        for axes, (column, curves) in zip(all_axes, panels.items(), strict=True):
            _draw_panel(axes, column, curves, metric, theme)
        handles: dict[Any, Any] = {}
        for axes in all_axes:
            for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
                handles.setdefault(label, handle)
        legend = figure.legend(
            handles.values(), handles.keys(), loc="outside lower center", ncols=min(len(handles), 5), frameon=False
        )
        for text in legend.get_texts():
            text.set_parse_math(False)
    return figure


def _draw_panel(axes: Axes, column: Column, curves: Sequence[Curve], metric: str, theme: Theme) -> None:
    ink, _ = _PAGE[theme]
    levels = 0
    for place, curve in enumerate(curves):
        label = f" {curve.name}"  # matplotlib leaves out what begins with an underscore
        colour = _COLOURS[theme][place % len(_COLOURS[theme])]
        stepped = [(step, found) for step, found in curve.points if step is not None]
        if stepped:
            _draw_line(axes, label, stepped, colour, _MARKERS[place % len(_MARKERS)])
        elif curve.points:
            level = _percent(curve.points[0][1].value)
            axes.axhline(level, color=ink, alpha=0.65, linewidth=1.2, linestyle=_DASHES[levels % 3], label=label)
            levels += 1
    what = f"average of {len(column.benchmarks)} benchmarks" if column.is_average else column.label
    axes.set_title(f"{metric} in %, {what} ({column.kind} to verify)", loc="left", parse_math=False)
    axes.set_xlabel("training step (bands: 95% over problems)")
    axes.margins(x=0.03)
    steps = sorted({step for curve in curves for step, _ in curve.points if step is not None})
    if len(steps) <= _FEW:
        axes.set_xticks(steps)
    axes.grid(axis="y", color=ink, alpha=0.14, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)


def _draw_line(axes: Axes, label: str, points: Sequence[tuple[int, Estimate]], colour: str, marker: str) -> None:
    steps = [step for step, _ in points]
    values = [_percent(found.value) for _, found in points]
    # Without an interval the band has no height.
    low = [_percent(found.value if found.low is None else found.low) for _, found in points]
    high = [_percent(found.value if found.high is None else found.high) for _, found in points]
    axes.fill_between(steps, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.plot(steps, values, color=colour, marker=marker, markersize=5, linewidth=1.8, label=label)


def _percent(share: float | None) -> float:
    assert share is not None  # a point without a number is no point
    return 100 * share
