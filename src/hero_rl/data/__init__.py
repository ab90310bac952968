"""Training data, each with a card: regimes by verdict, the cold start, textbook questions, generated problems."""

from hero_rl.data.card import Made
from hero_rl.data.cold_start import make_cold_start
from hero_rl.data.gym import make_gym
from hero_rl.data.regimes import make_regimes
from hero_rl.data.settings import ColdStartConfig, GymConfig, RegimesConfig, Sizes, TextbookConfig
from hero_rl.data.textbook import make_textbook
from hero_rl.problems.decontamination import BenchmarkIndex, Overlap

__all__ = [
    "BenchmarkIndex",
    "ColdStartConfig",
    "GymConfig",
    "Made",
    "Overlap",
    "RegimesConfig",
    "Sizes",
    "TextbookConfig",
    "make_cold_start",
    "make_gym",
    "make_regimes",
    "make_textbook",
]
