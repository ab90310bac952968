"""What is said of a trainer's settings, from its own advantage function."""

import math

import pytest
import torch

from hero_rl.preflight.probing import Names, advantages_of_rewards, advantages_of_rule, probe
from hero_rl.rules import Hero

NAMES = Names("divide", "change it")
RULE = Hero(alpha=0.05, beta=0.05)


def grouped(rewards, rollouts, divide):
    rows = rewards.view(-1, rollouts)
    centred = rows - rows.mean(dim=1, keepdim=True)
    if divide == "group":
        centred = centred / (rows.std(dim=1, keepdim=True) + 1e-4)
    if divide == "batch":
        centred = centred / rows.std()
    return centred.flatten()


def said(advantages, rollouts=8):
    found = probe(advantages, rollouts, NAMES)
    assert all(objection.level == "error" and objection.setting == "divide" for objection in found)
    return [next(word for word in ("weight", "alpha", "reward model") if word in objection.text) for objection in found]


@pytest.mark.parametrize("rollouts", [2, 4, 8, 16])
@pytest.mark.parametrize(
    ("divide", "objections"), [("none", []), ("batch", []), ("group", ["weight", "alpha", "reward model"])]
)
def test_what_a_reward_loses(divide, objections, rollouts):
    function = advantages_of_rewards(lambda rewards: grouped(rewards, rollouts, divide), rollouts, RULE)
    assert said(function, rollouts) == objections


@pytest.mark.parametrize(("scale", "objections"), [("none", []), ("batch", []), ("group", ["alpha", "reward model"])])
def test_what_the_rule_s_own_advantages_lose(scale, objections):
    """The weight multiplies the advantage after any division, so that it is never lost."""
    assert said(advantages_of_rule(8, RULE.model_copy(update={"scale": scale}))) == objections


def test_one_rollout_a_prompt():
    (objection,) = probe(lambda knobs: torch.zeros(3), 1, NAMES)
    assert "nothing to compare" in objection.text


def test_no_advantages_at_all_divide_by_nothing():
    assert all(math.isfinite(len(f.text)) for f in probe(lambda knobs: torch.zeros(12), 4, NAMES))
