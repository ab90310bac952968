"""`hero diagnose`: what the reward of logged rollouts does to the gradient, in the terminal and as a report."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from hero_rl.cli.arguments import parse
from hero_rl.cli.rollout_arguments import (
    RolloutArguments,
    columns_of,
    counting_bar,
    reading_bar,
    say_what_is_read,
    settings_of,
)
from hero_rl.errors import ConfigError

if TYPE_CHECKING:
    from hero_rl.diagnosis import Diagnosis

__all__ = ["run"]

_EPILOG = """
ROLLOUTS is JSON Lines (also gzipped) or Parquet, or a folder of them: rollouts of hero train, of TRL, verl, prime-rl,
NeMo-RL, open-instruct or slime, samples of evaluations, or one prompt a row with a list of completions.

Verdicts, scores and the base rule as in hero score: --verifier.NAME VALUE and --reward_model.NAME VALUE have them made
anew, --rule.NAME VALUE sets HERO, which the other rules are compared with.

examples:
  hero diagnose rollouts.jsonl -o report.html
  hero diagnose runs/a --rule.alpha 0.05 --rule.beta 0.05
  hero diagnose runs/trl/completions --verdict_column accuracy_reward --score_column my_reward_model
  hero diagnose verl_dumps -o report.html --reward_model.path nvidia/AceMath-7B-RM
  hero diagnose rollouts.jsonl --sweep alpha=0.02,0.05,0.1,0.2 scale=none,group sigma=raw,relative

What each number means: docs/guides/diagnose.md; formats and columns: docs/guides/rollouts.md
"""


@dataclass(kw_only=True)
class _Arguments(RolloutArguments):
    """See inside the reward of rollouts that are there already."""

    input: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="ROLLOUTS")]
    """File or folder of rollouts, or a run's folder, in which they are."""

    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"], metavar="report.html")] = None
    """The report to write; none writes no file."""

    sweep: tuple[str, ...] = ()
    """Settings of HERO to replay the rollouts under, a grid: alpha=0.02,0.1 scale=none,group."""

    json: bool = False
    """Print everything as one JSON object and show no progress."""


def run(argv: list[str]) -> int:
    """Parse the arguments, diagnose, and print what was found."""
    arguments, rest = parse(_Arguments, argv, "diagnose", _EPILOG)
    diagnosis = _diagnose(arguments, rest)
    if arguments.output is not None:
        from hero_rl.diagnosis.report import write_report

        write_report(diagnosis, arguments.output)
    if arguments.json:
        print(json.dumps(diagnosis.model_dump(mode="json"), allow_nan=False))
    else:
        from rich.console import Console

        from hero_rl.diagnosis.terminal import print_diagnosis

        print_diagnosis(diagnosis, Console(highlight=False))
    if arguments.output is not None:
        print(f"written    {arguments.output}", file=sys.stderr)
    return 0


def _diagnose(arguments: _Arguments, rest: list[str]) -> Diagnosis:
    from transformers.utils import logging as transformers_logging

    from hero_rl.diagnosis import diagnose, parse_sweep, replays
    from hero_rl.rescoring import collect, labelled_reader
    from hero_rl.rules import Hero

    settings = settings_of(arguments, rest, "diagnose")
    if not isinstance(settings.rule, Hero):
        raise ConfigError(f"--rule.type: the base rule is hero, and {settings.rule.type} is compared with it anyway")
    if arguments.output is not None:
        from hero_rl.diagnosis.report import check_output

        check_output(arguments.output)
    grid = parse_sweep(arguments.sweep, settings.rule)
    transformers_logging.disable_progress_bar()
    reader, label = labelled_reader(
        arguments.input, columns_of(arguments), arguments.format, settings, arguments.tokenizer
    )
    say_what_is_read(reader, arguments)
    with reading_bar(reader, shown=not arguments.json) as moved:
        collected, source = collect(reader, label, settings, moved)
    with counting_bar(replays(grid), "replaying", shown=not arguments.json) as done:
        return diagnose(collected, source, settings.rule, grid, done)
