"""The report's drawings: small ones, so that letters stay readable on a phone; no colour carries a meaning alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hero_rl.diagnosis.numbers import Diagnosis, Histogram
from hero_rl.pages import INK, VERDICT_COLOURS, drawing_style, inline_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["DRAWINGS", "draw"]

_GREY, _BLUE, _ORANGE = "#9aa0a6", "#0072B2", "#D55E00"


def draw(diagnosis: Diagnosis) -> dict[str, str]:
    """Every drawing that the diagnosis has numbers for, as SVG by name."""
    with drawing_style(size=9.5):
        made = {name: function(diagnosis) for name, function in DRAWINGS.items()}
        return {name: inline_svg(figure, label) for name, drawn in made.items() if drawn for figure, label in [drawn]}


Drawn = tuple["Figure", str]


def _axes(height: float = 2.7) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6, height), layout="constrained")
    axes = figure.add_subplot()
    axes.set_axisbelow(True)
    axes.grid(axis="y", color=INK, alpha=0.15, linewidth=0.6)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(length=0, pad=5)
    return figure, axes


def _per_cent(axes: Axes, whole: bool = False) -> None:
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10]))
    axes.set_ylim(0, 1 if whole else None)


def difficulty(d: Diagnosis) -> Drawn | None:
    """Groups, and the advantage that they hold, by pass rate."""
    total = sum(row.groups for row in d.difficulty)
    if not total:
        return None
    figure, axes = _axes()
    groups = [row.groups / total for row in d.difficulty]
    mass = [row.mass or 0.0 for row in d.difficulty]
    places = range(len(d.difficulty))
    axes.bar([p - 0.2 for p in places], groups, 0.38, color=_GREY, label="of the groups")
    axes.bar([p + 0.2 for p in places], mass, 0.38, color=_BLUE, label="of the advantage mass, HERO")
    axes.set_xticks(places, [row.name for row in d.difficulty])
    axes.set_xlabel("pass rate of the group")
    _per_cent(axes)
    figure.legend(loc="outside upper left", ncols=2, frameon=False, handlelength=1, columnspacing=1.2)
    return figure, "Bars: share of the groups and of the advantage mass by pass rate"


def widths(d: Diagnosis) -> Drawn | None:
    """Advantage mass in uniform groups against the width of the bands."""
    lines = {s: [(w.width, w.uniform) for w in d.widths if w.scale == s and w.uniform is not None] for s in _LINES}
    if not lines["none"]:
        return None
    figure, axes = _axes()
    for scale, points in lines.items():
        colour, marker = _LINES[scale]
        x, y = zip(*points, strict=True)
        axes.plot(x, y, marker=marker, color=colour, linewidth=2, markersize=4.5, label=f"scale {scale}")
    axes.set_xlabel("alpha = beta, half-width of the bands")
    axes.set_xlim(left=0)
    _per_cent(axes, whole=True)
    figure.legend(loc="outside upper left", ncols=2, frameon=False, columnspacing=1.2)
    return (
        figure,
        "Lines: advantage mass in uniform groups against alpha and beta, for scale none and group",
    )


_LINES = {"group": (_ORANGE, "s"), "none": (_BLUE, "o")}


def auroc(d: Diagnosis) -> Drawn | None:
    """Mixed groups by AUROC."""
    if not d.ranking.groups:
        return None
    figure, axes = _axes()
    for bin in d.ranking.histogram:
        colour = _ORANGE if bin.high < 0.55 else _BLUE
        axes.bar(bin.low, bin.count, bin.high - bin.low - 0.008, align="edge", color=colour)
    axes.axvline(0.5, color=INK, linewidth=1, linestyle=(0, (4, 3)))
    axes.annotate("chance", (0.5, 1), (-4, -2), xycoords=("data", "axes fraction"), textcoords="offset points",
                  ha="right", va="top")  # fmt: skip
    axes.set_xlim(0, 1)
    axes.set_xlabel("AUROC in the group")
    axes.set_ylabel("mixed groups")
    _whole_counts(axes)
    return figure, "Histogram: mixed groups by the AUROC of the score against the verdict"


def _whole_counts(axes: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    axes.set_ylim(bottom=0)


def scores(d: Diagnosis) -> Drawn | None:
    """Scores of correct and of incorrect rollouts, each as shares of its own."""
    if not d.source.scores["correct"]:
        return None
    figure, axes = _axes()
    _two_shares(axes, d.source.scores)
    axes.set_xlabel("score, raw logit")
    _per_cent(axes)
    axes.set_ylabel("share of its rollouts")
    figure.legend(loc="outside upper left", ncols=2, frameon=False, handlelength=1.2, columnspacing=1.2)
    return figure, "Histogram: scores of correct and of incorrect rollouts"


def _two_shares(axes: Axes, by_verdict: dict[Any, Histogram]) -> None:
    for name, style in (("incorrect", (0, (3, 1.5))), ("correct", "-")):
        bins = by_verdict[name]
        total = sum(bin.count for bin in bins)
        if not total:
            continue
        edges = [bins[0].low, *(bin.high for bin in bins)]
        colour = VERDICT_COLOURS[name]
        shares = [bin.count / total for bin in bins]
        axes.stairs(shares, edges, fill=True, color=colour, alpha=0.18, linewidth=0)
        axes.stairs(shares, edges, color=colour, linewidth=1.8, linestyle=style, label=name)


def places(d: Diagnosis) -> Drawn | None:
    """Where rollouts lie in their band."""
    if not d.bands.strata:
        return None
    figure, axes = _axes()
    _two_shares(axes, d.bands.places)
    axes.set_xlim(0, 1)
    axes.set_xlabel("z: 0 the floor of the band, 1 its top")
    _per_cent(axes)
    axes.set_ylabel("share of its rollouts")
    figure.legend(loc="outside upper left", ncols=2, frameon=False, handlelength=1.2, columnspacing=1.2)
    return figure, "Histogram: place in the band of correct and of incorrect rollouts"


def weights(d: Diagnosis) -> Drawn | None:
    """The prompts' weights under both readings of sigma."""
    if not d.weights["raw"].groups or not d.weights["raw"].histogram:
        return None
    figure, axes = _axes()
    for name, colour, style in (("raw", _ORANGE, "-"), ("relative", _BLUE, (0, (3, 1.5)))):
        bins = d.weights[name].histogram  # pyright: ignore[reportArgumentType]
        counts = [bin.count for bin in bins]
        edges = [bins[0].low, *(bin.high for bin in bins)]
        axes.stairs(counts, edges, fill=True, color=colour, alpha=0.15, linewidth=0)
        axes.stairs(counts, edges, color=colour, linewidth=1.8, linestyle=style, label=f"sigma {name}")
    axes.set_xlabel("weight of the prompt, from w_min to w_max")
    axes.set_ylabel("groups")
    _whole_counts(axes)
    figure.legend(loc="outside upper left", ncols=2, frameon=False, handlelength=1.6, columnspacing=1.2)
    return figure, "Histogram: groups by weight, sigma raw and relative"


def length(d: Diagnosis) -> Drawn | None:
    """Mean place of the score by place of the length."""
    if not d.length.rollouts:
        return None
    figure, axes = _axes()
    known = [(n, value) for n, value in enumerate(d.length.by_length) if value is not None]
    x, y = zip(*known, strict=True)
    axes.axhline(0.5, color=INK, linewidth=1, linestyle=(0, (4, 3)))
    axes.plot(x, y, "o-", color=_BLUE, linewidth=2, markersize=5)
    axes.set_xticks(range(5), ["shortest", "", "middle", "", "longest"])
    axes.set_xlim(-0.3, 4.3)
    axes.set_ylim(0, 1)
    axes.set_xlabel("length of the completion within its stratum")
    axes.set_ylabel("place of the score, 0 to 1")
    return figure, "Line: mean place of the score in its stratum against the place of the length"


def steps_score(d: Diagnosis) -> Drawn | None:
    """Mean score by step."""
    return _by_step(d, [("score", "mean score", _ORANGE, "-")], "mean score, raw logit", None)


def steps_shares(d: Diagnosis) -> Drawn | None:
    """Verdict rate, mixed groups and AUROC by step."""
    lines = [
        ("verdict", "correct", _BLUE, "-"),
        ("mixed", "mixed groups", _GREY, (0, (4, 1.5))),
        ("auroc", "AUROC", _ORANGE, (0, (1, 1))),
    ]
    return _by_step(d, lines, "share, AUROC", (0, 1.04))


def domains_verdict(d: Diagnosis) -> Drawn | None:
    """Mean verdict by step, a line for each domain."""
    return _by_step(d, _of_domains(d, "verdict_by_domain"), "mean verdict", (0, 1.04))


def domains_score(d: Diagnosis) -> Drawn | None:
    """Mean score by step, a line for each domain."""
    return _by_step(d, _of_domains(d, "score_by_domain"), "mean score, raw logit", None)


def _of_domains(d: Diagnosis, name: str) -> list[Any]:
    """Lines of the domains that have any, each looking the same in every drawing; no more than can be told apart."""
    domains = sorted({domain for step in d.steps for domain in (*step.verdict_by_domain, *step.score_by_domain)})
    known = {domain for step in d.steps for domain in getattr(step, name)}
    colours, styles = (_BLUE, _ORANGE, _GREY), ("-", (0, (4, 1.5)), (0, (1, 1)))
    looks = [(colours[n % 3], styles[(n + n // 3) % 3]) for n in range(9)]
    lines = zip(domains, looks, strict=False)
    return [((name, domain), domain or "no domain", *look) for domain, look in lines if domain in known]


def _value(step: Any, name: str | tuple[str, str]) -> float | None:
    return getattr(step, name) if isinstance(name, str) else getattr(step, name[0]).get(name[1])


def _by_step(d: Diagnosis, lines: Sequence[Any], label: str, limits: tuple[float, float] | None) -> Drawn | None:
    if not d.steps or all(_value(s, name) is None for s in d.steps for name, *_ in lines):
        return None
    from matplotlib.ticker import MaxNLocator

    figure, axes = _axes()
    marker = "o" if len(d.steps) <= 30 else None
    for name, said, colour, style in lines:
        points = [(s.step, value) for s in d.steps if (value := _value(s, name)) is not None]
        if points:
            x, y = zip(*points, strict=True)
            axes.plot(x, y, color=colour, linestyle=style, linewidth=2, marker=marker, markersize=4, label=said)
    axes.set_xlabel("step")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    axes.set_ylabel(label)
    if limits:
        axes.set_ylim(*limits)
    if len(lines) > 1:
        figure.legend(loc="outside upper left", ncols=3, frameon=False, columnspacing=1.2)
    return figure, f"Lines: {', '.join(said for _, said, *_ in lines)} by step"


DRAWINGS = {
    "difficulty": difficulty,
    "widths": widths,
    "auroc": auroc,
    "scores": scores,
    "places": places,
    "weights": weights,
    "length": length,
    "steps_score": steps_score,
    "steps_shares": steps_shares,
    "domains_verdict": domains_verdict,
    "domains_score": domains_score,
}
"""Every drawing by name."""
