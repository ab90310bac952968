"""Metrics of one batch: pure functions of signals and shaped results."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hero_rl.rules import Groups, Kinds, group_auroc
from hero_rl.signals import Shaped, Signals

__all__ = ["batch_metrics", "parts_by_domain"]


def batch_metrics(signals: Signals, shaped: Shaped) -> dict[str, float]:
    """The `hero/*` metrics of one batch; NaN where the batch does not define one.

    - `frac_groups_mixed`, `frac_groups_all_correct`, `frac_groups_all_incorrect`, `frac_groups_all_partial`: shares of
      the groups with at least one verdict, by what the verifier said; they sum to 1.
    - `frac_groups_rescued`: share of those groups that are uniform, hence starved under the verifier alone, and get a
      gradient all the same.
    - `rm_auroc`: AUROC of the score against the verdict, mean over mixed groups; of partial credit the concordance.
    - `sigma`: mean over the groups with at least two scores, those that sigma_bar is the running mean of.
    - `weight/mean`, `weight/p10`, `weight/p90`: over groups.
    - `advantage_mass_uniform`: share of the batch's |advantage| that uniform groups hold.
    - `frac_unscorable`: share of rollouts without a shaped reward.
    - `frac_unverified`, `advantage_mass_unverified`: share of rollouts that no verifier applies to, and of the batch's
      |advantage| that they hold.
    - `domains/<domain>/<name>`: where the signals name domains, some of these and the means of both signals in each.
    """
    return _of_batch(signals, shaped) | _by_domain(signals, shaped)


def _of_batch(signals: Signals, shaped: Shaped) -> dict[str, float]:
    groups = Groups.of(signals.group)
    scorable = ~signals.verdict.isnan()
    kinds = Kinds.of(signals.verdict, groups)
    judged, uniform = kinds.judged, kinds.uniform
    size = shaped.advantage.double().abs()
    mass = groups.sum(size, torch.ones_like(scorable))
    auroc = group_auroc(signals.score, signals.verdict, groups)
    known = groups.count(scorable & ~signals.score.isnan()) >= 2
    weight, sigma = _per_group(shaped.weight, groups), _per_group(shaped.sigma, groups)[known]
    return {
        "hero/frac_groups_mixed": _share(kinds.mixed, judged),
        "hero/frac_groups_all_correct": _share(kinds.all_correct, judged),
        "hero/frac_groups_all_incorrect": _share(kinds.all_incorrect, judged),
        "hero/frac_groups_all_partial": _share(kinds.all_partial, judged),
        "hero/frac_groups_rescued": _share(uniform & (mass > 0), judged),
        "hero/rm_auroc": auroc.nanmean().item(),
        "hero/sigma": sigma.mean().item(),
        "hero/weight/mean": weight.mean().item(),
        "hero/weight/p10": _quantile(weight, 0.1),
        "hero/weight/p90": _quantile(weight, 0.9),
        "hero/advantage_mass_uniform": _part(mass[uniform].sum(), mass.sum()),
        "hero/frac_unscorable": shaped.reward.isnan().double().mean().item(),
        "hero/frac_unverified": signals.unverified.double().mean().item(),
        "hero/advantage_mass_unverified": _part(size[signals.unverified].sum(), size.sum()),
    }


_IN_A_DOMAIN = ("frac_groups_mixed", "frac_groups_rescued", "rm_auroc", "weight/mean", "frac_unscorable")


def _by_domain(signals: Signals, shaped: Shaped) -> dict[str, float]:
    metrics: dict[str, float] = {}
    for domain, rows, part in parts_by_domain(signals):
        numbers = _of_batch(part, Shaped(*(getattr(shaped, each.name)[rows] for each in fields(shaped))))
        mine = {name: numbers[f"hero/{name}"] for name in _IN_A_DOMAIN}
        mine |= {"verdict": part.verdict.nanmean().item(), "score": part.score.nanmean().item()}
        metrics |= {f"hero/domains/{domain}/{name}": value for name, value in mine.items()}
    return metrics


def parts_by_domain(signals: Signals) -> Iterator[tuple[str, Bool[Tensor, " B"], Signals]]:
    """Each domain that the signals name, which rollouts are its own, and their signals."""
    for domain in sorted(set(signals.domain or ())):
        rows = torch.tensor([name == domain for name in signals.domain or ()], device=signals.verdict.device)
        verdict, score, group = signals.verdict[rows], signals.score[rows], signals.group[rows]
        yield (
            domain,
            rows,
            Signals(verdict, score, group, empty=signals.empty[rows], unverified=signals.unverified[rows]),
        )


def _per_group(values: Float[Tensor, " B"], groups: Groups) -> Float[Tensor, " S"]:
    return values.new_zeros(groups.number, dtype=torch.float64).index_copy_(0, groups.index, values.double())


def _share(part: Bool[Tensor, " S"], whole: Bool[Tensor, " S"]) -> float:
    return (part.sum() / whole.sum()).item() if whole.any() else float("nan")


def _part(part: Float[Tensor, ""], whole: Float[Tensor, ""]) -> float:
    return (part / whole).item() if whole > 0 else 0.0


def _quantile(values: Float[Tensor, " S"], q: float) -> float:
    # torch.quantile refuses more than 2**24 values; kthvalue has no such limit
    return values.kthvalue(1 + round(q * (len(values) - 1))).values.item() if len(values) else float("nan")
