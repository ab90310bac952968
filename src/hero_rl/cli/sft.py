"""`hero sft`: fine-tune a model on completions, with TRL or verl."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

from hero_rl.cli.arguments import RunArguments, finished, interrupted, parse

__all__ = ["run"]

_EPILOG = """
Any setting can be overridden by its dotted name; values are YAML.

examples:
  hero sft config.yaml
  hero sft config.yaml --data.train samples.jsonl --trl.num_train_epochs 2
  hero sft config.yaml --resume
  hero sft config.yaml --check
  hero sft trl/qwen3-4b/sft --data.train samples.jsonl --output_dir runs/sft

Every setting: docs/reference/configuration.md
"""


@dataclass
class _Arguments(RunArguments):
    """Fine-tune a model on prompts and completions from a YAML configuration: the cold start of a policy."""


def run(argv: list[str]) -> int:
    """Parse the arguments, train, and say where the result lies."""
    arguments, rest = parse(_Arguments, argv, "sft", _EPILOG)
    from hero_rl.settings import parse_overrides
    from hero_rl.training.configs.sft import VerlSftConfig
    from hero_rl.training.recipes.load import load_run

    config = load_run(arguments.config, parse_overrides(rest), "sft")
    with_engine = _with_verl if isinstance(config, VerlSftConfig) else _with_trl
    try:
        return with_engine(config, arguments)
    except KeyboardInterrupt:
        return interrupted("sft", argv, "--resume")


def _with_trl(config: Any, arguments: RunArguments) -> int:
    from hero_rl.training.trl.sft import check_sft, train_sft

    if arguments.check:
        return _checked(arguments, len(check_sft(config).train_dataset))
    model = train_sft(config, resume=arguments.resume, progress=not arguments.json)
    return finished(arguments, {"model": model, "output_dir": config.output_dir})


def _with_verl(config: Any, arguments: RunArguments) -> int:
    from hero_rl.training.verl.sft import check_verl_sft, train_sft_with_verl

    if arguments.check:
        return _checked(arguments, len(check_verl_sft(config)[1]["train"]))
    checkpoints = train_sft_with_verl(config, resume=arguments.resume, quiet=arguments.json)
    return finished(arguments, {"checkpoints": checkpoints, "output_dir": config.output_dir})


def _checked(arguments: RunArguments, demonstrations: int) -> int:
    print(f"{arguments.config}: good; {demonstrations} demonstrations", file=sys.stderr)
    return 0
