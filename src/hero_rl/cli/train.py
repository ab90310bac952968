"""`hero train`: a policy from a configuration file, with TRL or verl."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

from hero_rl.cli.arguments import RunArguments, finished, interrupted, parse

__all__ = ["run"]

_EPILOG = """
Any setting can be overridden by its dotted name; values are YAML. `engine: verl` in the configuration trains with verl,
and the block `verl` holds its own settings.

examples:
  hero train config.yaml
  hero train config.yaml --rule.type gated_hero --trl.learning_rate 1e-6
  hero train config.yaml --rule.type verifier_only --output_dir runs/verifier_only
  hero train config.yaml --resume
  hero train config.yaml --check
  hero train trl/qwen3-4b/easy/hero --model.path runs/sft/model --data.train easy.jsonl --output_dir runs/easy
  hero train verl_config.yaml --verl.trainer.nnodes 4

Every setting: docs/reference/configuration.md
"""


@dataclass
class _Arguments(RunArguments):
    """Train a policy from a YAML configuration."""


def run(argv: list[str]) -> int:
    """Parse the arguments, train, and say where the result lies."""
    arguments, rest = parse(_Arguments, argv, "train", _EPILOG)
    from hero_rl.settings import parse_overrides
    from hero_rl.training.configs.verl import VerlTrainConfig
    from hero_rl.training.recipes.load import load_run

    config = load_run(arguments.config, parse_overrides(rest), "train")
    with_engine = _with_verl if isinstance(config, VerlTrainConfig) else _with_trl
    try:
        return with_engine(config, arguments)
    except KeyboardInterrupt:
        return interrupted("train", argv, "--resume")


def _with_trl(config: Any, arguments: RunArguments) -> int:
    if arguments.check:
        from hero_rl.training.trl.policy import check

        prepared = check(config)
        print(f"{arguments.config}: good; {len(prepared.train_dataset)} training prompts", file=sys.stderr)
        return _on_references(config, prepared.train_dataset)
    from hero_rl.training.trl.policy import train

    model = train(config, resume=arguments.resume, progress=not arguments.json)
    return finished(arguments, {"model": model, "output_dir": config.output_dir})


def _with_verl(config: Any, arguments: RunArguments) -> int:
    from hero_rl.training.verl.policy import check_verl_run, train_with_verl

    if arguments.check:
        checked = check_verl_run(config)
        said = [f"{arguments.config}: good for verl and HERO", *checked.warnings]
        if checked.data:
            said[0] += f"; {len(checked.data['train'])} training prompts"
        print("\n".join(said), file=sys.stderr)
        return _on_references(config, checked.data["train"]) if checked.data else 0
    checkpoints = train_with_verl(config, resume=arguments.resume, quiet=arguments.json)
    return finished(arguments, {"checkpoints": checkpoints, "output_dir": config.output_dir})


def _on_references(config: Any, dataset: Any) -> int:
    """Say which references cannot be read; exit code 1 where so many that the run would stop."""
    from hero_rl.training.references import reference_objections

    found = reference_objections(config, dataset[config.data.reference_column])
    for objection in found:
        print(objection, file=sys.stderr)
    return int(any(objection.level == "error" for objection in found))
