"""A study's table as a page of tables and figures, for people.

write_page(read_table(Path("docs/science/study.parquet")), Path("docs/science"))
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hero_lab.arena.evaluation import KINDS, Measured
from hero_lab.arena.results import START
from hero_lab.markdown import markdown_table
from hero_lab.study.estimates import Gap, Selection, gap_of, mean_of
from hero_lab.study.figures import CAPTIONS, write_figures
from hero_lab.study.plan import PARTS, Part
from hero_lab.study.qualities import QUALITIES
from hero_rl.evaluation.statistics import holm
from hero_rl.files.whole import write_whole

if TYPE_CHECKING:
    import pandas

__all__ = ["results_table", "study_page", "write_page"]

_VERIFIER = "verifier only"
_BEFORE = Selection(START, PARTS["main"][0].regimes[0])  # one cell a seed: nothing is trained in it
_HARD_FIRST = tuple(reversed(KINDS))
_GRADED = ("strong", *PARTS["quality"][0].qualities)
_LEVEL = 0.05


def write_page(frame: pandas.DataFrame, folder: Path, notes: str = "") -> list[Path]:
    """Write `study.md` and its figures into a folder.

    Args:
        frame: a study's table.
        folder: where the page goes.
        notes: a text of one's own, put before the tables.
    """
    figures = write_figures(frame, folder)
    page = folder / "study.md"
    write_whole(page, study_page(frame, [path.name for path in figures], notes))
    return [page, *figures]


def study_page(frame: pandas.DataFrame, figures: Sequence[str] = (), notes: str = "") -> str:
    """The page as Markdown: what ran, then every table that the study's table has cells for."""
    sections = [
        "# The study\n\n" + _what_ran(frame),
        results_table(frame),
        notes.strip(),
        _main(frame),
        _regret(frame),
        _qualities(frame),
        _ranks(frame),
        _ablations(frame),
        _two_faced(frame),
        _pictures(figures),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def results_table(frame: pandas.DataFrame) -> str:
    """The study in one table: points over the verifier alone on hard prompts, a row a reward model.

    The lines before the table say what the verifier alone and the policy before RL reach.
    """
    rules = [rule for rule in _rules(PARTS["main"][0]) if rule != _VERIFIER]
    alone = Selection(_VERIFIER)
    if not _present(frame, alone):
        return ""
    rows = []
    for quality in _GRADED:
        gaps = [gap_of(frame, Selection(rule, quality=quality), alone, "sampled", "hard") for rule in rules]
        ranks = Selection("gated HERO", quality=quality).values(frame, "rank verifier_mixed", step=0)
        if any(gaps):
            rows.append([quality, _rank_cell(ranks, len(ranks)), *map(_gap, gaps)])
    before, after = (_percent(mean_of(frame, selection, "sampled", "hard")) for selection in (_BEFORE, alone))
    lead = (
        f"Accuracy on hard-to-verify prompts, sampled: {before}% before RL, {after}% with the verifier alone. What a "
        "rule adds to the latter, in points:"
    )
    return f"{lead}\n\n{_table(['reward model', 'its AUROC', *rules], rows)}"


def _what_ran(frame: pandas.DataFrame) -> str:
    arm = _arm(frame)
    seeds = sorted(frame["seed"].unique())
    hours = frame.groupby("cell", observed=True)["seconds"].first().sum() / 3600
    return (
        f"{frame['cell'].nunique()} cells, each a whole pipeline in the arena: a policy, a reward model, training "
        f"prompts and RL of its own seed. Seeds {seeds[0]} to {seeds[-1]}; {arm['steps']} steps of "
        f"{arm['prompts_per_step']} prompts x {arm['num_generations']} rollouts through `HeroGRPOTrainer`; "
        f"{hours:.1f} hours of one core, the making of the models not counted. Accuracy in % by the oracle on "
        f"{arm['prompts']} {arm['split']} prompts of each kind, {arm['samples']} samples of each at temperature 1 "
        "(*sampled*) and one at 0 (*greedy*). ± is the half-width of a 95% t-interval over seeds, all measured on the "
        "same held-out prompts: it covers training, not the choice of those prompts. Differences are paired by seed: "
        "the same policy, reward model and training prompts on both sides; in brackets, in how many of the seeds the "
        "first is ahead. `study.parquet` beside this page has every number with its cell's whole configuration; "
        "`hero study report` made the page of it."
    )


def _arm(frame: pandas.DataFrame) -> dict[str, Any]:
    """The settings that all cells share but the regime."""
    return json.loads(frame["config"].iloc[0])["cell"]["arm"]


def _main(frame: pandas.DataFrame) -> str:
    """Table 2 of the paper in miniature."""
    parts = []
    for regime in PARTS["main"][0].regimes:
        rules = [rule for rule in _rules(PARTS["main"][0]) if _present(frame, Selection(rule, regime))]
        if len(rules) < 2:
            continue
        rows = [["before RL", *_accuracies(frame, _BEFORE, greedy=True), "", ""]]
        gaps = _against(frame, [Selection(rule, regime) for rule in rules], Selection(_VERIFIER, regime))
        for rule, gap in zip(rules, gaps, strict=True):
            rows.append([rule, *_accuracies(frame, Selection(rule, regime), greedy=True), *gap])
        head = ["rule", "hard, sampled", "hard, greedy", "easy, sampled", "easy, greedy"]
        table = _table([*head, "hard, less verifier only", "easy, less verifier only"], rows)
        uniform = Selection(rules[0], regime).values(frame, "rank share_uniform", step=0).mean()
        title = f"### Trained on {regime}{'' if regime == 'mixed' else '-to-verify'} prompts"
        parts.append(f"{title}\n\nBefore RL {uniform:.0%} of their groups are uniform for the verifier.\n\n{table}")
    if not parts:
        return ""
    lead = (
        "The strong reward model; the differences are of sampled accuracy. \\* marks a paired t-test with p below 0.05 "
        "after Holm's correction over its table."
    )
    return "\n\n".join([f"## Rules and regimes\n\n{lead}", *parts])


def _regret(frame: pandas.DataFrame) -> str:
    """The gated rule against the verifier alone and against HERO, reward model by reward model."""
    gaps = {}
    for quality in _GRADED:
        gated = Selection("gated HERO", quality=quality)
        others = (Selection(_VERIFIER), Selection("HERO", quality=quality))
        pair = [gap_of(frame, gated, other, "sampled", "hard") for other in others]
        if any(pair):
            gaps[quality] = pair
    if len(gaps) < 2:
        return ""
    adjusted = iter(holm([gap.p for pair in gaps.values() for gap in pair if gap]))
    rows = []
    for quality, pair in gaps.items():
        row = [quality]
        for gap in pair:
            row += [_gap(gap), f"{100 * min(gap.differences):+.1f}", f"{next(adjusted):.3f}"] if gap else [""] * 3
        rows.append(row)
    lead = (
        "Gated HERO on hard prompts, sampled, trained on hard-to-verify prompts: mean difference, that of the "
        "worst pipeline, and p of the paired t-test after Holm's correction over this table. A large p is no proof of "
        "equality: the interval says how large a loss it leaves open."
    )
    head = ["reward model", "gated HERO less verifier only", "the worst", "p", "gated HERO less HERO", "the worst", "p"]
    return f"## Can it hurt?\n\n{lead}\n\n{_table(head, rows)}"


def _qualities(frame: pandas.DataFrame) -> str:
    """Every rule with every reward model, on hard-to-verify prompts."""
    chosen = [
        Selection(rule, quality=quality)
        for quality in _GRADED
        for rule in PARTS["quality"][0].rules
        if _present(frame, Selection(rule, quality=quality))
    ]
    if not any(selection.quality != "strong" for selection in chosen):
        return ""
    alone = Selection(_VERIFIER)
    rows = [["none", _VERIFIER, *_accuracies(frame, alone, greedy=True), "", ""]]
    for selection in chosen:
        gaps = [gap_of(frame, selection, alone, "sampled", kind) for kind in _HARD_FIRST]
        rows.append([selection.quality, selection.rule, *_accuracies(frame, selection, greedy=True), *map(_gap, gaps)])
    head = ["reward model", "rule", "hard, sampled", "hard, greedy", "easy, sampled", "easy, greedy"]
    head += ["hard, less verifier only", "easy, less verifier only"]
    lead = "Trained on hard-to-verify prompts; the differences are of sampled accuracy."
    return f"## Reward models of graded quality\n\n{lead}\n\n{_table(head, rows)}"


def _ranks(frame: pandas.DataFrame) -> str:
    """How well each reward model ranks, before and after."""
    qualities = sorted(set(frame.loc[frame["measure"] == "rank mixed", "quality"]), key=QUALITIES.index)
    last = _arm(frame)["steps"]
    rows = []
    for quality in qualities:
        for rule in ("HERO", "gated HERO", "RM only"):
            selection = Selection.of(rule, quality)
            if not _present(frame, selection):
                continue
            seeds = len(selection.values(frame, "sampled", "hard"))
            before = [("before RL", 0)] if rule == "HERO" else []
            for when, step in [*before, (f"after {rule}", last)]:
                names = ("verifier_mixed", "mixed", "uniform")
                values = [_rank_cell(selection.values(frame, f"rank {name}", step=step), seeds) for name in names]
                rows.append([quality, when, *values])
    if not rows:
        return ""
    lead = (
        "AUROC within groups on 300 hard development prompts, mean over seeds: against the verifier in its mixed "
        "groups (what a run can see), against the oracle in those groups, and against the oracle in groups that are "
        "uniform for the verifier. A dash where no group of the kind is left; in brackets, in how many seeds there is "
        "one where not in all."
    )
    head = ["reward model", "when", "verifier, mixed groups", "oracle, mixed groups", "oracle, uniform groups"]
    return f"## How well the reward models rank\n\n{lead}\n\n{_table(head, rows)}"


def _ablations(frame: pandas.DataFrame) -> str:
    chosen = [
        Selection(rule, quality=quality)
        for part in PARTS["ablations"]
        for quality in part.qualities
        for rule in part.rules
        if _present(frame, Selection(rule, quality=quality))
    ]
    if not chosen:
        return ""
    rows = []
    for selection in chosen:
        gaps = [gap_of(frame, selection, Selection("HERO"), "sampled", kind) for kind in _HARD_FIRST]
        rows.append([selection.rule, selection.quality, *_accuracies(frame, selection), *map(_gap, gaps)])
    lead = (
        "Trained on hard-to-verify prompts; sampled accuracy, and the difference from HERO with the strong reward "
        "model on the same seeds. Not corrected for the number of rows: these are for orientation."
    )
    head = ["rule", "reward model", "hard", "easy", "hard, less HERO", "easy, less HERO"]
    return f"## Ablations\n\n{lead}\n\n{_table(head, rows)}"


def _two_faced(frame: pandas.DataFrame) -> str:
    part = PARTS["two-faced"][0]
    chosen = [Selection.of(rule, "two-faced") for rule in part.rules]
    chosen = [selection for selection in chosen if _present(frame, selection)]
    if not chosen:
        return ""
    gaps = _against(frame, chosen, Selection.of(_VERIFIER, "two-faced"))
    rows = [[selection.rule, *_accuracies(frame, selection), *gap] for selection, gap in zip(chosen, gaps, strict=True)]
    lead = (
        "One of the three hard types (`S`) has only references that the policy never writes, so that all its groups "
        "are uniform, and on that type the strong reward model's score is turned round: wrong on a type that can never "
        "be checked, the strong one everywhere else."
    )
    head = ["rule", "hard", "easy", "hard, less verifier only", "easy, less verifier only"]
    return f"## A reward model with two faces\n\n{lead}\n\n{_table(head, rows)}"


def _pictures(figures: Sequence[str]) -> str:
    """Each figure once, in the reader's theme, with its caption."""
    parts = []
    for light in (name for name in figures if not name.endswith("-dark.svg")):
        stem = light.removesuffix(".svg")
        caption = CAPTIONS[stem.removeprefix("study-")]
        parts.append(
            f'<picture>\n  <source media="(prefers-color-scheme: dark)" srcset="{stem}-dark.svg">\n'
            f'  <img alt="{caption}" src="{light}">\n</picture>\n\n*{caption}*'
        )
    return "## Figures\n\n" + "\n\n".join(parts) if parts else ""


def _against(frame: pandas.DataFrame, chosen: Sequence[Selection], other: Selection) -> list[list[str]]:
    """Two cells a selection: the differences from another one, marked where they stand up to the correction."""
    gaps = [
        None if selection == other else gap_of(frame, selection, other, "sampled", kind)
        for selection in chosen
        for kind in _HARD_FIRST
    ]
    adjusted = iter(holm([gap.p for gap in gaps if gap]))
    cells = [_gap(gap) + (" \\*" if gap and next(adjusted) < _LEVEL else "") for gap in gaps]
    return [cells[i : i + 2] for i in range(0, len(cells), 2)]


def _accuracies(frame: pandas.DataFrame, selection: Selection, greedy: bool = False) -> Iterator[str]:
    for kind in _HARD_FIRST:
        for measure in ("sampled", "greedy") if greedy else ("sampled",):
            yield _percent(mean_of(frame, selection, measure, kind))


def _present(frame: pandas.DataFrame, selection: Selection) -> bool:
    return len(selection.values(frame, "sampled", "hard")) > 0


def _rules(part: Part) -> list[str]:
    return [rule for rule in part.rules if rule != START]


def _percent(estimate: Measured | None) -> str:
    if estimate is None:
        return ""
    width = f" ± {100 * estimate.half_width:.1f}" if estimate.half_width != float("inf") else ""
    return f"{100 * estimate.mean:.1f}{width}"


def _gap(gap: Gap | None) -> str:
    if gap is None:
        return ""
    return f"{100 * gap.estimate.mean:+.1f} ± {100 * gap.estimate.half_width:.1f} ({gap.won}/{gap.seeds})"


def _rank_cell(values: pandas.Series, seeds: int) -> str:
    """The mean, and how many seeds it is of where that is not all."""
    if not len(values):
        return "-"
    return f"{values.mean():.2f}" + (f" ({len(values)}/{seeds})" if len(values) < seeds else "")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return markdown_table(head, rows, sum(1 for name in head if name in ("rule", "reward model", "when")))
