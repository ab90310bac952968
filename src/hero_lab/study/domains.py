"""Trust by domain as a page: accuracy by type of problem, where the reward model is turned round on one of them.

write_domains(read_table(Path("docs/science/domains.parquet")), Path("docs/science"))
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from hero_lab.arena.task import HARD_TYPES
from hero_lab.study.bench import difference, percent
from hero_lab.study.estimates import Selection
from hero_lab.study.plan import PARTS
from hero_rl.files.whole import write_whole

if TYPE_CHECKING:
    import pandas

__all__ = ["domains_page", "write_domains"]

_ALONE = Selection("verifier only")
_ARMS = tuple(Selection(rule, quality="two-faced") for rule in PARTS["domains"][1].rules)
_TURNED = "S"


def write_domains(frame: pandas.DataFrame, folder: Path, notes: str = "") -> list[Path]:
    """Write `domains.md` into a folder; the notes are put before the tables."""
    page = folder / "domains.md"
    write_whole(page, domains_page(frame, notes))
    return [page]


def domains_page(frame: pandas.DataFrame, notes: str = "") -> str:
    """The page as Markdown: what ran, accuracies by type, the trust that each type had at the end."""
    parts = ["# Trust by domain", _what_ran(frame), notes.strip(), _accuracies(frame), _trusts(frame)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _what_ran(frame: pandas.DataFrame) -> str:
    cells = frame.groupby("cell", observed=True).first()
    arm = json.loads(cells["config"].iloc[0])["cell"]["arm"]
    seeds = ", ".join(map(str, sorted(set(cells["seed"]))))
    return (
        f"{len(cells)} cells of [the arena](arena.md#the-study) (seeds {seeds}; {arm['steps']} steps of "
        f"{arm['prompts_per_step']} hard-to-verify prompts x {arm['num_generations']} rollouts). The reward model is "
        f"the strong one, turned round on problems of type `{_TURNED}`; the verifier can judge all types. Accuracy in "
        f"% by the oracle on held-out prompts of each type ({arm['prompts']} hard ones in all, {arm['samples']} "
        "samples of each); differences are from the verifier alone with the same seed, in points; ± is the half-width "
        "of a 95% t-interval over seeds, which one seed does not have. `hero study domains` made the page of "
        "`domains.parquet`."
    )


def _accuracies(frame: pandas.DataFrame) -> str:
    kinds = [*HARD_TYPES, "hard", "easy"]
    head = ["rule", "seeds", *(f"`{kind}`" if kind in HARD_TYPES else kind for kind in kinds)]
    head += [f"{'`' + kind + '`' if kind in HARD_TYPES else kind}, less verifier only" for kind in kinds[:-1]]
    lines = [f"| {' | '.join(head)} |", f"|---|{'---:|' * (len(head) - 1)}"]
    for arm in (_ALONE, *_ARMS):
        seeds = len(arm.values(frame, "sampled", "hard"))
        if seeds:
            levels = [percent(frame, arm, kind, "sampled") for kind in kinds]
            gaps = ["" if arm is _ALONE else difference(frame, arm, _ALONE, kind) for kind in kinds[:-1]]
            lines.append(f"| {' | '.join([arm.rule, str(seeds), *levels, *gaps])} |")
    return "## Accuracy by type\n\n" + "\n".join(lines)


def _trusts(frame: pandas.DataFrame) -> str:
    """The trust of each type, mean over the last fifty steps and seeds; empty without."""
    lines = []
    for arm in _ARMS:
        row = [_late(frame, arm, "trust"), *(_late(frame, arm, f"trust {kind}") for kind in HARD_TYPES)]
        if any(row):
            lines.append(f"| {' | '.join([arm.rule, *row])} |")
    if not lines:
        return ""
    types = " | ".join(f"`{kind}`" for kind in HARD_TYPES)
    head = f"| rule | whole | {types} |\n|---|{'---:|' * (1 + len(HARD_TYPES))}"
    return f"## Trust\n\nMean over the last fifty steps and over seeds.\n\n{head}\n" + "\n".join(lines)


def _late(frame: pandas.DataFrame, arm: Selection, measure: str) -> str:
    steps = arm.by_step(frame, measure)
    return "" if steps.empty else f"{steps.iloc[:, -5:].to_numpy().mean():.2f}"
