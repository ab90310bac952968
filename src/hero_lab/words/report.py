"""A comparison with a real model as a page: accuracies, what the reward model ranked, and what its groups were.

write_words(read_words_table(Path("docs/science/words.parquet")), Path("docs/science"))
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from hero_lab.arena.evaluation import Kind, Measured
from hero_lab.arena.page import pm, write_image
from hero_lab.arena.results import FEW_SEEDS, LABELS, START, difference, estimate, rows
from hero_lab.markdown import markdown_table
from hero_lab.words.demo import WordsResult
from hero_rl.files.whole import write_whole

__all__ = ["accuracy_table", "words_page", "write_words"]

_ALONE = "verifier_only"
_HARD_FIRST: tuple[Kind, Kind] = ("hard", "easy")
# Metric, whether it is shown in percent, and its head in the table.
_COURSE = (
    ("rewards/verifier/mean", True, "right rollouts"),
    ("hero/frac_groups_mixed", True, "mixed groups"),
    ("hero/frac_groups_all_correct", True, "all right"),
    ("frac_reward_zero_std", True, "silent groups"),
    ("hero/advantage_mass_uniform", True, "advantage in uniform groups"),
    ("hero/rm_auroc", False, "AUROC against the verifier"),
    ("hero/trust", False, "trust"),
    ("entropy", False, "entropy"),
)


def write_words(result: WordsResult, folder: Path, notes: str = "") -> list[Path]:
    """Write `words.md` and `words.svg` into a folder; the notes are put before the tables."""
    page, figure = folder / "words.md", folder / "words.svg"
    write_whole(page, words_page(result, notes))
    write_image(result, figure)
    return [page, figure]


def words_page(result: WordsResult, notes: str = "") -> str:
    """The page as Markdown."""
    parts = ["# A real language model", _what_ran(result), notes.strip()]
    parts += ["![Accuracy while training, and the groups of each rule](words.svg)", _caption(result)]
    parts += [_accuracies(result), _exact(result), _aurocs(result), _courses(result)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _caption(result: WordsResult) -> str:
    return f"*Above: {result.above}. Below: groups by the verifier, likewise.*"


def _what_ran(result: WordsResult) -> str:
    arm = result.settings.arm
    held = " and ".join(f"{len(result.start[0][kind].sampled)} {kind}" for kind in _HARD_FIRST)
    return (
        f"{result.introduction} Each step takes {arm.prompts_per_step} prompts x {arm.num_generations} rollouts; the "
        f"learning rate is {arm.learning_rate:g}. [How it is made](arena.md#with-a-real-language-model). "
        f"{_times(result)}Accuracy in % by the oracle on {held} held-out problems ({arm.split} split): {arm.samples} "
        "samples of each at temperature 1, and one greedy, from weights in bfloat16. Differences are from the verifier "
        f"alone, in points of sampled accuracy; {result.caveat}. `words.parquet` beside this page has every number; "
        "`hero study words` made the page of it."
    )


def _times(result: WordsResult) -> str:
    """Seconds of a step, of which the reward model's; empty where they were not written down."""
    steps, scoring = (
        [line[name] for arm in result.arms for line in arm.steps if line.get(name) is not None]
        for name in ("step_time", "reward_model/seconds")
    )
    if not (steps and scoring):
        return ""
    return f"A step took {_mean(steps):.0f} s on average, of which the reward model {_mean(scoring):.1f} s. "


def _accuracies(result: WordsResult) -> str:
    first, count = result.settings.first_seed, result.settings.seeds
    parts = [f"## Accuracy\n\n{accuracy_table(result)}"]
    for at in range(count if count > 1 else 0):
        own = replace(
            result,
            settings=result.settings.model_copy(update={"seeds": 1, "first_seed": first + at}),
            start=[result.start[at]],
            arms=[arm for arm in result.arms if arm.seed == first + at],
        )
        lead = "± is over problems: luck in training is not covered."
        parts.append(f"### Seed {first + at}\n\n{lead}\n\n{accuracy_table(own)}")
    return "\n\n".join(parts)


def accuracy_table(result: WordsResult) -> str:
    """Accuracy of each rule by kind and way of decoding, and what it adds to the verifier alone, in Markdown.

    With several seeds ± is over seeds, and an arm that has few of them has none.
    """
    counts = Counter([START] * len(result.start) + [arm.name for arm in result.arms])
    shown = [name for name in LABELS if counts[name]]
    ordered = replace(result, settings=result.settings.model_copy(update={"arms": shown}))
    lines = []
    for row in rows(ordered):
        bare = counts[row.name] < FEW_SEEDS <= result.settings.seeds
        cells = [_value(measured[kind], bare) for kind in _HARD_FIRST for measured in (row.sampled, row.greedy)]
        compared = counts[_ALONE] and row.name not in (START, _ALONE)
        cells += [_points(result, row.name, kind) if compared else "" for kind in _HARD_FIRST]
        lines.append([row.label, str(counts[row.name]), *cells])
    head = ["rule", "seeds", *(f"{kind}, {how}" for kind in _HARD_FIRST for how in ("sampled", "greedy"))]
    return markdown_table([*head, *(f"{kind}, less verifier only" for kind in _HARD_FIRST)], lines)


def _value(measured: Measured, bare: bool) -> str:
    return f"{100 * measured.mean:.1f}" if bare else pm(measured)


def _points(result: WordsResult, name: str, kind: Kind) -> str:
    found = difference(result, name, _ALONE, kind)
    if found is None:
        return ""
    if found.seeds < FEW_SEEDS <= result.settings.seeds:
        return f"{100 * found.gap.mean:+.1f}"
    won = f" ({found.seeds_won}/{found.seeds})" if found.seeds >= FEW_SEEDS else _of_few(found.by_seed, "+.1f")
    return f"{100 * found.gap.mean:+.1f} ± {100 * found.gap.half_width:.1f}{won}"


def _of_few(by_seed: Sequence[float], form: str) -> str:
    """Each seed's own figure in brackets, where their number allows no interval over them."""
    values = ", ".join(f"{100 * value:{form}}" for value in by_seed)
    return f" ({values})" if 1 < len(by_seed) < FEW_SEEDS else ""


def _exact(result: WordsResult) -> str:
    """How often each policy writes the answer as its set does, and what RL added to that."""
    seeds = range(result.settings.first_seed, result.settings.first_seed + result.settings.seeds)
    lines = []
    for name in (START, *LABELS):
        own = [seed for seed in seeds if result.exact.get((name, seed))]
        if own:
            shares = {kind: [result.exact[name, seed][kind] for seed in own] for kind in _HARD_FIRST}
            before = {kind: [result.exact[START, seed][kind] for seed in own] for kind in _HARD_FIRST}
            added = ["" if name == START else _gap(shares[kind], before[kind]) for kind in _HARD_FIRST]
            values = [
                pm(estimate(shares[kind])) + _of_few([_mean(seed) for seed in shares[kind]], ".1f")
                for kind in _HARD_FIRST
            ]
            lines.append([LABELS.get(name, "before RL"), *values, *added])
    if not lines:
        return ""
    lead = (
        "Sampled responses that match the set's answer exactly, in %: the training reward of hard problems, and how it "
        "changed. The oracle of the table above compares values only, whatever the unit."
    )
    head = ["policy", *_HARD_FIRST, *(f"{kind}, less before RL" for kind in _HARD_FIRST)]
    return f"## By exact match\n\n{lead}\n\n{markdown_table(head, lines)}"


def _gap(after: Sequence[Sequence[float]], before: Sequence[Sequence[float]]) -> str:
    """What the same problems of the same seeds gained, in points."""
    gains = [[new - old for new, old in zip(*own, strict=True)] for own in zip(after, before, strict=True)]
    found = estimate(gains)
    return f"{100 * found.mean:+.1f} ± {100 * found.half_width:.1f}"


def _aurocs(result: WordsResult) -> str:
    """How well the reward model ranks the responses of each policy."""
    lines = []
    for name in (START, *LABELS):
        seeds = [own for (rule, _), own in result.aurocs.items() if rule == name]
        if seeds:
            lines.append(
                [LABELS.get(name, "before RL"), *(_ranked([own[kind] for own in seeds]) for kind in _HARD_FIRST)]
            )
    lead = (
        "AUROC of the reward model over the sampled responses to a held-out problem, against the oracle: mean over the "
        "problems that have right and wrong ones, those of all seeds together, with a 95% interval over them and their "
        "number. These are not the same problems for every policy."
    )
    return f"## The reward model\n\n{lead}\n\n{markdown_table(['policy', *_HARD_FIRST], lines)}"


def _ranked(seeds: Sequence[Sequence[float]]) -> str:
    values = [value for own in seeds for value in own]
    if len(values) < 2:
        return "-"
    found = Measured.of(torch.tensor(values, dtype=torch.float64))
    return f"{found.mean:.2f} ± {found.half_width:.2f} ({len(values)})"


def _courses(result: WordsResult) -> str:
    """What the groups of each rule were in the first and in the last quarter of its steps."""
    span = result.settings.arm.steps // 4
    if not span:
        return ""
    lines = []
    for name in LABELS:
        runs = [arm.steps for arm in result.arms if arm.name == name]
        if runs:
            lines.append([LABELS[name], *(_course(runs, span, metric, percent) for metric, percent, _ in _COURSE)])
    groups = span * result.settings.arm.prompts_per_step
    lead = (
        f"By the verifier, in the first {span} steps and in the last ({groups} groups a seed). A silent group gives no "
        "gradient. In a uniform group, all right or all wrong, only the reward model tells rollouts apart; the column "
        "has the part of the absolute advantage that lies in such groups."
    )
    return f"## Groups and advantages\n\n{lead}\n\n{markdown_table(['rule', *(head for *_, head in _COURSE)], lines)}"


def _course(runs: Sequence[Sequence[dict[str, float]]], span: int, metric: str, percent: bool) -> str:
    ends = []
    for part in (slice(None, span), slice(-span, None)):
        values = [line[metric] for run in runs for line in run[part] if line.get(metric) is not None]
        if not values:
            return ""
        ends.append(f"{_mean(values):.0%}" if percent else f"{_mean(values):.2f}")
    return " to ".join(ends)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
