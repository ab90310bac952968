"""Suggested settings in the words of each trainer, to paste.

>>> print(to_paste({"rule": {"type": "gated_hero", "alpha": 0.05}})["TRL"])
from hero_rl import GatedHero
<BLANKLINE>
rule=GatedHero(alpha=0.05),
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

__all__ = ["blocks_of", "flat", "to_paste"]

Blocks = Mapping[str, Mapping[str, Any]]

_CLASSES = {
    "hero": "Hero",
    "gated_hero": "GatedHero",
    "audited_hero": "AuditedHero",
    "judge": "JudgeVerifier",
    "local": "LocalRewardModelConfig",
}
# All other classes are imported from the package itself.
_HOMES = {
    "Cascade": "hero_rl.verifiers",
    "JudgeVerifier": "hero_rl.verifiers",
    "LocalRewardModelConfig": "hero_rl.reward_models",
}
_IN_VERL = {"trl.num_generations": "actor_rollout_ref.rollout.n"}


def blocks_of(settings: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Dotted names as blocks of a configuration of `hero train`."""
    blocks: dict[str, dict[str, Any]] = {}
    for name, value in settings.items():
        block, _, setting = name.partition(".")
        blocks.setdefault(block, {})[setting] = value
    return blocks


def flat(settings: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Nested settings by dotted name."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def to_paste(blocks: Blocks) -> dict[str, str]:
    """Trainer -> the same settings for it.

    Args:
        blocks: of a configuration of `hero train`.

    Returns:
        Imports and arguments of `HeroGRPOTrainer`, overrides of verl's command line, a part of a file of `hero train`.
    """
    verl = " \\\n".join(f"{_IN_VERL.get(name, f'+hero.{name}')}={value}" for name, value in flat(blocks))
    in_file = yaml.safe_dump({name: dict(block) for name, block in blocks.items()}, sort_keys=False)
    return {"TRL": _in_script(blocks), "verl": verl, "hero train": in_file.rstrip()}


def _in_script(blocks: Blocks) -> str:
    lines = "\n".join(f"{name}={value}," for name, value in _arguments(blocks))
    used: dict[str, set[str]] = {}
    for name in re.findall(r"\b[A-Z]\w+(?=\()", lines):
        used.setdefault(_HOMES.get(name, "hero_rl"), set()).add(name)
    imports = "\n".join(f"from {home} import {', '.join(sorted(names))}" for home, names in sorted(used.items()))
    return f"{imports}\n\n{lines}".lstrip()


def _arguments(blocks: Blocks) -> Iterator[tuple[str, str]]:
    if "rule" in blocks:
        yield "rule", _call(blocks["rule"])
    if {"verifier", "verifier_processes"} & blocks.keys():
        yield "verifier", _verifier(blocks)
    if "reward_model" in blocks:
        yield "reward_model", _reward_model(blocks["reward_model"])
    if "auditor" in blocks:
        yield "auditor", _call(blocks["auditor"])
    if "trl" in blocks:
        yield "args", f"HeroGRPOConfig({_keywords(blocks['trl'])})"


def _verifier(blocks: Blocks) -> str:
    """The maths verifier in processes of its own, and the judge that stands behind it."""
    limits = _keywords(blocks.get("verifier_processes", {}))
    rule = f"Supervised(MathVerifier(){f', {limits}' if limits else ''})"
    judge = blocks.get("verifier", {}).get("judge")
    return f"Cascade({rule}, {_call(judge)})" if judge else rule


def _reward_model(block: Mapping[str, Any]) -> str:
    if block.keys() <= {"type", "path"}:
        return _python(block["path"])
    return _call({"type": "local", "path": "your/reward-model", **block})


def _call(block: Mapping[str, Any]) -> str:
    return f"{_CLASSES[block['type']]}({_keywords({n: v for n, v in block.items() if n != 'type'})})"


def _keywords(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={_python(value)}" for name, value in values.items())


def _python(value: Any) -> str:
    return json.dumps(value) if isinstance(value, str) else repr(value)
