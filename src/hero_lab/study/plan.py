"""Which cells a study has: its rules under the names of its tables, and its parts.

cells = cells_of(["main"], first_seed=200, seeds=5)
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from itertools import product
from types import MappingProxyType
from typing import Annotated, Any, get_args

from pydantic import BaseModel, ConfigDict, Field

from hero_lab.arena.arms import ArmSettings
from hero_lab.arena.oracle import Oracle
from hero_lab.arena.pipeline import MODELS_VERSION
from hero_lab.arena.results import START
from hero_lab.arena.settings import ArenaSettings
from hero_lab.arena.task import ProblemType, Regime
from hero_lab.study.qualities import Quality, arena_of
from hero_rl.rules import (
    AuditableRule,
    AuditedHero,
    ConsistencyFilter,
    Corpo,
    Dvao,
    GatedHero,
    Gd2po,
    Gdpo,
    Hero,
    Papo,
    RelativeRanks,
    RewardModelOnly,
    Saw,
    VerifierOnly,
    WeightedSum,
)

__all__ = ["AUDITORS", "BY_TYPE", "PARTS", "RULES", "Cell", "Part", "cells_of"]

# A band may not have width 0; one this narrow moves no advantage by as much as rounding does.
_NO_BAND = 1e-9

# All rules of the tables have the paper's weight, but for those that are named without it.
_WEIGHT: dict[str, Any] = {"w_min": 0.4, "w_max": 3.0}
RULES: MappingProxyType[str, AuditableRule] = MappingProxyType(
    {
        "verifier only": VerifierOnly(),
        "verifier only, std": VerifierOnly(scale="group"),
        "RM only": RewardModelOnly(),
        "weighted sum 0.1": WeightedSum(weight=0.1),
        "weighted sum 0.5": WeightedSum(weight=0.5),
        "weighted sum 0.9": WeightedSum(weight=0.9),
        "weighted sum 0.5, std": WeightedSum(weight=0.5, scale="group"),
        "GDPO": Gdpo(),
        "GD2PO": Gd2po(),
        "DVAO": Dvao(),
        "SAW": Saw(score_minimum=0.0),  # the arena's scores lie in (0, 1)
        "PAPO": Papo(),
        "CoRPO": Corpo(squash="none"),
        "consistency filter": ConsistencyFilter(),
        "relative ranks": RelativeRanks(),
        "HERO": Hero(),
        "HERO, std": Hero(scale="group"),
        "HERO, negatives dense": Hero(beta=_NO_BAND),
        "HERO, positives dense": Hero(alpha=_NO_BAND),
        "HERO, alpha 0.02": Hero(alpha=0.02),
        "HERO, alpha 0.2": Hero(alpha=0.2),
        "HERO, no weight": Hero(w_min=1.0, w_max=1.0),
        "HERO, relative weight": Hero(sigma="relative"),
        "gated HERO": GatedHero(**_WEIGHT),
        "gated HERO, no weight": GatedHero(),
        "gated HERO, std": GatedHero(scale="group", **_WEIGHT),
        "gated HERO, by type": GatedHero(**_WEIGHT),
        "audited HERO": AuditedHero(**_WEIGHT),
        "audited HERO, judge errs": AuditedHero(**_WEIGHT),
        "audited HERO, one trust": AuditedHero(**_WEIGHT),
    }
)
"""Every rule of the study with its settings, under the name that its tables use."""

AUDITORS: MappingProxyType[str, Oracle] = MappingProxyType(
    {
        "audited HERO": Oracle(),
        "audited HERO, judge errs": Oracle(error=0.2),
        "audited HERO, one trust": Oracle(),
    }
)
"""Who is asked, under those rules that ask."""

BY_TYPE = frozenset({"gated HERO, by type", "audited HERO", "audited HERO, judge errs"})
"""Rules that are told of each problem's type, as its domain."""


class Part(BaseModel):
    """Some cells of a study: every rule with every regime and quality.

    Attributes:
        rules: names in `RULES`, or `start`.
        regimes: types of the training prompts.
        qualities: reward models.
        blind_types: problem types whose references the policy never matches.
        seeds: seeds of the part, at most; a table of less weight has fewer.
        policy: settings of the policy's fine-tuning that are not the usual ones. Such cells go into a table of their
            own, since nothing else in it tells them from the others.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rules: tuple[str, ...]
    regimes: tuple[Regime, ...] = ("hard",)
    qualities: tuple[Quality, ...] = ("strong",)
    blind_types: tuple[ProblemType, ...] = ()
    seeds: Annotated[int, Field(ge=1)] = 5
    policy: dict[str, Any] = {}


_MAIN = ("verifier only", "RM only", "weighted sum 0.5", "HERO", "gated HERO")
_BENCH = ("RM only", "weighted sum 0.5", "HERO", "gated HERO", "audited HERO", "audited HERO, judge errs")
_PAPERS = ("GDPO", "GD2PO", "DVAO", "SAW", "PAPO", "CoRPO", "consistency filter", "relative ranks")
_WEIGHED = ("HERO", "HERO, no weight", "gated HERO", "gated HERO, no weight")
# Fine-tuning that is cut short: greedy accuracy on hard prompts begins near 40%. Chosen on seed 300.
_ROOM = {"steps": 350, "slip": 0.05}
_POOR = ("medium", "weak", "biased", "useless", "inverted")

PARTS: MappingProxyType[str, tuple[Part, ...]] = MappingProxyType(
    {
        "main": (Part(rules=(START, *_MAIN), regimes=get_args(Regime)),),
        "quality": (Part(rules=("weighted sum 0.5", "HERO", "gated HERO"), qualities=_POOR, seeds=3),),
        "ablations": (
            Part(
                rules=(
                    "HERO, negatives dense",
                    "HERO, positives dense",
                    "HERO, alpha 0.02",
                    "HERO, alpha 0.2",
                    "HERO, no weight",
                    "HERO, relative weight",
                    "weighted sum 0.1",
                    "weighted sum 0.9",
                    "GDPO",
                    "verifier only, std",
                    "weighted sum 0.5, std",
                    "HERO, std",
                    "gated HERO, std",
                ),
                seeds=3,
            ),
            Part(rules=("HERO, std", "gated HERO, std"), qualities=("weak", "biased"), seeds=3),
        ),
        "two-faced": (
            Part(rules=("verifier only", "HERO", "gated HERO"), qualities=("two-faced",), blind_types=("S",), seeds=3),
        ),
        "domains": (
            Part(rules=("verifier only",), seeds=3),
            Part(rules=("HERO", "gated HERO", "gated HERO, by type"), qualities=("two-faced",), seeds=3),
        ),
        "bench": (
            Part(rules=("verifier only", *_BENCH), qualities=("two-faced",), blind_types=("S",), seeds=3),
            Part(rules=("verifier only", *_BENCH), seeds=3),
            Part(rules=_BENCH, qualities=("drifting", "weak", "inverted", "useless", "biased", "medium"), seeds=3),
        ),
        "papers": (
            Part(rules=_PAPERS, qualities=("strong", "weak", "inverted"), seeds=3),
            Part(rules=_PAPERS, qualities=("two-faced",), blind_types=("S",), seeds=3),
            Part(rules=_PAPERS, qualities=("drifting", "useless", "biased", "medium"), seeds=1),
        ),
        "headroom": (
            Part(rules=(START, "verifier only", *_BENCH), policy=_ROOM, seeds=3),
            Part(rules=("weighted sum 0.5", *_WEIGHED), regimes=("hard", "mixed"), policy=_ROOM, seeds=3),
        ),
    }
)
"""The study's parts by name."""


class Cell(BaseModel):
    """One pipeline: models of a seed, a rule, a regime, and what came of it.

    Attributes:
        name: of the rule, in tables.
        rule: with all its settings; None for the policy before RL.
        quality: of the reward model.
        seed: of policy, backbone, reward model, prompts and RL.
        blind_types: problem types whose references the policy never matches.
        auditor: who is asked, where the rule asks.
        by_type: whether the rule is told of each problem's type.
        arm: what all cells share but the regime.
        arena: how the models are made.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    rule: AuditableRule | None
    quality: Quality
    seed: int
    blind_types: tuple[ProblemType, ...] = ()
    auditor: Oracle | None = None
    by_type: bool = False
    arm: ArmSettings = ArmSettings()
    arena: ArenaSettings = ArenaSettings()

    @property
    def id(self) -> str:
        """Name of the cell's folder: readable, and of its own for every other setting."""
        mark = hashlib.sha256(f"{MODELS_VERSION} {self.model_dump_json()}".encode()).hexdigest()[:8]
        words = [self.name, self.arm.regime, self.quality, f"seed{self.seed}", mark]
        return "-".join("".join(c if c.isalnum() or c == "." else "_" for c in word) for word in words)


def cells_of(
    parts: Iterable[str],
    *,
    first_seed: int = 0,
    seeds: int = 5,
    arm: ArmSettings = ArmSettings(),  # noqa: B008 - frozen
) -> list[Cell]:
    """The cells of some parts, each once, seed by seed: a study that is stopped has whole seeds.

    Args:
        parts: names in `PARTS`.
        first_seed: the first seed.
        seeds: seeds of the largest parts; a part has no more than its own number.
        arm: what all cells share but the regime.
    """
    chosen = [part for name in parts for part in PARTS[name]]
    cells: dict[str, Cell] = {}
    for number in range(seeds):
        for part in chosen:
            if number < part.seeds:
                for cell in _cells(part, first_seed + number, arm):
                    cells.setdefault(cell.id, cell)
    return list(cells.values())


def _cells(part: Part, seed: int, arm: ArmSettings) -> Iterable[Cell]:
    for regime, quality, name in product(part.regimes, part.qualities, part.rules):
        if name == START and regime != part.regimes[0]:
            continue  # nothing is trained: one regime is as good as another
        yield Cell(
            name=name,
            rule=None if name == START else RULES[name],
            quality=quality,
            seed=seed,
            blind_types=part.blind_types,
            auditor=AUDITORS.get(name),
            by_type=name in BY_TYPE,
            arm=arm.model_copy(update={"regime": regime}),
            arena=arena_of(quality, seed, part.policy),
        )
