"""Suggested settings in the words of each trainer: a line of Python for TRL, overrides for verl.

>>> trl_lines({"rule.alpha": 0.05}), verl_line({"rule.alpha": 0.05})
(['rule=Hero(alpha=0.05)'], '+hero.rule.alpha=0.05')
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["blocks_of", "flat", "trl_lines", "verl_line"]

_CLASSES = {
    "hero": "Hero",
    "gated_hero": "GatedHero",
    "math": "MathVerifier",
    "judge": "JudgeVerifier",
    "cascade": "CascadeVerifier",
    "local": "LocalRewardModelConfig",
}
_USUAL = {"rule": "hero", "verifier": "math", "reward_model": "local"}
_IN_VERL = {"trl.num_generations": "actor_rollout_ref.rollout.n"}


def blocks_of(settings: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Dotted names as blocks of a configuration of `hero train`."""
    blocks: dict[str, dict[str, Any]] = {}
    for name, value in settings.items():
        block, _, setting = name.partition(".")
        blocks.setdefault(block, {})[setting] = value
    return blocks


def trl_lines(settings: Mapping[str, Any]) -> list[str]:
    """Arguments of `HeroGRPOTrainer`, one a block of settings."""
    return [_argument(block, values) for block, values in blocks_of(settings).items()]


def verl_line(settings: Mapping[str, Any]) -> str:
    """Overrides on verl's command line."""
    return " ".join(f"{_IN_VERL.get(name, f'+hero.{name}')}={value}" for name, value in flat(settings))


def _argument(block: str, values: Mapping[str, Any]) -> str:
    if block == "trl":
        return f"args=HeroGRPOConfig({_arguments(values)})"
    if block == "verifier_processes":
        return f"verifier=in_processes(MathVerifier(), Processes({_arguments(values)}))"
    path = {"path": ...} if block == "reward_model" and "path" not in values else {}
    return f"{block}={_python({'type': _USUAL[block], **path, **values})}"


def _python(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{_CLASSES[value['type']]}({_arguments({n: v for n, v in value.items() if n != 'type'})})"
    return "..." if value is ... else repr(value)


def _arguments(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={_python(value)}" for name, value in values.items())


def flat(settings: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Nested settings by dotted name."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value
