"""The paper's own table, as rows to set beside one's own.

Source: "Hybrid Reinforcement: When Reward Is Sparse, It's Better to Be Dense" (arXiv 2510.07242v3): averages over the
easy-to-verify benchmarks (MATH500, AMC, Minerva, OlympiadBench) and the hard-to-verify ones (HardVerify-Math,
TextBookReasoning), in %. It gives no intervals.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from hero_rl.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PAPER_TABLES", "paper_rows"]

_METHODS = ("RM only", "verifier only", "HERO")
_BEFORE_RL = {
    "qwen3-4b": {"base": (43.3, 42.7), "SFT": (48.2, 47.1)},
    "octothinker-8b": {"SFT": (33.3, 27.0)},
}
_AFTER_RL = {
    "qwen3-4b/easy": ((56.4, 54.6), (58.3, 57.1), (62.0, 66.3)),
    "qwen3-4b/hard": ((55.1, 53.7), (47.4, 54.2), (56.8, 56.5)),
    "qwen3-4b/mixed": ((55.1, 54.0), (56.1, 58.9), (58.8, 64.1)),
    "octothinker-8b/easy": ((38.1, 28.7), (37.6, 30.3), (40.1, 32.6)),
    "octothinker-8b/hard": ((35.4, 30.9), (34.6, 27.8), (41.0, 34.6)),
    "octothinker-8b/mixed": ((35.6, 30.1), (35.4, 28.2), (40.2, 33.2)),
}

PAPER_TABLES: Mapping[str, str] = MappingProxyType(
    {
        name: f"{model} trained on {regime} data"
        for name in _AFTER_RL
        for model, regime in [
            (
                {"qwen3-4b": "Qwen3-4B-Base", "octothinker-8b": "OctoThinker-8B-Hybrid-Base"}[name.split("/")[0]],
                {"easy": "easy-to-verify", "hard": "hard-to-verify", "mixed": "mixed"}[name.split("/")[1]],
            )
        ]
    }
)
"""The tables that there are, `model/regime`, each in words."""


def paper_rows(table: str) -> dict[str, tuple[float, float]]:
    """A table's rows: by method, the average over easy- and over hard-to-verify benchmarks, in %.

    Raises:
        ConfigError: there is no such table.
    """
    if table not in PAPER_TABLES:
        raise ConfigError(f"--paper: no table {table!r}; one of: {', '.join(PAPER_TABLES)}")
    return _BEFORE_RL[table.partition("/")[0]] | dict(zip(_METHODS, _AFTER_RL[table], strict=True))
