"""A comparison with a real model as a page: accuracies, what the reward model ranked, and what its groups were.

write_words(read_words_table(Path("docs/science/words.parquet")), Path("docs/science"))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hero_lab.arena.evaluation import Kind, Measured
from hero_lab.arena.page import write_image
from hero_lab.arena.results import LABELS, difference, rows
from hero_lab.words.demo import START, WordsResult
from hero_rl.files.whole import write_whole

__all__ = ["accuracy_table", "words_page", "write_words"]

_ALONE = "verifier_only"
_HARD_FIRST: tuple[Kind, Kind] = ("hard", "easy")
_SPAN = 10  # steps at the beginning and at the end that are shown

# (metric, its head in the table, in percent)
_COURSE = (
    ("hero/frac_groups_mixed", "mixed groups", True),
    ("hero/frac_groups_all_correct", "all right", True),
    ("frac_reward_zero_std", "silent groups", True),
    ("hero/advantage_mass_uniform", "advantage in uniform groups", True),
    ("hero/rm_auroc", "AUROC by the verifier", False),
    ("hero/trust", "trust", False),
    ("entropy", "entropy", False),
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
    parts += ["![Accuracy while training, and the groups of each rule](words.svg)"]
    parts += [_accuracies(result), _aurocs(result), _courses(result)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _what_ran(result: WordsResult) -> str:
    settings, arm = result.settings, result.settings.arm
    held = " and ".join(f"{len(result.start[0][kind].sampled)} {kind}" for kind in _HARD_FIRST)
    times = [line["step_time"] for one in result.arms for line in one.steps if "step_time" in line]
    scoring = [
        line["reward_model/seconds"] for one in result.arms for line in one.steps if "reward_model/seconds" in line
    ]
    took = f"A step took {_mean(times):.0f} s of one core, of which the reward model {_mean(scoring):.1f} s. "
    return (
        f"{result.introduction} A step is {arm.prompts_per_step} prompts x {arm.num_generations} rollouts, the rate "
        f"{arm.learning_rate:g}, {settings.cold_start.epochs} epochs of at most {settings.cold_start.examples} "
        f"demonstrations before it ([how it is made](arena.md#with-a-real-language-model)). {took if times else ''}"
        f"Accuracy in % by the oracle on {held} held-out problems, {arm.samples} samples of each at temperature 1 and "
        f"one greedy. In points: {result.caveat}. `words.parquet` beside this page has every number; `hero study "
        "words` made the page of it."
    )


def _accuracies(result: WordsResult) -> str:
    first, count = result.settings.first_seed, result.settings.seeds
    if count == 1:
        return f"## Accuracy\n\n{accuracy_table(result)}"
    parts = [f"## Accuracy\n\nMean over {count} seeds.\n\n{accuracy_table(result)}"]
    for at in range(count):
        own = replace(
            result,
            settings=result.settings.model_copy(update={"seeds": 1, "first_seed": first + at}),
            start=[result.start[at]],
            arms=[arm for arm in result.arms if arm.seed == first + at],
        )
        parts.append(f"### Seed {first + at}\n\n± is over problems.\n\n{accuracy_table(own)}")
    return "\n\n".join(parts)


def accuracy_table(result: WordsResult) -> str:
    """Accuracy of each rule by kind and way of decoding, and what it adds to the verifier alone, sampled."""
    head = ["rule", *(f"{kind}, {how}" for kind in _HARD_FIRST for how in ("sampled", "greedy"))]
    head += [f"{kind}, less verifier only" for kind in _HARD_FIRST]
    there = {arm.name for arm in result.arms}
    lines = []
    for row in rows(replace(result, settings=_with_arms(result, there))):
        cells = [_percent(measured[kind]) for kind in _HARD_FIRST for measured in (row.sampled, row.greedy)]
        compared = row.name not in (START, _ALONE) and _ALONE in there
        cells += [_points(result, row.name, kind) if compared else "" for kind in _HARD_FIRST]
        lines.append([row.label, *cells])
    return _table(head, lines)


def _with_arms(result: WordsResult, names: set[str]):
    return result.settings.model_copy(update={"arms": [name for name in LABELS if name in names]})


def _points(result: WordsResult, name: str, kind: Kind) -> str:
    found = difference(result, name, _ALONE, kind)
    won = f" ({found.seeds_won}/{found.seeds})" if found.seeds > 1 else ""
    return f"{100 * found.gap.mean:+.1f} ± {100 * found.gap.half_width:.1f}{won}"


def _percent(measured: Measured) -> str:
    return f"{100 * measured.mean:.1f} ± {100 * measured.half_width:.1f}"


def _aurocs(result: WordsResult) -> str:
    """How well the reward model ranks the responses of each policy; empty where it was not looked at."""
    lines = []
    for name in (START, *LABELS):
        known = [own for (rule, _), own in result.aurocs.items() if rule == name]
        if known:
            means = [_mean([value for own in known if (value := own.get(kind)) is not None]) for kind in _HARD_FIRST]
            lines.append([LABELS.get(name, "before RL"), *(f"{value:.2f}" for value in means)])
    if not lines:
        return ""
    lead = (
        "AUROC of the reward model over the sampled responses to the held-out problems, against the oracle: mean over "
        "the problems that have right and wrong ones."
    )
    return f"## The reward model\n\n{lead}\n\n{_table(['policy after', *_HARD_FIRST], lines)}"


def _courses(result: WordsResult) -> str:
    """What the groups of each rule were in the first and in the last steps."""
    lines = []
    for name in LABELS:
        runs = [arm.steps for arm in result.arms if arm.name == name]
        if runs:
            lines.append([LABELS[name], *(_course(runs, metric, percent) for metric, _, percent in _COURSE)])
    lead = (
        f"By the verifier, mean over the first {_SPAN} steps and over the last. A silent group has no advantage. What "
        "lies in uniform groups, as a part of the absolute advantage, the reward model decides alone."
    )
    return f"## Groups and advantages\n\n{lead}\n\n{_table(['rule', *(head for _, head, _ in _COURSE)], lines)}"


def _course(runs: Sequence[Sequence[dict[str, float]]], metric: str, percent: bool) -> str:
    ends = []
    for part in (slice(None, _SPAN), slice(-_SPAN, None)):
        values = [line[metric] for run in runs for line in run[part] if line.get(metric) is not None]
        if not values:
            return ""
        ends.append(f"{_mean(values):.0%}" if percent else f"{_mean(values):.2f}")
    return " to ".join(ends)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else float("nan")


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rule = f"|---|{'---:|' * (len(head) - 1)}"
    return "\n".join([f"| {' | '.join(head)} |", rule, *(f"| {' | '.join(line)} |" for line in lines)])
