"""What a trainer's advantages keep of HERO's reward, found by arithmetic: change one thing, and see what moves.

    objections = probe(advantages_of_rewards(real_function, rollouts=8, rule=Hero()), rollouts=8, names=Names("scale"))

Three prompts are probed: one of whose rollouts half are correct (mixed), one all correct, one all incorrect. Whatever
function makes the trainer's advantages is asked again with the mixed prompt's weight doubled, and again with the bands
twice as wide: a knob whose doubling moves nothing is inert.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from hero_rl.preflight.verl import Objection
from hero_rl.rules import Groups, Hero
from hero_rl.rules.hero import banded_reward
from hero_rl.signals import Signals

__all__ = ["Knobs", "Names", "Probed", "advantages_of_rewards", "advantages_of_rule", "probe", "probe_signals"]

_LIFTED = 0.5  # uniform prompts with half as large advantages as mixed ones, or more, are as loud as they
_MOVED = 1.2  # of a doubled knob, what counts as having moved at all


@dataclass(frozen=True)
class Knobs:
    """What is changed for one probe.

    Attributes:
        weight: factor of the mixed prompt's weight.
        width: factor of alpha and beta.
    """

    weight: float = 1.0
    width: float = 1.0


@dataclass(frozen=True)
class Names:
    """How the trainer calls what the objections name.

    Attributes:
        divide: the setting that says what advantages are divided by.
        remedy: what to set it to.
    """

    divide: str
    remedy: str


Probed: TypeAlias = Callable[[Knobs], Float[Tensor, " B"]]
"""From knobs to the advantages of `probe_signals`."""


def probe_signals(rollouts: int) -> Signals:
    """Three prompts of so many rollouts: mixed, all correct, all incorrect; scores evenly spread, each by 2."""
    verdict = torch.cat([(torch.arange(rollouts) % 2).double(), torch.ones(rollouts), torch.zeros(rollouts)])
    score = torch.linspace(-1, 1, rollouts, dtype=torch.float64).repeat(3)
    return Signals(verdict.double(), score, torch.arange(3).repeat_interleave(rollouts))


def advantages_of_rewards(
    function: Callable[[Float[Tensor, " B"]], Float[Tensor, " B"]], rollouts: int, rule: Hero
) -> Probed:
    """For a trainer that HERO reaches as a reward alone: what its advantage function makes of `w * r_hat`."""
    signals = probe_signals(rollouts)

    def probed(knobs: Knobs) -> Float[Tensor, " B"]:
        alpha, beta = rule.alpha * knobs.width, rule.beta * knobs.width
        groups = Groups.of(signals.group)
        r_hat = banded_reward(signals, groups, alpha=alpha, beta=beta, singleton=rule.singleton, eps=rule.eps)
        weight = torch.where(signals.group == 0, knobs.weight, 1.0)
        return function(weight * r_hat).double()

    return probed


def advantages_of_rule(rollouts: int, rule: Hero) -> Probed:
    """For a trainer that takes the rule's own advantages."""
    signals = probe_signals(rollouts)

    def weighted(weight: float, width: float) -> Float[Tensor, " B"]:
        # Unchecked: doubled bands may overlap, which is nothing to a probe.
        changed = {"alpha": rule.alpha * width, "beta": rule.beta * width, "w_min": weight, "w_max": weight}
        return rule.model_copy(update=changed).update(signals, rule.init())[0].advantage

    def probed(knobs: Knobs) -> Float[Tensor, " B"]:
        return torch.where(signals.group == 0, weighted(knobs.weight, knobs.width), weighted(1.0, knobs.width))

    return probed


def probe(advantages: Probed, rollouts: int, names: Names) -> list[Objection]:
    """Objections to what reaches the gradient.

    Args:
        advantages: the trainer's.
        rollouts: of a prompt.
        names: how the trainer calls its settings.
    """
    if rollouts < 2:
        return [Objection("error", names.divide, "with one rollout a prompt there is nothing to compare within it")]
    loudness, weighted, wider = (
        _loudness(advantages(knobs), rollouts) for knobs in (Knobs(), Knobs(weight=2.0), Knobs(width=2.0))
    )
    return [
        *_on_weight(loudness / max(weighted, 1e-12), names),
        *_on_width(wider / max(loudness, 1e-12), loudness, names),
    ]


def _on_weight(moved: float, names: Names) -> Iterator[Objection]:
    if moved < _MOVED:
        yield Objection(
            "error",
            names.divide,
            "HERO's weight of a prompt is inert: what it multiplies, the trainer divides out again. Doubled, it gives "
            f"advantages {moved:.2f} times as large; {names.remedy}",
        )


def _on_width(moved: float, loudness: float, names: Names) -> Iterator[Objection]:
    if moved < _MOVED:
        yield Objection(
            "error",
            names.divide,
            "alpha and beta are inert in prompts that are all correct or all incorrect: the trainer stretches the "
            f"narrowest bands. Doubled, they give advantages {moved:.2f} times as large there; {names.remedy}",
        )
    if moved < _MOVED and loudness >= _LIFTED:
        yield Objection(
            "error",
            names.divide,
            f"prompts on which the verifier saw no difference get advantages {loudness:.0%} as large as mixed ones, "
            f"whatever the bands: there the reward model decides alone; {names.remedy}",
        )
    elif loudness >= _LIFTED:
        yield Objection(
            "warning",
            "alpha, beta",
            f"bands so wide give prompts on which the verifier saw no difference advantages {loudness:.0%} as large as "
            "mixed ones, and there the reward model decides alone",
        )


def _loudness(advantages: Float[Tensor, " B"], rollouts: int) -> float:
    """Mean size of the uniform prompts' advantages over that of the mixed prompt's; what all share cancels."""
    size = advantages.abs()
    return (size[rollouts:].mean() / size[:rollouts].mean().clamp(min=1e-12)).item()
