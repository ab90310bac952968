"""A study's figures: learning curves, and what each rule makes of each reward model; in light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from hero_rl.arena.study.estimates import Selection, gap_of
from hero_rl.arena.study.plan import PARTS, START
from hero_rl.arena.study.qualities import QUALITIES
from hero_rl.pages import drawing_style
from hero_rl.rollouts.writers import replacing

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["write_figures"]

_INK = {"light": "#202124", "dark": "#e8eaed"}
# Okabe and Ito's palette, told apart by colour-blind readers, each with a mark of its own besides.
_STYLES = {
    "verifier only": ("#0072B2", "s"),
    "RM only": ("#009E73", "^"),
    "weighted sum 0.5": ("#CC79A7", "D"),
    "HERO": ("#D55E00", "o"),
    "gated HERO": ("#E69F00", "v"),
}


def write_figures(frame: pandas.DataFrame, folder: Path) -> list[Path]:
    """Draw every figure that the table has cells for, as `study-*.svg` and `study-*-dark.svg`."""
    paths = []
    for name, draw in (("curves", _curves), ("qualities", _qualities), ("trust", _trust)):
        for theme in ("light", "dark"):
            figure = _drawn(draw, frame, theme)
            if figure is None:
                break
            path = folder / f"study-{name}{'' if theme == 'light' else '-dark'}.svg"
            _save(figure, path)
            paths.append(path)
    return paths


def _drawn(draw, frame: pandas.DataFrame, theme: Literal["light", "dark"]) -> Figure | None:
    with drawing_style(_INK[theme]):
        return draw(frame)


def _save(figure: Figure, path: Path) -> None:
    import matplotlib

    # The same bytes every time.
    with matplotlib.rc_context({"svg.hashsalt": path.name, "svg.fonttype": "none"}), replacing(path) as file:
        figure.savefig(file, format="svg", metadata={"Date": None}, transparent=True)


def _figure(panels: int, height: float = 3.4) -> tuple[Figure, Sequence[Axes]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.6 * panels, height), layout="constrained")
    return figure, figure.subplots(1, panels, squeeze=False)[0]


def _curves(frame: pandas.DataFrame) -> Figure | None:
    """Accuracy by the oracle against step, a panel a regime and kind."""
    panels = [
        (regime, kind)
        for regime in PARTS["main"][0].regimes
        for kind in ("hard", "easy")
        if len(Selection("HERO", regime).values(frame, "curve", kind)) > 0
    ]
    if not panels:
        return None
    figure, row = _figure(len(panels))
    for axes, (regime, kind) in zip(row, panels, strict=True):
        for rule in (rule for rule in PARTS["main"][0].rules if rule != START):
            _draw_band(axes, frame, Selection(rule, regime), "curve", kind, rule, scale=100)
        axes.set_title(f"trained on {regime}, {kind} prompts")
        _plain(axes, "step")
    row[0].set_ylabel("accuracy, sampled, %")
    _legend(figure, row)
    return figure


def _qualities(frame: pandas.DataFrame) -> Figure | None:
    """Difference from verifier-only on hard prompts, reward model by reward model."""
    rules = ("RM only", "weighted sum 0.5", "HERO", "gated HERO")
    present = [q for q in QUALITIES if _gaps(frame, "gated HERO", q)]
    if len(present) < 2:
        return None
    figure, (axes,) = _figure(1, height=4.2)
    figure.set_figwidth(8)
    for place, rule in enumerate(rules):
        colour, mark = _STYLES[rule]
        points = [(i + (place - 1.5) * 0.16, gap) for i, q in enumerate(present) if (gap := _gaps(frame, rule, q))]
        if points:
            axes.errorbar(
                [x for x, _ in points],
                [100 * gap.estimate.mean for _, gap in points],
                [100 * gap.estimate.half_width for _, gap in points],
                fmt=mark,
                color=colour,
                capsize=3,
                label=rule,
            )
    axes.axhline(0, color="#9aa0a6", linewidth=1)
    axes.set_xticks(range(len(present)), present)
    axes.set_ylabel("hard prompts, sampled:\npoints over verifier only")
    _plain(axes, "reward model")
    axes.legend(frameon=False, loc="lower left")
    return figure


def _gaps(frame: pandas.DataFrame, rule: str, quality: str):
    return gap_of(frame, Selection(rule, quality=quality), Selection("verifier only"), "sampled", "hard")


def _trust(frame: pandas.DataFrame) -> Figure | None:
    """The gated rule's trust, and the AUROC that it follows, against step."""
    present = [q for q in QUALITIES if len(Selection("gated HERO", quality=q).values(frame, "trust")) > 0]
    if not present:
        return None
    figure, row = _figure(2)
    colours = ["#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#9aa0a6", "#F0E442"]
    marks = "osDv^<>P"
    for axes, measure, label in zip(
        row, ("rm_auroc", "trust"), ("AUROC against the verifier, mixed groups", "trust"), strict=True
    ):
        for quality, colour, mark in zip(present, colours, marks, strict=False):
            selection = Selection("gated HERO", quality=quality)
            _draw_band(axes, frame, selection, measure, "", quality, style=(colour, mark))
        axes.set_ylabel(label)
        axes.set_ylim(-0.03, 1.03)
        _plain(axes, "step")
    _legend(figure, row)
    return figure


def _draw_band(
    axes: Axes,
    frame: pandas.DataFrame,
    selection: Selection,
    measure: str,
    kind: str,
    label: str,
    scale: float = 1,
    style: tuple[str, str] | None = None,
) -> None:
    """Mean over seeds as a line with marks, the range of the seeds behind it."""
    colour, mark = style or _STYLES[label]
    table = scale * selection.by_step(frame, measure, kind)
    if table.empty:
        return
    steps = list(table.columns)
    axes.plot(steps, table.mean(), color=colour, marker=mark, markersize=4, label=label)
    axes.fill_between(steps, table.min(), table.max(), color=colour, alpha=0.15, linewidth=0)


def _plain(axes: Axes, label: str) -> None:
    axes.set_xlabel(label)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.2)


def _legend(figure: Figure, row: Sequence[Axes]) -> None:
    handles, labels = row[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
