"""`hero preflight`: settings that are inert or dangerous, before a run."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Annotated

import tyro

from hero_rl.cli.arguments import parse

__all__ = ["run"]

_EPILOG = """
CONFIG is a configuration of hero train, verl's settings (nested or dotted, as YAML), or arguments of TRL's GRPOConfig,
where HERO's reward is taken to be a reward function. In place of a file, my_script:args is the GRPOConfig (or the
mapping of its arguments) that my_script.py calls args; this imports the module, which runs all of it but what stands
under `if __name__ == "__main__":`. The trainer's own advantage function is run on three made-up
prompts, and asked again with a knob doubled: what does not move is inert. Exit code 1 where there is an error.

Any setting can be overridden by its dotted name; values are YAML.

examples:
  hero preflight config.yaml
  hero preflight config.yaml --rule.scale group
  hero preflight verl.yaml --algorithm.norm_adv_by_std_in_grpo false
  hero preflight grpo_arguments.yaml --json
  hero preflight my_script:args
"""


@dataclass
class _Arguments:
    """Name each setting that is inert or dangerous in its combination, and why."""

    config: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="CONFIG")]
    """YAML file, or MODULE:OBJECT of a Python script."""

    offline: bool = False
    """Ask no reward model's server whether its scores are logits."""

    json: bool = False
    """Print the objections as one JSON object."""


def run(argv: list[str]) -> int:
    """Parse the arguments and print what was found."""
    arguments, rest = parse(_Arguments, argv, "preflight", _EPILOG)
    from hero_rl.settings import parse_overrides
    from hero_rl.training.preflight import preflight

    found = preflight(arguments.config, parse_overrides(rest), offline=arguments.offline)
    errors = sum(objection.level == "error" for objection in found.objections)
    if arguments.json:
        print(json.dumps({"kind": found.kind, "objections": [asdict(objection) for objection in found.objections]}))
    else:
        for objection in found.objections:
            print(objection)
        kinds = {"hero": "hero train", "trl": "TRL", "verl": "verl"}
        said = f"{errors} errors, {len(found.objections) - errors} warnings" if found.objections else "nothing found"
        print(f"{arguments.config} (settings of {kinds[found.kind]}): {said}")
    return 1 if errors else 0
