"""`hero train-rm`: a reward model from preference pairs or labelled rollouts."""

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
  hero train-rm config.yaml
  hero train-rm config.yaml --data.rollouts runs/a/rollouts --data.eval_fraction 0.1
  hero train-rm config.yaml --trl.learning_rate 1e-5 --output_dir runs/rm_b
  hero train-rm config.yaml --resume
  hero train-rm config.yaml --check

Every setting: docs/reference/configuration.md
"""


@dataclass
class _Arguments(RunArguments):
    """Train a reward model from a YAML configuration; `--check` counts the pairs too."""


def run(argv: list[str]) -> int:
    """Parse the arguments, train, and say where the result lies."""
    arguments, rest = parse(_Arguments, argv, "train-rm", _EPILOG)
    from hero_rl.settings import parse_overrides
    from hero_rl.training.configs.policy import load_config
    from hero_rl.training.configs.reward import RewardTrainConfig
    from hero_rl.training.rows.pairs import in_words
    from hero_rl.training.trl.reward import check_reward_run, train_reward_model

    config = load_config(arguments.config, parse_overrides(rest), RewardTrainConfig)
    if arguments.check:
        counts = check_reward_run(config).counts
        if arguments.json:
            print(json.dumps({"counts": counts}))
        print(f"{arguments.config}: good; {in_words(counts)}", file=sys.stderr)
        return 0
    try:
        result = train_reward_model(config, resume=arguments.resume, progress=not arguments.json)
    except KeyboardInterrupt:
        return interrupted("train-rm", argv, "--resume")
    if os.environ.get("RANK", "0") != "0":
        return 0
    if arguments.json:
        found = {"counts": result.counts, "eval_pairwise_accuracy": result.eval_pairwise_accuracy}
        print(json.dumps({"model": str(result.model), "output_dir": config.output_dir} | found))
    else:
        print(f"model      {result.model}\nrecord     {config.output_dir}")
        if result.eval_pairwise_accuracy is not None:
            print(f"accuracy   {result.eval_pairwise_accuracy:.3f} of {result.counts['held_out']} held-out pairs")
    return 0
