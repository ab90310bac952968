"""HERO for the trainers people already use: the verifier gates, the reward model ranks inside the gate.

The pure core in one call:

    >>> import hero_rl
    >>> shaped = hero_rl.shape(verdict=[1, 0, 0, 0], score=[3.0, 1.0, 2.0, -1.0], group=[7, 7, 7, 7])
    >>> shaped.advantage.argmax().item()
    0

Names below load on first use: `import hero_rl` imports neither torch nor a trainer.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from hero_rl.extras import named

if TYPE_CHECKING:
    from hero_rl.reward_models import LocalRewardModel
    from hero_rl.rules import (
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
        shape,
    )
    from hero_rl.scoring import Scorer
    from hero_rl.signals import Shaped, Signals
    from hero_rl.trainers.trl import HeroGRPOConfig, HeroGRPOTrainer, HeroRLOOConfig, HeroRLOOTrainer
    from hero_rl.verifiers import ExactVerifier, MathVerifier, MathVerify, Supervised, verify_math

__version__ = version("hero-rl")

_HOMES = {
    "ExactVerifier": "hero_rl.verifiers",
    "AuditedHero": "hero_rl.rules",
    "GatedHero": "hero_rl.rules",
    "Gdpo": "hero_rl.rules",
    "Saw": "hero_rl.rules",
    "RelativeRanks": "hero_rl.rules",
    "Papo": "hero_rl.rules",
    "Gd2po": "hero_rl.rules",
    "Dvao": "hero_rl.rules",
    "Corpo": "hero_rl.rules",
    "ConsistencyFilter": "hero_rl.rules",
    "Hero": "hero_rl.rules",
    "HeroGRPOConfig": "hero_rl.trainers.trl",
    "HeroGRPOTrainer": "hero_rl.trainers.trl",
    "HeroRLOOConfig": "hero_rl.trainers.trl",
    "HeroRLOOTrainer": "hero_rl.trainers.trl",
    "LocalRewardModel": "hero_rl.reward_models",
    "MathVerifier": "hero_rl.verifiers",
    "MathVerify": "hero_rl.verifiers",
    "RewardModelOnly": "hero_rl.rules",
    "Scorer": "hero_rl.scoring",
    "Shaped": "hero_rl.signals",
    "Signals": "hero_rl.signals",
    "Supervised": "hero_rl.verifiers",
    "VerifierOnly": "hero_rl.rules",
    "WeightedSum": "hero_rl.rules",
    "shape": "hero_rl.rules",
    "verify_math": "hero_rl.verifiers",
}

__all__ = [
    "AuditedHero",
    "ConsistencyFilter",
    "Corpo",
    "Dvao",
    "ExactVerifier",
    "GatedHero",
    "Gd2po",
    "Gdpo",
    "Hero",
    "HeroGRPOConfig",
    "HeroGRPOTrainer",
    "HeroRLOOConfig",
    "HeroRLOOTrainer",
    "LocalRewardModel",
    "MathVerifier",
    "MathVerify",
    "Papo",
    "RelativeRanks",
    "RewardModelOnly",
    "Saw",
    "Scorer",
    "Shaped",
    "Signals",
    "Supervised",
    "VerifierOnly",
    "WeightedSum",
    "__version__",
    "shape",
    "verify_math",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        try:
            return getattr(import_module(_HOMES[name]), name)
        except ModuleNotFoundError as error:
            raise named(error) from None
    raise AttributeError(f"module 'hero_rl' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
