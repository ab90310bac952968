"""A comparison with a real model as a page: accuracies, the form of answers, what was ranked, what the groups were.

write_words(read_words_table(Path("docs/science/words.parquet")), Path("docs/science"))
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from hero_lab.arena.evaluation import Kind, Measured
from hero_lab.arena.page import pm, write_image
from hero_lab.arena.results import FEW_SEEDS, LABELS, START, estimate, kinds
from hero_lab.markdown import markdown_table
from hero_lab.words.demo import WordsResult
from hero_lab.words.nearness import RUN
from hero_lab.words.problems import GYM
from hero_rl.files.whole import write_whole

__all__ = ["words_page", "write_words"]

_ALONE = "verifier_only"
_ORDER = {START: "before RL"} | LABELS
# Metric, whether it is shown in percent, and its head in the table.
_COURSE = (
    ("rewards/verifier/mean", True, "right rollouts"),
    ("hero/frac_groups_mixed", True, "mixed groups"),
    ("hero/frac_groups_all_correct", True, "all right"),
    ("frac_reward_zero_std", True, "silent groups"),
    ("hero/advantage_mass_uniform", True, "advantage in uniform groups"),
    ("hero/trust", False, "trust"),
    ("entropy", False, "entropy"),
)

Shares = Mapping[tuple[str, int], Mapping[str, Sequence[float]]]
"""By rule and seed, and by kind: of each held-out problem the share of responses that are something."""


def write_words(result: WordsResult, folder: Path, notes: str = "") -> list[Path]:
    """Write `words.md` and `words.svg` into a folder; the notes are put before the tables."""
    page, figure = folder / "words.md", folder / "words.svg"
    write_whole(page, words_page(result, notes))
    write_image(result, figure)
    return [page, figure]


def words_page(result: WordsResult, notes: str = "") -> str:
    """The page as Markdown."""
    parts = ["# A real language model", result.introduction, notes.strip()]
    parts += ["![Training by rule, and the groups of each rule](words.svg)", _caption(result)]
    parts += [_settings(result), _accuracies(result), _exact(result), _forms(result), _far(result)]
    parts += [_aurocs(result), _courses(result), _curves(result)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _caption(result: WordsResult) -> str:
    return f"*Above: {result.above}. Below: groups by the verifier, likewise.*"


def _settings(result: WordsResult) -> str:
    arm = result.settings.arm
    held = " and ".join(f"{len(result.start[0][kind].sampled)} {kind}" for kind in kinds(result))
    weights = result.made_of.get("weights")
    lines = [
        *([["weights before the cold start", weights]] if weights else []),
        ["seeds", _listed(result)],
        ["a step", f"{arm.prompts_per_step} prompts x {arm.num_generations} rollouts of at most "
         f"{arm.max_completion_length} tokens{_times(result)}"],
        ["steps, learning rate", f"{arm.steps}, {arm.learning_rate:g}"],
        ["held-out problems", f"{held} ({arm.split} split)"],
        ["answers to each", f"{arm.samples} at temperature 1, one greedy; weights in bfloat16"],
        ["intervals", result.caveat],
    ]  # fmt: skip
    lead = (
        "[How it is made](arena.md#with-a-real-language-model). `words.parquet` beside this page has every number from "
        "here on; `hero study words` made the page of it."
    )
    return f"## What ran\n\n{lead}\n\n{markdown_table(['', ''], lines, texts=2)}"


def _listed(result: WordsResult) -> str:
    first, count = result.settings.first_seed, result.settings.seeds
    return ", ".join(map(str, range(first, first + count)))


def _times(result: WordsResult) -> str:
    """Seconds of a step, of which the reward model's; empty where they were not written down."""
    steps, scoring = (
        [line[name] for arm in result.arms for line in arm.steps if line.get(name) is not None]
        for name in ("step_time", "reward_model/seconds")
    )
    if not (steps and scoring):
        return ""
    return f"; {_mean(steps):.0f} s on average, of which the reward model {_mean(scoring):.1f} s"


def _accuracies(result: WordsResult) -> str:
    sampled, greedy = (_by_value(result, how) for how in ("sampled", "greedy"))
    lead = "Right answers in % by the oracle, which compares values only, whatever the unit."
    tables = "\n\n".join(_compared(result, sampled, kind, greedy) for kind in kinds(result))
    return f"## Accuracy by value\n\n{lead} {_columns(result)}\n\n{tables}"


def _by_value(result: WordsResult, how: str) -> Shares:
    """Accuracy by the oracle, `sampled` or `greedy`."""
    start = {(START, seed): accuracy for seed, accuracy in result.starts.items()}
    arms = {(arm.name, arm.seed): arm.accuracy for arm in result.arms}
    return {key: {kind: getattr(own[kind], how) for kind in own} for key, own in (start | arms).items()}


def _exact(result: WordsResult) -> str:
    lead = (
        "Sampled responses that match the set's answer exactly, in %. This is what the verifier pays where RL is on "
        "hard problems."
    )
    tables = "\n\n".join(_compared(result, _measured(result, "exact"), kind) for kind in kinds(result))
    return f"## By exact match\n\n{lead}\n\n{tables}"


def _columns(result: WordsResult) -> str:
    """What the columns of the tables are."""
    said = "Differences are of the same problems and seeds, sampled, in points"
    if result.settings.seeds == 1:
        return f"{said}."
    if result.settings.seeds < FEW_SEEDS:
        return f"{said}; in brackets those of each seed."
    return f"{said}; in brackets the seeds in which the rule is ahead."


def _compared(result: WordsResult, shares: Shares, kind: Kind, greedy: Shares | None = None) -> str:
    """A table of one kind of problem: each rule's share, and what it is beside the start and the verifier alone."""
    lines = []
    for name, label in _ORDER.items():
        own = _of(shares, name, kind)
        if own:
            cells = [_share(result, own), *([_share(result, _of(greedy, name, kind))] if greedy else [])]
            cells += [
                _gap(result, own, _of(shares, other, kind)) if name not in (START, other) else ""
                for other in (START, _ALONE)
            ]
            lines.append([label, str(len(own)), *cells])
    head = [f"{kind} problems", "seeds", "sampled", *(["greedy"] if greedy else [])]
    return markdown_table([*head, "less before RL", "less verifier only"], lines)


def _of(shares: Shares, name: str, kind: str) -> dict[int, Sequence[float]]:
    """A rule's values by seed."""
    return {seed: own[kind] for (rule, seed), own in sorted(shares.items()) if rule == name and own.get(kind)}


def _share(result: WordsResult, own: Mapping[int, Sequence[float]]) -> str:
    values = list(own.values())
    if len(own) < FEW_SEEDS <= result.settings.seeds:
        return f"{100 * _mean([_mean(seed) for seed in values]):.1f}"
    return pm(estimate(values)) + _of_few([_mean(seed) for seed in values], ".1f")


def _gap(result: WordsResult, own: Mapping[int, Sequence[float]], others: Mapping[int, Sequence[float]]) -> str:
    """The difference on the same problems, over the seeds that both have."""
    both = sorted(own.keys() & others.keys())
    if not both:
        return ""
    gaps = [[one - other for one, other in zip(own[seed], others[seed], strict=True)] for seed in both]
    by_seed = [_mean(gap) for gap in gaps]
    if len(both) < FEW_SEEDS <= result.settings.seeds:
        return f"{100 * _mean(by_seed):+.1f}"
    found = estimate(gaps)
    won = f" ({sum(gap > 0 for gap in by_seed)}/{len(both)})" if len(both) >= FEW_SEEDS else _of_few(by_seed, "+.1f")
    return f"{100 * found.mean:+.1f} ± {100 * found.half_width:.1f}{won}"


def _of_few(by_seed: Sequence[float], form: str) -> str:
    """Each seed's own figure in brackets, where their number allows no interval over them."""
    values = ", ".join(f"{100 * value:{form}}" for value in by_seed)
    return f" ({values})" if 1 < len(by_seed) < FEW_SEEDS else ""


def _measured(result: WordsResult, measure: str) -> Shares:
    """One of a result's shares, of those that have it."""
    return {key: own[measure] for key, own in result.shares.items() if measure in own}


def _forms(result: WordsResult) -> str:
    """How often an answer is a bare number, which says what RL did to the form."""
    bare = _measured(result, "bare")
    lines = [
        [label, *(_share(result, _of(bare, name, kind)) for kind in kinds(result))]
        for name, label in _ORDER.items()
        if any(_of(bare, name, kind) for kind in kinds(result))
    ]
    if not lines:
        return ""
    lead = "Sampled responses whose answer is a bare number, without a unit, in %: the form of easy problems."
    return f"## The form of answers\n\n{lead}\n\n{markdown_table(['policy', *kinds(result)], lines)}"


def _far(result: WordsResult) -> str:
    """Accuracy on the problems that no demonstration is near."""
    flagged = _measured(result, "near")
    near: dict[Kind, list[bool]] = {
        kind: [any(flags) for flags in zip(*_of(flagged, START, kind).values(), strict=True)] for kind in kinds(result)
    }
    if result.settings.problems == GYM or not any(map(any, near.values())):
        return ""  # generated problems, of few templates, are near each other all
    many = " and ".join(f"{sum(flags)} of {len(flags)} {kind}" for kind, flags in near.items())
    far: Shares = {
        key: {
            kind: [share for share, is_near in zip(own[kind], flags, strict=True) if not is_near]
            for kind, flags in near.items()
        }
        for key, own in _by_value(result, "sampled").items()
    }
    lead = (
        f"{many} held-out problems share a run of {RUN} words, numbers aside, with a demonstration of a cold start. "
        "Accuracy by value on the others, in %:"
    )
    tables = "\n\n".join(_compared(result, far, kind) for kind, flags in near.items() if not all(flags))
    return f"## Problems unlike the demonstrations\n\n{lead}\n\n{tables}"


def _aurocs(result: WordsResult) -> str:
    """How well the reward model ranked the rollouts of training, at first and at last."""
    ends = _ends(result)
    if ends is None:
        return ""
    steps = {(arm.name, arm.seed): arm.steps for arm in result.arms}
    lines = [
        [
            LABELS[name],
            str(seed),
            *(_ranked_for_rules(steps[rule, seed], span, result) for span in ends),
            *(_ranked([value for step, value in found if step in span]) for span in ends),
        ]
        for name in LABELS
        for (rule, seed), found in sorted(result.aurocs.items())
        if rule == name
    ]
    lead = (
        "AUROC of the reward model's scores within the groups of training that have right and wrong rollouts: by the "
        "verifier, which is what the rules see, and by value, which the oracle tells; with their number, and by value "
        f"a 95% interval over them. In the first {len(ends[0])} steps and in the last. Each rule has groups of its own."
    )
    spans = [f"steps {span[0]} to {span[-1]}" for span in ends]
    head = ["rule", "seed", *(f"by the verifier, {span}" for span in spans), *(f"by value, {span}" for span in spans)]
    return f"## The reward model\n\n{lead}\n\n{markdown_table(head, lines)}" if lines else ""


def _ranked_for_rules(steps: Sequence[Mapping[str, float]], span: range, result: WordsResult) -> str:
    """Mean over groups of a metric that each step has as the mean over its own."""
    groups = result.settings.arm.prompts_per_step
    found = [
        (line["hero/rm_auroc"], line["hero/frac_groups_mixed"] * groups)
        for line in steps
        if line["step"] in span and line.get("hero/rm_auroc") is not None
    ]
    count = sum(many for _, many in found)
    return f"{sum(auroc * many for auroc, many in found) / count:.2f} ({count:.0f})" if count else "-"


def _ranked(values: Sequence[float]) -> str:
    if len(values) < 2:
        return "-"
    found = Measured.of(torch.tensor(values, dtype=torch.float64))
    return f"{found.mean:.2f} ± {found.half_width:.2f} ({len(values)})"


def _ends(result: WordsResult) -> tuple[range, range] | None:
    """The first quarter of the steps and the last."""
    steps = result.settings.arm.steps
    span = steps // 4
    return (range(1, span + 1), range(steps - span + 1, steps + 1)) if span else None


def _courses(result: WordsResult) -> str:
    """What the groups of each rule were at first and at last."""
    ends = _ends(result)
    if ends is None:
        return ""
    lines = [
        [
            LABELS[arm.name],
            str(arm.seed),
            *(_course(arm.steps, ends, metric, percent) for metric, percent, _ in _COURSE),
        ]
        for name in LABELS
        for arm in sorted(result.arms, key=lambda arm: arm.seed)
        if arm.name == name
    ]
    groups = len(ends[0]) * result.settings.arm.prompts_per_step
    lead = (
        f"By the verifier, in the first {len(ends[0])} steps and in the last ({groups} groups each). A silent group "
        "gives no gradient. In a uniform group, all right or all wrong, only the reward model tells rollouts apart; "
        "the column has the part of the absolute advantage that lies in such groups."
    )
    head = ["rule", "seed", *(head for *_, head in _COURSE)]
    return f"## Groups and advantages\n\n{lead}\n\n{markdown_table(head, lines)}"


def _course(steps: Sequence[dict[str, float]], ends: tuple[range, range], metric: str, percent: bool) -> str:
    means = []
    for span in ends:
        values = [line[metric] for line in steps if line["step"] in span and line.get(metric) is not None]
        if not values:
            return ""
        means.append(f"{_mean(values):.0%}" if percent else f"{_mean(values):.2f}")
    return " to ".join(means)


def _curves(result: WordsResult) -> str:
    """Greedy accuracy while training, on the few development problems that the policy is asked now and then."""
    looks = [{look["step"] for look in arm.curve} for arm in result.arms]
    common = sorted(set.intersection(*looks)) if looks else []
    if len(common) < 2:
        return ""
    tables = []
    for kind in kinds(result):
        lines = []
        for name in LABELS:
            curves = [
                {look["step"]: look[kind] for look in arm.curve if kind in look}
                for arm in result.arms
                if arm.name == name
            ]
            known = [curve for curve in curves if curve.keys() >= set(common)]
            if known:
                means = [_mean([curve[step] for curve in known]) for step in common]
                lines.append([LABELS[name], *(f"{100 * mean:.0f}" for mean in means)])
        if lines:
            tables.append(markdown_table([f"{kind}, after so many steps", *map(str, common)], lines))
    lead = (
        f"Greedy accuracy by value on at most {result.settings.arm.curve_prompts} development problems of each kind, "
        "in %, mean of the seeds. So few problems show where a policy breaks, not which of two is better."
    )
    return "\n\n".join(["## While training", lead, *tables]) if tables else ""


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
