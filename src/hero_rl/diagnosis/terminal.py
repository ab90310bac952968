"""A diagnosis in the terminal: the numbers that matter, then the findings."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from hero_rl.diagnosis.findings import suggested
from hero_rl.diagnosis.numbers import Diagnosis, Finding, Mass
from hero_rl.diagnosis.replay import uniform_share
from hero_rl.diagnosis.report import KINDS, LEVELS, RARE_KINDS, RULE_NAMES, rule_name
from hero_rl.diagnosis.telling import excerpt
from hero_rl.diagnosis.trainers import flat, to_paste
from hero_rl.diagnosis.wording import DASH, decimal, number, of, percent, within

__all__ = ["print_diagnosis"]

_COLOURS = {"act": "bold red", "look": "bold yellow", "good": "bold green"}


def print_diagnosis(diagnosis: Diagnosis, console: Console) -> None:
    """Groups, advantage mass, ranking and weights in tables, and the findings in words."""
    for table in (_groups(diagnosis), _mass(diagnosis), _numbers(diagnosis)):
        console.print(table)
        console.print()
    if diagnosis.domains:
        console.print(_domains(diagnosis))
        console.print()
    if diagnosis.sweep:
        console.print(_sweep(diagnosis))
        console.print()
    for finding in diagnosis.findings:
        _print_finding(finding, console)
    _print_settings(suggested(diagnosis), console)


def _print_settings(blocks: dict[str, Any], console: Console) -> None:
    if blocks:
        console.print(Text("\nAll of it together, to paste:", "bold"))
        for trainer, text in to_paste(blocks).items():
            console.print(Text(f"\n# {trainer}", "bright_black"))
            console.print(Text(text), soft_wrap=True)  # a line that is broken cannot be pasted


def _print_finding(finding: Finding, console: Console) -> None:
    head = ((f"{LEVELS[finding.level]:<7}", _COLOURS[finding.level]), (finding.title, "bold"))
    console.print(Text.assemble(*head, (f" {finding.name}", "bright_black")))
    changes = ", ".join(f"{name}: {value}" for name, value in flat(finding.settings))
    for line in (finding.evidence, finding.advice, changes and f"--> {changes}"):
        if line:
            console.print(Padding(Text(excerpt(line, 600)), (0, 0, 0, 7)))


def _table(*heads: str) -> Table:
    table = Table(*heads, box=None, pad_edge=False, header_style="bold")
    for column in table.columns[1:]:
        column.justify = "right"
    return table


def _groups(d: Diagnosis) -> Table:
    table = _table("groups", "", "share", "advantage mass")
    base = next(mass for mass in d.mass if mass.rule == "hero" and mass.scale == d.rule.scale)
    for kind in KINDS:
        count = getattr(d.groups, kind)
        if count or kind not in RARE_KINDS:
            shares = (percent(count / d.groups.total), percent(getattr(base, kind)))
            table.add_row(kind.replace("_", " "), f"{count:,}", *shares)
    return table


def _mass(d: Diagnosis) -> Table:
    table = _table("advantage mass in uniform groups", "scale none", "group", "batch")
    for rule in RULE_NAMES:
        said = rule_name(d, rule)
        by_scale = {mass.scale: _uniform(mass) for mass in d.mass if mass.rule == rule}
        if None in by_scale:
            table.add_row(f"{said} (divides by the batch's)", "", "", by_scale[None])
        else:
            table.add_row(said, *(by_scale[scale] for scale in ("none", "group", "batch")))
    return table


def _domains(d: Diagnosis) -> Table:
    table = _table("domain", "rollouts", "correct", "mixed groups", "AUROC in these", "trust", "without verifier")
    for one in d.domains:
        counts = (f"{one.rows:,}", percent(one.verdict), f"{one.groups.mixed:,}")
        more = (within(one.auroc), decimal(one.trust), f"{one.unverified:,}")
        table.add_row(escape(excerpt(one.name, 40)), *counts, *more)
    return table


def _uniform(mass: Mass) -> str:
    return percent(uniform_share(mass.model_dump()))


def _numbers(d: Diagnosis) -> Table:
    table = _table("rollouts", "")
    weight = d.weights[d.rule.sigma]
    rows = {
        "columns": ", ".join(d.source.columns.values()) or DASH,
        "rollouts, in batches": f"{d.source.rows:,}, {d.source.batches:,}",
        "correct": percent(d.source.verdict_mean),
        "without verdict, without score": f"{d.source.abstained + d.source.unverified:,}, {d.source.missing_scores:,}",
        "starved groups rescued": f"{d.starvation.rescued:,} of {d.starvation.starved:,}",
        "AUROC in mixed groups": within(d.ranking.mean),
        "AUROC over all rollouts": within(d.ranking.pooled),
        "mixed groups with AUROC under 0.5": percent(d.ranking.under_half),
        "trust of gated HERO after the last batch": decimal(d.ranking.trust),
        "score and length, within strata": within(d.length.within),
        "strata of one score, scores tied": f"{d.bands.singletons:,}, {percent(d.bands.tied)}",
        f"weight near w_min, w_max (sigma {d.rule.sigma})": f"{percent(weight.at_min)}, {percent(weight.at_max)}",
        "weight, 10th to 90th percentile": f"{number(weight.p10)} to {number(weight.p90)}",
    }
    if d.source.partial:
        rows["with partial credit"] = of(d.source.partial, d.source.rows)
    if d.labels is not None:
        rows["right rollouts rejected, by label"] = of(d.labels.missed, d.labels.right)
        rows["wrong rollouts accepted, by label"] = of(d.labels.accepted, d.labels.wrong)
        rows["AUROC by label, starved groups"] = within(d.labels.auroc_starved)
    for name, value in rows.items():
        table.add_row(name, value)
    return table


def _sweep(d: Diagnosis) -> Table:
    labelled = ["sign"] if d.labels is not None else []
    table = _table(*d.sweep[0].settings, "uniform", "all correct", "all incorrect", "rank corr.", *labelled)
    table.columns[0].justify = "right"
    for row in d.sweep:
        shares = [percent(share) for share in (row.uniform, row.all_correct, row.all_incorrect)]
        rank = DASH if row.rank_correlation is None else f"{row.rank_correlation:.3f}"
        table.add_row(*map(str, row.settings.values()), *shares, rank, *(percent(row.agreement) for _ in labelled))
    return table
