"""Combination rules: one a file, pure functions of signals and state."""

from typing import Annotated

from pydantic import Field

from hero_rl.own import OrOwn
from hero_rl.rules.audited_hero import AuditedHero, AuditedState, audited_pairs
from hero_rl.rules.banded import HeroState
from hero_rl.rules.base import Rule, State, check_grades, check_rule, earns_trust, ranks_unverified
from hero_rl.rules.consistency_filter import ConsistencyFilter
from hero_rl.rules.corpo import Corpo
from hero_rl.rules.dvao import Dvao
from hero_rl.rules.evidence import Evidence
from hero_rl.rules.gated_hero import GatedHero, GatedState
from hero_rl.rules.gd2po import Gd2po
from hero_rl.rules.gdpo import Gdpo
from hero_rl.rules.groups import Groups, leave_one_out, normalise
from hero_rl.rules.hero import Hero
from hero_rl.rules.papo import Papo
from hero_rl.rules.ranking import group_auroc
from hero_rl.rules.relative_ranks import RelativeRanks
from hero_rl.rules.reward_model_only import RewardModelOnly
from hero_rl.rules.saw import Saw
from hero_rl.rules.shape import shape
from hero_rl.rules.strata import Kinds, Strata
from hero_rl.rules.verifier_only import VerifierOnly
from hero_rl.rules.weighted_sum import WeightedSum

__all__ = [
    "AnyRule",
    "AuditableRule",
    "AuditedHero",
    "AuditedState",
    "ConsistencyFilter",
    "Corpo",
    "Dvao",
    "Evidence",
    "GatedHero",
    "GatedState",
    "Gd2po",
    "Gdpo",
    "Groups",
    "Hero",
    "HeroState",
    "Kinds",
    "Papo",
    "RelativeRanks",
    "RewardModelOnly",
    "Rule",
    "Saw",
    "State",
    "Strata",
    "VerifierOnly",
    "WeightedSum",
    "audited_pairs",
    "check_grades",
    "earns_trust",
    "group_auroc",
    "leave_one_out",
    "normalise",
    "ranks_unverified",
    "shape",
]

_Plain = (
    Hero
    | GatedHero
    | VerifierOnly
    | RewardModelOnly
    | WeightedSum
    | Gdpo
    | Dvao
    | Saw
    | Gd2po
    | Papo
    | Corpo
    | ConsistencyFilter
    | RelativeRanks
)

_OWN = OrOwn("a rule", ("update",), check_rule)

AnyRule = Annotated[_Plain, Field(discriminator="type"), _OWN]
"""Any rule that reads verdicts and scores alone, as a block of a configuration file, told apart by its `type`.

One of a user's own is named by its class."""

AuditableRule = Annotated[_Plain | AuditedHero, Field(discriminator="type"), _OWN]
"""Any rule where an auditor can be asked, too."""
