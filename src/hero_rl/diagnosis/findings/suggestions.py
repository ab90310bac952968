"""Settings that several findings suggest, and the words for the rule that they start from."""

from __future__ import annotations

from typing import Any

from hero_rl.diagnosis.numbers import Diagnosis

__all__ = ["AUDITED", "CASCADE", "GATED", "base_rule", "narrower"]

CASCADE = {
    "verifier.type": "cascade",
    "verifier.rule": {"type": "math"},
    "verifier.judge": {"type": "judge", "url": "http://localhost:8000"},
}
AUDITED = {
    "rule.type": "audited_hero",
    "auditor.type": "judge",
    "auditor.url": "http://localhost:8000",
}
GATED = {"rule.type": "gated_hero"}
_NARROW = 0.05  # the paper's narrower alpha and beta; the study's cells below it lose HERO's gain


def narrower(d: Diagnosis) -> dict[str, Any]:
    """The bands that can be narrowed, as settings."""
    bands = {"rule.alpha": d.rule.alpha, "rule.beta": d.rule.beta}
    return {name: _NARROW for name, value in bands.items() if value > _NARROW}


def base_rule(d: Diagnosis) -> str:
    """The rule that is replayed, in words."""
    return f"HERO with alpha {d.rule.alpha:g}, beta {d.rule.beta:g}, scale {d.rule.scale}"
