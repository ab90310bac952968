"""A log of rollouts, diagnosed: every number of the report, in one pure function of the log and the base rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from hero_rl.diagnosis.bands import bands, saturation
from hero_rl.diagnosis.domains import domain_numbers
from hero_rl.diagnosis.findings import findings
from hero_rl.diagnosis.groups import by_difficulty, counts, starvation
from hero_rl.diagnosis.intervals import histogram
from hero_rl.diagnosis.labels import label_check
from hero_rl.diagnosis.log import Collector, RolloutLog
from hero_rl.diagnosis.numbers import Diagnosis, Histogram, Mass, ReasonCount, Source, Telling, Width
from hero_rl.diagnosis.ranking import overlap, ranking
from hero_rl.diagnosis.replay import Replay, earned, mass_shares, replay, rules_by_scale, uniform_share
from hero_rl.diagnosis.sweep import sweep
from hero_rl.diagnosis.table import GroupTable
from hero_rl.diagnosis.telling import excerpt
from hero_rl.diagnosis.trends import by_step, drift, length_bias
from hero_rl.errors import DataError
from hero_rl.rules import Hero

__all__ = ["diagnose", "replays"]

_NAME = 300  # characters of a file's or a column's name
_WIDTHS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3)


def replays(grid: Sequence[Any]) -> int:
    """How often a diagnosis with such a sweep replays the log, for a progress bar."""
    return len(rules_by_scale(Hero())) + 2 * len(_WIDTHS) + len(grid)


def diagnose(
    collected: Collector,
    source: dict[str, Any],
    rule: Hero = Hero(),  # noqa: B008 - frozen
    grid: Sequence[tuple[dict[str, Any], Hero]] = (),
    progress: Callable[[], object] = lambda: None,
) -> Diagnosis:
    """Compute everything and say what was found.

    Args:
        collected: the rollouts.
        source: `path`, `format`, `verdicts_from`, `scores_from` and `labels_from`.
        rule: the base rule that the numbers are of.
        grid: other settings to replay; see `parse_sweep`.
        progress: called after each replay.

    Raises:
        DataError: there are no rollouts.
    """
    with _one_thread():
        found = _numbers(collected, source, rule, grid, progress)
    return found.model_copy(update={"findings": findings(found)})


@contextmanager
def _one_thread() -> Iterator[None]:
    """Keep torch to one thread: on tensors as small as a batch's, threads cost more than they bring."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _numbers(
    collected: Collector,
    source: dict[str, Any],
    rule: Hero,
    grid: Sequence[tuple[dict[str, Any], Hero]],
    progress: Callable[[], object],
) -> Diagnosis:
    log = collected.log()
    if not len(log):
        raise DataError(f"{source['path']}: no rollouts")
    table, base = GroupTable.of(log), replay(log, rule)
    weights = {"raw": saturation(log, table, rule, "raw"), "relative": saturation(log, table, rule, "relative")}
    steps = by_step(log, table)
    return Diagnosis(
        source=_source(log, table, source | {"repeated": collected.repeated}),
        rule=rule,
        groups=counts(table),
        difficulty=by_difficulty(log, table, base),
        starvation=starvation(table, base),
        mass=_masses(log, table, rule, progress),
        widths=_widths(log, table, rule, progress),
        ranking=ranking(log, table, rule),
        domains=domain_numbers(log, table, rule),
        overlap=overlap(log),
        labels=label_check(log, table),
        bands=bands(log, table, rule),
        weights=weights,  # pyright: ignore[reportArgumentType]
        length=length_bias(log, table),
        steps=steps,
        drift=drift(steps, weights["raw"].sigma_mean),
        reasons=[
            ReasonCount(reason=reason, verdict=verdict, count=count)
            for (reason, verdict), count in collected.reasons.most_common()
        ],
        telling=_telling(collected, log),
        sweep=sweep(log, table, grid, base, progress),
    )


def _source(log: RolloutLog, table: GroupTable, source: dict[str, Any]) -> Source:
    sizes = np.bincount(log.group.numpy())
    score = log.score[~log.score.isnan()]
    both = ~log.score.isnan() & ~log.verdict.isnan()
    said: dict[str, Any] = {n: excerpt(v, _NAME) if isinstance(v, str) else v for n, v in source.items()}
    return Source(
        **said,
        rows=len(log),
        batches=len(log.starts),
        group_size=(int(sizes.min()), float(np.median(sizes)), int(sizes.max())),
        abstained=int((log.verdict.isnan() & ~log.unverified).sum()),
        unverified=int(log.unverified.sum()),
        partial=int(((log.verdict > 0) & (log.verdict < 1)).sum()),
        missing_scores=int(log.score.isnan().sum()),
        verdict_mean=log.verdict.nanmean().item(),
        score_mean=score.mean().item(),
        score_std=score.std(correction=0).item() if len(score) else None,
        score_min=score.min().item() if len(score) else None,
        score_max=score.max().item() if len(score) else None,
        score_values=len(score.unique()),
        score_equals_verdict=bool(both.any() and (log.score == log.verdict)[both].all()),
        scores=_scores(log),
    )


def _scores(log: RolloutLog) -> dict[Any, Histogram]:
    """Scores by verdict; a few far outliers share the outermost bins."""
    present = ~log.score.isnan() & ~log.verdict.isnan()
    if not present.any():
        return {"correct": [], "incorrect": []}
    low, high = np.quantile(log.score[present].numpy(), [0.001, 0.999])
    low, high = (low - 0.5, high + 0.5) if low == high else (low, high)
    clipped = log.score.clamp(float(low), float(high))
    return {
        name: histogram(clipped[present & (log.verdict == word)], float(low), float(high), 30)
        for name, word in (("correct", 1), ("incorrect", 0))
    }


def _masses(log: RolloutLog, table: GroupTable, rule: Hero, progress: Callable[[], object]) -> list[Mass]:
    masses = []
    for name, scale, other in rules_by_scale(rule):
        advantage = replay(log, other, earned(log, other)).advantage
        held = table.groups.sum(advantage.abs(), torch.ones_like(advantage, dtype=torch.bool))
        masses.append(Mass(rule=name, scale=scale, groups=int((held > 0).sum()), **mass_shares(advantage, table)))
        progress()
    return masses


def _widths(log: RolloutLog, table: GroupTable, rule: Hero, progress: Callable[[], object]) -> list[Width]:
    widths = []
    for scale in ("none", "group"):
        for width in _WIDTHS:
            played = replay(log, rule.model_copy(update={"alpha": width, "beta": width, "scale": scale}))
            widths.append(Width(width=width, scale=scale, uniform=_uniform(played, table)))
            progress()
    return widths


def _uniform(played: Replay, table: GroupTable) -> float | None:
    return uniform_share(mass_shares(played.advantage, table))


def _telling(collected: Collector, log: RolloutLog) -> list[Telling]:
    present = ~log.score.isnan()
    other = {
        "incorrect_high": log.score[present & (log.verdict == 1)],
        "correct_low": log.score[present & (log.verdict == 0)],
    }
    rows = []
    for kind, scores in other.items():
        for candidate in collected.telling.picked(kind):  # pyright: ignore[reportArgumentType]
            passed = scores < candidate.score if kind == "incorrect_high" else scores > candidate.score
            share = passed.double().mean().item()
            rows.append(Telling(kind=kind, passes=share, **vars(candidate)))  # pyright: ignore[reportArgumentType]
    return rows
