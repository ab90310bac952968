"""The logged rollouts under a rule, batch by batch as in training, and where the rule puts its advantage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hero_rl.rules import GatedHero, Gdpo, Hero, RewardModelOnly, Rule, VerifierOnly, WeightedSum

if TYPE_CHECKING:
    from hero_rl.diagnosis.log import RolloutLog
    from hero_rl.diagnosis.table import GroupTable

__all__ = ["Replay", "earned", "gated", "mass_shares", "replay", "rules_by_scale", "uniform_share"]

_SCALES = ("none", "group", "batch")


@dataclass(frozen=True)
class Replay:
    """What a rule made of every rollout of a log.

    Attributes:
        advantage: (B,).
        weight: (B,) the group's.
        sigma: (B,) the group's, in the reward model's units.
        state: the rule's after the last batch.
    """

    advantage: Float[Tensor, " B"]
    weight: Float[Tensor, " B"]
    sigma: Float[Tensor, " B"]
    state: Any


def replay(log: RolloutLog, rule: Rule, state: Any = None) -> Replay:
    """Shape every batch in order; the rule's state passes from one to the next, from `state` or its first one on."""
    state = rule.init() if state is None else state
    parts = []
    for part in [slice(0, len(log))] if _sees_groups_only(rule) else log.slices():
        shaped, state = rule.update(log.part(part, domains=isinstance(rule, GatedHero)), state)
        parts.append((shaped.advantage, shaped.weight, shaped.sigma))
    advantage, weight, sigma = (torch.cat(column) for column in zip(*parts, strict=True))
    return Replay(advantage, weight, sigma, state)


def _sees_groups_only(rule: Rule) -> bool:
    """Whether a group's result depends on no other group, so that batches make no difference."""
    return isinstance(rule, (VerifierOnly, RewardModelOnly, WeightedSum)) and rule.scale != "batch"


def earned(log: RolloutLog, rule: Rule) -> Any:
    """The state to replay a rule from: for the gated one, the trust that the whole log would earn.

    From its own beginning, with no trust, it would be the verifier alone on the single batch that most files are.
    """
    return replay(log, rule).state.model_copy(update={"sigma_bar": None}) if isinstance(rule, GatedHero) else None


def rules_by_scale(hero: Hero) -> list[tuple[str, str | None, Rule]]:
    """Every rule under every scale that it has: name, scale, rule; HERO with its own settings first."""
    rules: list[tuple[str, str | None, Rule]] = []
    for kind in (hero, gated(hero), VerifierOnly(), RewardModelOnly(), WeightedSum()):
        rules += [(kind.type, scale, kind.model_copy(update={"scale": scale})) for scale in _SCALES]
    return [*rules, ("gdpo", None, Gdpo())]


def gated(hero: Hero) -> GatedHero:
    """The gated rule with what a HERO has set; the rest are its own defaults."""
    return GatedHero(**hero.model_dump(exclude={"type"}, exclude_defaults=True))


def mass_shares(advantage: Float[Tensor, " B"], table: GroupTable) -> dict[str, float | None]:
    """Share of the |advantage| that each kind of group holds; None for all where there is none."""
    mass = table.groups.sum(advantage.abs(), torch.ones_like(advantage, dtype=torch.bool))
    total = mass.sum().item()
    return {kind: mass[where].sum().item() / total if total else None for kind, where in kinds(table).items()}


def uniform_share(shares: Mapping[str, float | None]) -> float | None:
    """Share of the |advantage| in groups in which the verifier tells no rollouts apart."""
    three = [shares[kind] for kind in ("all_correct", "all_incorrect", "all_partial")]
    return None if None in three else sum(share for share in three if share is not None)


def kinds(table: GroupTable) -> dict[str, Bool[Tensor, " S"]]:
    """Which groups are of which kind."""
    return {
        "mixed": table.kinds.mixed,
        "all_correct": table.kinds.all_correct,
        "all_incorrect": table.kinds.all_incorrect,
        "all_partial": table.kinds.all_partial,
        "unjudged": ~table.kinds.judged,
    }
