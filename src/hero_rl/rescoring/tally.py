"""What a file's rollouts and the rule's answer amount to: sums over batches, which a resumed call adds up again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from hero_rl.monitoring import batch_metrics
from hero_rl.rules import Groups, Kinds, audited_pairs, group_auroc
from hero_rl.signals import Shaped, Signals

__all__ = ["summary", "tally"]

_KINDS = ("mixed", "all_correct", "all_incorrect", "all_partial")


def tally(
    signals: Signals,
    shaped: Shaped,
    reasons: Sequence[str | None],
    truncated: int,
    gated: bool = True,
    audited: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """Counts and sums of one batch.

    Args:
        signals: the batch.
        shaped: what the rule made of it.
        reasons: the verifier's word on each rollout; None where it was not asked.
        truncated: conversations that the reward model saw in part.
        gated: whether the rule can do nothing without a verdict.
        audited: what `Auditor.metrics` says of the batch, where an auditor was asked.
    """
    groups = Groups.of(signals.group)
    metrics = batch_metrics(signals, shaped)
    judged = int(Kinds.of(signals.verdict, groups).judged.sum())
    shares = {kind: metrics[f"hero/frac_groups_{kind}"] for kind in (*_KINDS, "rescued")}
    auroc = group_auroc(signals.score, signals.verdict, groups)
    lost = shaped.reward.isnan().tolist()
    unjudged = signals.verdict.isnan().tolist()
    why = [reason or "no_verdict" if gated and n else "no_score" for reason, n in zip(reasons, unjudged, strict=True)]
    return {
        "batches": 1,
        "rows": len(signals),
        "groups": groups.number,
        "judged": judged,
        **{kind: round(share * judged) if judged else 0 for kind, share in shares.items()},
        **_sum_and_count("verdict", signals.verdict),
        **_sum_and_count("score", signals.score),
        **_sum_and_count("auroc", auroc),
        **_masses(shaped, groups, signals),
        "unverified": int(signals.unverified.sum()),
        "unverified_ranked": int((signals.unverified & ~shaped.reward.isnan()).sum()),
        "truncated": truncated,
        "unscorable": dict(Counter(reason for reason, gone in zip(why, lost, strict=True) if gone)),
        "domains": _domains(signals, auroc, groups, lost),
        **_audits(signals, groups, audited or {}),
    }


def _audits(signals: Signals, groups: Groups, counted: Mapping[str, float]) -> dict[str, float]:
    """The counts and sums of the audits; nothing where no auditor was asked."""
    pairs, _ = audited_pairs(signals, groups)
    counts = {name.removeprefix("hero/"): count for name, count in counted.items()}
    return counts and counts | _sum_and_count("audit_auroc", pairs)


def _domains(signals: Signals, auroc: torch.Tensor, groups: Groups, lost: Sequence[bool]) -> dict[str, dict[str, Any]]:
    """The sums of each domain, where the signals name domains."""
    found: dict[str, dict[str, Any]] = {}
    for name in dict.fromkeys(signals.domain or ()):
        rows = torch.tensor([each == name for each in signals.domain or ()])
        found[name] = {
            "rows": int(rows.sum()),
            "unscorable": sum(gone for gone, mine in zip(lost, rows.tolist(), strict=True) if mine),
            **_sum_and_count("verdict", signals.verdict[rows]),
            **_sum_and_count("score", signals.score[rows]),
            **_sum_and_count("auroc", auroc[groups.count(rows) > 0]),
        }
    return found


def _masses(shaped: Shaped, groups: Groups, signals: Signals) -> dict[str, float]:
    """Sums of |advantage|, over all rollouts and over those of uniform groups, and of the groups' weights."""
    size = shaped.advantage.double().abs()
    per_group = groups.sum(size, torch.ones_like(signals.verdict, dtype=torch.bool))
    weight = size.new_zeros(groups.number).index_copy_(0, groups.index, shaped.weight.double())
    return {
        "mass": size.sum().item(),
        "mass_uniform": per_group[Kinds.of(signals.verdict, groups).uniform].sum().item(),
        "weight_sum": weight.sum().item(),
        "weight_count": groups.number,
    }


def _sum_and_count(name: str, values: torch.Tensor) -> dict[str, float]:
    present = values[~values.isnan()].double()
    return {f"{name}_sum": present.sum().item(), f"{name}_count": len(present)}


def summary(tallies: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The batches' tallies as one account of the file.

    `starved` counts the groups that have no gradient under the verifier alone, `rescued` those of them that get one
    from the rule; `auroc` is the mean over the mixed groups that have scores on both sides; `advantage_mass_uniform` is
    the uniform groups' share of all |advantage|; `audits`, None without an auditor, has the judgements asked for, those
    that failed, the pairs that were told apart and the share of these that the score ranks rightly.
    """
    total: Counter[str] = Counter()
    unscorable: Counter[str] = Counter()
    domains: dict[str, Counter[str]] = {}
    for one in tallies:
        total.update({name: value for name, value in one.items() if name not in ("unscorable", "domains")})
        unscorable.update(one["unscorable"])
        for name, sums in one.get("domains", {}).items():
            domains.setdefault(name, Counter()).update(sums)
    return {
        "rows": total["rows"],
        "batches": total["batches"],
        "groups": {
            "total": total["groups"],
            **{kind: total[kind] for kind in _KINDS},
            "unjudged": total["groups"] - total["judged"],
        },
        "starved": sum(total[kind] for kind in _KINDS if kind != "mixed"),
        "rescued": total["rescued"],
        "verdict_mean": _mean(total, "verdict"),
        "score_mean": _mean(total, "score"),
        "auroc": _mean(total, "auroc"),
        "advantage_mass_uniform": total["mass_uniform"] / total["mass"] if total["mass"] else None,
        "weight_mean": _mean(total, "weight"),
        "unscorable": {"rows": sum(unscorable.values()), "reasons": dict(unscorable.most_common())},
        "missing_scores": total["rows"] - total["score_count"],
        "without_verifier": {"rows": total["unverified"], "ranked": total["unverified_ranked"]},
        "truncated": total["truncated"],
        "audits": {
            "calls": int(total["audit_calls"]),
            "failed": int(total["audit_failed"]),
            "pairs": total["audit_auroc_count"],
            "auroc": _mean(total, "audit_auroc"),
        }
        if "audit_calls" in total
        else None,
        "domains": {
            name: {
                "rows": sums["rows"],
                **{f"{mean}_mean": _mean(sums, mean) for mean in ("verdict", "score")},
                "auroc": _mean(sums, "auroc"),
                "unscorable": sums["unscorable"],
            }
            for name, sums in domains.items()
        },
    }


def _mean(total: Mapping[str, float], name: str) -> float | None:
    return total[f"{name}_sum"] / total[f"{name}_count"] if total[f"{name}_count"] else None
