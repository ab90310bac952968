"""`hero train`: a policy from a configuration file."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass

from hero_rl.cli.arguments import RunArguments, interrupted, parse

__all__ = ["run"]

_EPILOG = """
Any setting can be overridden by its dotted name; values are YAML.

examples:
  hero train config.yaml
  hero train config.yaml --rule.alpha 0.05 --trl.learning_rate 1e-6
  hero train config.yaml --rule.type verifier_only --output_dir runs/verifier_only
  hero train config.yaml --resume
  hero train config.yaml --check

Every setting: docs/configuration.md
"""


@dataclass
class _Arguments(RunArguments):
    """Train a policy from a YAML configuration."""


def run(argv: list[str]) -> int:
    """Parse the arguments, train, and say where the result lies."""
    arguments, rest = parse(_Arguments, argv, "train", _EPILOG)
    from hero_rl.training.config import load_config, parse_overrides

    config = load_config(arguments.config, parse_overrides(rest))
    if arguments.check:
        from hero_rl.training.run import check

        prepared = check(config)
        print(f"{arguments.config}: good; {len(prepared.train_dataset)} training prompts", file=sys.stderr)
        return 0
    import hero_rl.arena.reward_model  # noqa: F401 - so that an arm's config.yaml can be trained here too
    from hero_rl.training.run import train

    try:
        model = train(config, resume=arguments.resume, progress=not arguments.json)
    except KeyboardInterrupt:
        return interrupted("train", argv)
    if os.environ.get("RANK", "0") != "0":
        return 0
    if arguments.json:
        print(json.dumps({"model": str(model), "output_dir": config.output_dir}))
    else:
        print(f"model      {model}\nrecord     {config.output_dir}")
    return 0
