"""The demo's results for people: a table in the terminal, an image, and one self-contained HTML page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from hero_lab.arena.demo import REGIMES
from hero_lab.arena.results import FEW_SEEDS, LABELS, START, Difference, MethodRow, differences, kinds, rows
from hero_rl.files.whole import replacing, write_whole
from hero_rl.pages import INK, KIND_COLOURS, drawing_style, inline_svg, render

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from hero_lab.arena.demo import DemoResult, Panel
    from hero_lab.arena.evaluation import Kind, Measured

__all__ = ["pm", "print_table", "sentence", "smooth", "write_image", "write_page"]

# Okabe and Ito's palette, told apart by colour-blind readers.
_COLOURS = {
    "hero": "#D55E00",
    "gated_hero": "#56B4E9",
    "audited_hero": "#8C6D31",
    "verifier_only": "#0072B2",
    "reward_model_only": "#009E73",
    "weighted_sum": "#CC79A7",
    "gdpo": "#E69F00",
}
_COMPOSITION = (
    ("hero/frac_groups_all_incorrect", "all incorrect", KIND_COLOURS["all_incorrect"]),
    ("hero/frac_groups_mixed", "mixed", KIND_COLOURS["mixed"]),
    ("hero/frac_groups_all_correct", "all correct", KIND_COLOURS["all_correct"]),
)


def print_table(result: DemoResult, console: Console) -> None:
    """Accuracies and who won, in the terminal."""
    title = f"accuracy by the oracle, held-out prompts (trained on {REGIMES[result.settings.arm.regime]})"
    table = Table(title=title, title_justify="left")
    for head in ("prompts", "arm"):
        table.add_column(head)
    for head in measures(result):
        table.add_column(head, justify="right")
    for kind in kinds(result):
        for row in rows(result):
            style = "bold" if row.name == result.settings.arms[0] else None
            table.add_row(kind, row.label, *cells(row, kind), style=style)
        table.add_section()
    console.print(table)
    for difference in differences(result):
        console.print(sentence(difference), highlight=False)
    console.print(result.caveat, style="dim", highlight=False)


def measures(result: DemoResult) -> list[str]:
    """What the table has of each arm and kind of prompt."""
    return ["sampled", "greedy", *(["exact match"] if result.exact(START) else [])]


def cells(row: MethodRow, kind: Kind) -> list[str]:
    """The figures of an arm, in that order."""
    return [pm(measure[kind]) for measure in (row.sampled, row.greedy, row.exact) if kind in measure]


def sentence(difference: Difference) -> str:
    """One comparison in words; within the interval nobody wins."""
    gap, first, second = difference.gap, LABELS[difference.first], LABELS[difference.second]
    if difference.seeds < FEW_SEEDS:
        won_or_lost = "is ahead of" if gap.mean > 0 else "is behind"
    else:
        won_or_lost = "beats" if gap.mean > 0 else "loses to"
    verb = "is level with" if abs(gap.mean) <= gap.half_width else won_or_lost
    won = f", ahead in {difference.seeds_won} of {difference.seeds} seeds" if difference.seeds > 1 else ""
    return f"{difference.kind}: {first} {verb} {second} ({100 * gap.mean:+.1f} ± {100 * gap.half_width:.1f}{won})"


def write_image(result: DemoResult, path: Path) -> None:
    """Learning curves and group composition, as PNG or SVG by the file's name; the same result gives the same bytes."""
    import matplotlib

    ink, form = "#202124", path.suffix.removeprefix(".")
    drawing = _figure(result, ink, background="white")
    # The style says how letters are saved, too: as text, not as outlines.
    with drawing_style(ink), matplotlib.rc_context({"svg.hashsalt": path.name}), replacing(path) as file:
        drawing.savefig(file, format=form, dpi=130, metadata={"Date": None} if form == "svg" else None)


def write_page(result: DemoResult, path: Path) -> None:
    """The page: table, comparisons, drawing and settings in one HTML file that loads nothing from anywhere."""
    page = render(
        "hero_lab.arena",
        "demo.html",
        title=result.title,
        above=result.above,
        introduction=result.introduction,
        heads=measures(result),
        rows=[(kind, row.name, row.label, cells(row, kind)) for kind in kinds(result) for row in rows(result)],
        first=result.settings.arms[0],
        sentences=[sentence(difference) for difference in differences(result)],
        caveat=result.caveat,
        drawing=_svg(result),
        settings=json.dumps(json.loads(result.settings.model_dump_json()), indent=2),
    )
    write_whole(path, page)


def pm(estimate: Measured) -> str:
    """In percent, with the half-width of the interval."""
    return f"{100 * estimate.mean:.1f} ± {100 * estimate.half_width:.1f}"


def _svg(result: DemoResult) -> str:
    return inline_svg(_figure(result, ink=INK, background="none"))


def _figure(result: DemoResult, ink: str, background: str) -> Figure:
    from matplotlib.figure import Figure

    arms = result.settings.arms
    with drawing_style(ink):
        figure = Figure(figsize=(10.5, 7.2), facecolor=background, layout="constrained")
        parts: Any = figure.subfigures(2, 1)
        above, below = parts
        for axes, panel in zip(above.subplots(1, 2), result.panels, strict=True):
            _draw_curves(axes, result, panel, ink)
        row = below.subplots(1, len(arms), sharey=True, squeeze=False)[0]
        for axes, name in zip(row, arms, strict=True):
            _draw_composition(axes, result, name, ink)
        row[0].set_ylabel("groups by the verifier, share")
        below.legend(*row[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
        for part in parts:
            part.set_facecolor("none")
    return figure


def _draw_curves(axes: Axes, result: DemoResult, panel: Panel, ink: str) -> None:
    for name in result.settings.arms:
        runs = [
            {row["step"]: panel.factor * row[panel.key] for row in result.course(arm)}
            for arm in result.arms
            if arm.name == name
        ]
        steps = sorted(set.intersection(*map(set, runs)))  # a run that was made longer has a look more
        for run in runs if len(runs) > 1 else []:
            axes.plot(list(run), list(run.values()), color=_COLOURS[name], alpha=0.25, linewidth=0.8)
        mean = [sum(run[step] for run in runs) / len(runs) for step in steps]
        # Without trust it runs upon the verifier alone, which is to be seen.
        style = "--" if name == "gated_hero" else "-"
        axes.plot(steps, mean, style, color=_COLOURS[name], linewidth=2, label=LABELS[name])
    axes.set_title(panel.title, loc="left")
    axes.set_xlabel("step")
    if panel.factor == 100:
        axes.set_ylim(bottom=0)
    _plain(axes, ink)
    if panel is result.panels[0]:
        axes.legend(frameon=False)


def _draw_composition(axes: Axes, result: DemoResult, name: str, ink: str) -> None:
    runs = [
        [row for row in arm.steps if row.get("hero/frac_groups_mixed") is not None]
        for arm in result.arms
        if arm.name == name
    ]
    length = min(map(len, runs))
    shares = [[smooth([run[i][key] for i in range(length)]) for key, _, _ in _COMPOSITION] for run in runs]
    means = [[sum(s[k][i] for s in shares) / len(shares) for i in range(length)] for k in range(len(_COMPOSITION))]
    axes.stackplot(
        range(1, length + 1),
        *means,
        labels=[label for _, label, _ in _COMPOSITION],
        colors=[colour for _, _, colour in _COMPOSITION],
        alpha=0.9,
        linewidth=0,
    )
    axes.set_title(LABELS[name], loc="left")
    axes.set_xlabel("step")
    axes.set_xlim(1, length)
    axes.set_ylim(0, 1)
    _plain(axes, ink)


def _plain(axes: Axes, ink: str) -> None:
    axes.set_facecolor("none")
    axes.grid(color=ink, alpha=0.15, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)


def smooth(values: list[float], window: int = 10) -> list[float]:
    """Trailing mean; the first values average what there is."""
    return [sum(values[max(0, i + 1 - window) : i + 1]) / min(i + 1, window) for i in range(len(values))]
