"""Training data: regimes by verdict, the cold start, textbook questions; each with a card of what it is made of."""

from hero_rl.data.card import Made
from hero_rl.data.cold_start import make_cold_start
from hero_rl.data.regimes import make_regimes
from hero_rl.data.settings import ColdStartConfig, RegimesConfig, Sizes, TextbookConfig
from hero_rl.data.textbook import make_textbook
from hero_rl.problems.decontamination import BenchmarkIndex, Overlap

__all__ = [
    "BenchmarkIndex",
    "ColdStartConfig",
    "Made",
    "Overlap",
    "RegimesConfig",
    "Sizes",
    "TextbookConfig",
    "make_cold_start",
    "make_regimes",
    "make_textbook",
]
