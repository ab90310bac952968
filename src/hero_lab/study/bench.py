"""The bench as a page of its own: every rule with every reward model, what it costs, and one figure.

write_bench(read_table(Path("docs/science/bench.parquet")), Path("docs/science"))
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from hero_lab.arena.results import START
from hero_lab.arena.task import Regime
from hero_lab.markdown import markdown_table
from hero_lab.study.alarms import runs_table, watched
from hero_lab.study.bench_figure import Gains, draw_gains
from hero_lab.study.estimates import Selection, gap_of, mean_of
from hero_lab.study.pipelines import seeds_of
from hero_lab.study.plan import RULES
from hero_lab.study.qualities import DESCRIPTIONS, QUALITIES, Quality
from hero_rl.evaluation.statistics import holm
from hero_rl.files.whole import write_whole

if TYPE_CHECKING:
    import pandas

__all__ = ["bench_page", "difference", "percent", "write_bench", "write_headroom"]

_ALONE = "verifier only"
_WITHOUT_SCORES = (START, _ALONE)
_LEVEL = 0.05
_NAMES = {START: "before RL"}
_NO_WEIGHT = ", no weight"
_MEASURE = "Points over the verifier alone on hard prompts, sampled."
_CAPTION = (
    f"*{_MEASURE} The mean over pipelines, in brackets the worst; without a bracket there is one pipeline. Empty "
    "fields did not run.*"
)


def write_bench(frame: pandas.DataFrame, folder: Path, notes: str = "") -> list[Path]:
    """Write `bench.md` and `bench.svg` into a folder; the notes are put before the tables."""
    page, figure = folder / "bench.md", folder / "bench.svg"
    write_whole(page, bench_page(frame, notes))
    draw_gains(_gains(_on(frame, "report")), figure)
    return [page, figure]


def write_headroom(frame: pandas.DataFrame, folder: Path, notes: str = "") -> list[Path]:
    """Write `headroom.md`: the same of policies that were fine-tuned less, and what the prompt weight adds."""
    page = folder / "headroom.md"
    final = _on(frame, "report")
    parts = ["# With room to learn", _what_ran(frame, "headroom"), notes.strip(), "## The rules", _table(final)]
    write_whole(page, _joined([*parts, _weight(final)]))
    return [page]


def bench_page(frame: pandas.DataFrame, notes: str = "") -> str:
    """The page as Markdown: cells on the prompts that are kept for the end, then those that choices were made on."""
    final, tried = _on(frame, "report"), _on(frame, "development")
    parts = ["# The bench", _what_ran(frame, "bench"), notes.strip()]
    parts += ["![Points that each rule adds to the verifier alone, by reward model](bench.svg)", _CAPTION]
    parts += [_models(final), "## On prompts that no choice was made on", _table(final), _pipelines(final)]
    if len(tried):
        parts += ["## On development prompts", _table(tried)]
    return _joined([*parts, _alarms(frame)])


def _joined(parts: Iterable[str]) -> str:
    return "\n\n".join(part for part in parts if part) + "\n"


def _weight(frame: pandas.DataFrame) -> str:
    """What the prompt weight adds, rule by rule and regime by regime; empty where it was not taken away."""
    lines = []
    for rule in RULES:
        for regime in get_args(Regime):
            without = Selection(f"{rule}{_NO_WEIGHT}", regime)
            cells = [difference(frame, Selection(rule, regime), without, kind) for kind in ("hard", "easy")]
            if any(cells):
                lines.append(f"| {rule} | {regime} | {' | '.join(cells)} |")
    if not lines:
        return ""
    head = "| rule | training prompts | hard, with less without | easy, with less without |\n|---|---|---:|---:|"
    return "## The weight\n\nEach rule against itself with `w_min` and `w_max` 1.\n\n" + "\n".join([head, *lines])


def _on(frame: pandas.DataFrame, split: str) -> pandas.DataFrame:
    return frame.loc[frame["split"] == split]


def _models(frame: pandas.DataFrame) -> str:
    """What each reward model is, and how well it ranks before RL; empty where nobody looked."""
    lines = []
    for quality in QUALITIES:
        ranks = [_of("HERO", quality).values(frame, f"rank {where}", step=0) for where in ("mixed", "uniform")]
        if all(len(values) for values in ranks):
            lines.append([quality, DESCRIPTIONS[quality], *(f"{values.mean():.2f}" for values in ranks)])
    if not lines:
        return ""
    lead = (
        "AUROC within groups against the oracle, on the policy before RL, mean over seeds: in groups that the verifier "
        "finds mixed, and in those that it finds uniform, where it says nothing."
    )
    head = ["reward model", "what it is", "mixed groups", "uniform groups"]
    return f"## The reward models\n\n{lead}\n\n{markdown_table(head, lines, texts=2)}"


def _alarms(frame: pandas.DataFrame) -> str:
    """The alarms of each cell beside what the oracle saw; empty without alarms."""
    if not frame["measure"].astype(str).str.startswith("alarm ").any():
        return ""
    lead = (
        "The step by which each alarm had come on, to ten steps; that of the highest accuracy on hard development "
        "prompts (looked at every 20 steps) where the run ends more than 3 points below it; and the first from which "
        "on it is more than 3 points below the verifier alone with the same seed and prompts. What that makes of the "
        "alarms: [watching](../guides/watching.md#as-early-warning)."
    )
    return f"## Alarms\n\n{lead}\n\n{runs_table(watched(frame))}"


def _what_ran(frame: pandas.DataFrame, name: str) -> str:
    cells = frame.groupby("cell", observed=True).first()
    cell = json.loads(cells["config"].iloc[0])["cell"]
    arm, policy = cell["arm"], cell["arena"]["policy"]
    seeds = ", ".join(map(str, sorted(set(cells["seed"]))))
    seeds = f"pipelines {seeds}" if any(number != seed for number, seed in seeds_of(frame).items()) else seeds
    kinds = " or ".join(sorted(set(cells["regime"])))
    return (
        f"{len(cells)} cells of [the arena](arena.md#the-study), each a whole pipeline with a policy, a reward model, "
        f"prompts and RL of its seed ({seeds}): {policy['steps']} steps of fine-tuning on demonstrations whose steps "
        f"slip with probability {policy['slip']:g}, then {arm['steps']} of {arm['prompts_per_step']} prompts "
        f"({kinds} to verify) x {arm['num_generations']} rollouts; {cells['seconds'].sum() / 3600:.1f} hours. "
        f"Accuracy in % by the oracle on {arm['prompts']} held-out prompts of each kind, {arm['samples']} samples of "
        "each. Differences are from the verifier alone with the same seed, prompts and policy, in points of sampled "
        "accuracy; ± is the half-width of a 95% t-interval over seeds, which one seed does not have: luck in training "
        "is then not covered at all. \\* "
        "marks p below 0.05 after Holm's correction over a table. `judged` is the share of rollouts that an auditor is "
        f"asked about. `{name}.parquet` beside this page has every number with its cell's configuration; `hero study "
        f"{name}` made the page of it."
    )


def _selected(frame: pandas.DataFrame) -> Iterator[tuple[Quality, str, Selection]]:
    """What ran, reward model by reward model; the verifier alone stands under each whose prompts it was trained on."""
    for quality in QUALITIES:
        chosen = [(rule, selection) for rule in (START, *RULES) if _ran(frame, selection := _of(rule, quality))]
        if any(rule not in _WITHOUT_SCORES for rule, _ in chosen):
            for rule, selection in chosen:
                yield quality, rule, selection


def _ran(frame: pandas.DataFrame, selection: Selection) -> bool:
    return len(selection.values(frame, "sampled", "hard")) > 0


def _of(rule: str, quality: Quality) -> Selection:
    """What no reward model takes part in is the same with every one, and was run with the strong one."""
    return Selection.of(rule, "strong" if rule in _WITHOUT_SCORES and quality != "two-faced" else quality)


def _table(frame: pandas.DataFrame) -> str:
    rows, gaps = [], []
    for quality, rule, selection in _selected(frame):
        alone = _of(_ALONE, quality)
        compared = ("hard", "easy") if rule not in _WITHOUT_SCORES else ()
        own = [gap_of(frame, selection, alone, "sampled", kind) for kind in compared] or [None, None]
        gaps += [gap for gap in own if gap]
        texts = [difference(frame, selection, alone, kind) for kind in compared] or ["", ""]
        accuracies = [percent(frame, selection, kind, m) for kind in ("hard", "easy") for m in ("sampled", "greedy")]
        seeds = len(selection.values(frame, "sampled", "hard"))
        rows.append(
            (own, [quality, _NAMES.get(rule, rule), str(seeds), *accuracies, *texts, _judged(frame, selection)])
        )
    marks = iter(holm([gap.p for gap in gaps]))
    lines = []
    for own, cells in rows:
        for place, gap in zip((7, 8), own, strict=True):
            cells[place] += " \\*" if gap and next(marks) < _LEVEL else ""
        lines.append(f"| {' | '.join(cells)} |")
    head = ["reward model", "rule", "seeds", "hard, sampled", "hard, greedy", "easy, sampled", "easy, greedy"]
    head += ["hard, less verifier only", "easy, less verifier only", "judged"]
    return "\n".join([f"| {' | '.join(head)} |", f"|---|---|{'---:|' * (len(head) - 2)}", *lines])


def percent(frame: pandas.DataFrame, selection: Selection, kind: str, measure: str) -> str:
    """Mean over seeds in percent, with the half-width of its interval; empty without cells."""
    estimate = mean_of(frame, selection, measure, kind)
    if estimate is None:
        return ""
    width = f" ± {100 * estimate.half_width:.1f}" if estimate.half_width != float("inf") else ""
    return f"{100 * estimate.mean:.1f}{width}"


def difference(frame: pandas.DataFrame, selection: Selection, alone: Selection, kind: str) -> str:
    """The first less the second in points of sampled accuracy, paired by seed; empty without both."""
    gap = gap_of(frame, selection, alone, "sampled", kind)
    if gap:
        return f"{100 * gap.estimate.mean:+.1f} ± {100 * gap.estimate.half_width:.1f} ({gap.won}/{gap.seeds})"
    found = (selection.values(frame, "sampled", kind) - alone.values(frame, "sampled", kind)).dropna()
    return f"{100 * found.iloc[0]:+.1f}" if len(found) == 1 else ""


def _pipelines(frame: pandas.DataFrame) -> str:
    """What each rule adds in each pipeline by itself: rules that ran in one of them are compared there."""
    parts = [f"## Each pipeline\n\n{_MEASURE} Empty fields did not run.{_elsewhere(frame)}"]
    for seed in sorted(set(frame["seed"])):
        gains = {field: own for field, own in _gains(frame.loc[frame["seed"] == seed]).items() if own}
        ran = {quality for _, quality in gains}
        qualities: list[Quality] = [quality for quality in QUALITIES if quality in ran]
        lines = []
        for rule in RULES:
            points = [gains.get((rule, quality)) for quality in qualities]
            cells = [f"{own[0]:+.1f}" if own else "" for own in points]
            if any(cells):
                lines.append([rule, *cells])
        parts.append(f"### Pipeline {seed}\n\n{markdown_table(['rule', *qualities], lines)}")
    return "\n\n".join(parts)


def _elsewhere(frame: pandas.DataFrame) -> str:
    """Which pipelines are seeds that made other models on another machine."""
    again = {number: seed for number, seed in sorted(seeds_of(frame).items()) if number != seed}
    if not again:
        return ""
    named = ", ".join(f"{number} is seed {seed}" for number, seed in again.items())
    return (
        f" {named} on another machine: sums are taken in another order there, so that the same seed makes another "
        "policy and another reward model."
    )


def _judged(frame: pandas.DataFrame, selection: Selection) -> str:
    calls = selection.by_step(frame, "audit_calls")
    if calls.empty:
        return "0"
    arm = json.loads(frame["config"].iloc[0])["cell"]["arm"]
    return f"{calls.to_numpy().mean() / (arm['prompts_per_step'] * arm['num_generations']):.1%}"


def _gains(frame: pandas.DataFrame) -> Gains:
    """Points over the verifier alone on hard prompts, sampled: one for each pipeline, by rule and reward model."""
    gains: Gains = {}
    for quality, rule, selection in _selected(frame):
        if rule not in _WITHOUT_SCORES:
            found = selection.values(frame, "sampled", "hard") - _of(_ALONE, quality).values(frame, "sampled", "hard")
            gains[rule, quality] = [100 * value for value in found.dropna()]
    return gains
