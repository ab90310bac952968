"""`hero recipe`: ready configurations, listed, shown and started."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from importlib import import_module
from typing import Annotated, Any, Literal

import tyro

from hero_rl.cli.arguments import interrupted, parse
from hero_rl.errors import ConfigError

__all__ = ["run"]

_EPILOG = """
A recipe for one GPU is named one-gpu/model/data/rule; the data come from the Hub, and `show` estimates memory and time.
The paper's are named engine/model/regime/rule, and the cold start before them engine/model/sft. Any setting can be
overridden by its dotted name.

examples:
  hero recipe list one-gpu
  hero recipe show one-gpu/qwen3-0.6b/gsm8k/gated-hero
  hero recipe run one-gpu/qwen3-0.6b/gsm8k/gated-hero --output_dir runs/gated
  hero recipe run one-gpu/qwen3-0.6b/gsm8k/gated-hero --gpus 8 --output_dir runs/gated
  hero recipe list verl/qwen3-4b
  hero recipe show verl/qwen3-4b/hard/hero
  hero recipe show trl/qwen3-4b/easy/hero --yaml > easy.yaml
  hero recipe run trl/qwen3-4b/sft --data.train samples.jsonl --output_dir runs/sft
  hero recipe run verl/qwen3-4b/hard/hero --model.path sft --data.train hard.jsonl --output_dir runs/hard --dry-run

Every recipe and why it is set so: docs/guides/recipes.md
"""


@dataclass
class _Arguments:
    """Ready configurations, for one GPU and the paper's: list them, show one's command or settings, run one."""

    what: Annotated[Literal["list", "show", "run"], tyro.conf.Positional]
    """What to do."""

    name: Annotated[str | None, tyro.conf.Positional, tyro.conf.arg(metavar="NAME")] = None
    """The recipe; for list, the beginning of the names."""

    yaml: bool = False
    """Show the whole configuration, to save and change, instead of the command."""

    gpus: int | None = None
    """GPUs of a run with TRL, instead of the recipe's; torchrun starts a process for each."""

    resume: bool = False
    """Continue the run in output_dir from its newest checkpoint."""

    dry_run: bool = False
    """Check, print the exact command and start nothing."""

    json: bool = False
    """Print the result as one JSON object."""


def run(argv: list[str]) -> int:
    """Parse the arguments and do it."""
    arguments, rest = parse(_Arguments, argv, "recipe", _EPILOG)
    if arguments.what == "list":
        return _list(arguments)
    if arguments.name is None:
        raise ConfigError(f"{arguments.what}: which recipe? `hero recipe list` has their names")
    try:
        return _show(arguments, rest) if arguments.what == "show" else _run(arguments, rest)
    except KeyboardInterrupt:
        return interrupted("recipe", argv, "--resume")


def _list(arguments: _Arguments) -> int:
    from hero_rl.training.recipes import compose, like, names, with_dashes
    from hero_rl.training.recipes.listing import listing

    chosen = [name for name in names() if name.startswith(with_dashes(arguments.name or ""))]
    if not chosen:
        raise ConfigError(f"no recipe's name begins with {arguments.name!r}{like(str(arguments.name))}")
    if arguments.json:
        recipes = map(compose, chosen)
        listed = [{"name": one.name, "engine": one.engine, "verb": one.verb, "summary": one.summary} for one in recipes]
        print(json.dumps({"recipes": listed}))
    else:
        print(listing(chosen))
    return 0


def _show(arguments: _Arguments, rest: list[str]) -> int:
    from hero_rl.settings import lay_over, parse_overrides
    from hero_rl.training.recipes import compose
    from hero_rl.training.recipes.command import recipe_command
    from hero_rl.training.recipes.estimate import estimate

    recipe, overrides = compose(str(arguments.name)), parse_overrides(rest)
    command = recipe_command(recipe, overrides, rest, arguments.gpus)
    settings = lay_over(recipe.settings, overrides)
    estimated = estimate(recipe, settings, arguments.gpus or recipe.processes)
    if arguments.json:
        shown = {"name": recipe.name, "summary": recipe.summary, "settings": settings, "needs": command.missing}
        print(json.dumps(shown | {"estimate": estimated and asdict(estimated), "command": str(command)}))
    elif arguments.yaml:
        import yaml

        needed = [f"# {name}: {what}" for name, what in command.missing.items()]
        head = [f"# {recipe.name}", *(["# Give these, here or on the command line:"] if needed else []), *needed]
        print("\n".join([*head, yaml.safe_dump(settings, sort_keys=False, allow_unicode=True)]), end="")
    else:
        head = [f"# {recipe.summary or recipe.name}"]
        if estimated is not None:
            head += ["# Estimates for each GPU, none was measured:"]
            head += [f"#   {line}" for line in str(estimated).splitlines()]
        if command.variables:
            head += ["# Set these variables first:"]
            head += [f"#   {name}: {what}" for name, what in command.variables.items()]
        print("\n".join([*head, str(command)]))
    return 0


def _run(arguments: _Arguments, rest: list[str]) -> int:
    from hero_rl.settings import parse_overrides
    from hero_rl.training.recipes import compose
    from hero_rl.training.recipes.command import recipe_command
    from hero_rl.training.recipes.load import load_run

    recipe, overrides = compose(str(arguments.name)), parse_overrides(rest)
    config = load_run(recipe.name, overrides, recipe.verb)  # names what is missing
    command = recipe_command(recipe, overrides, rest, arguments.gpus)
    if arguments.dry_run:
        _check(recipe.engine, recipe.verb, config)
        print(json.dumps({"command": str(command)}) if arguments.json else command)
        return 0
    flags = [*(["--resume"] if arguments.resume else []), *(["--json"] if arguments.json else [])]
    if command.words[0] == "torchrun":
        words = [sys.executable, "-m", "torch.distributed.run", *command.words[1:], *flags]
        with subprocess.Popen(words) as process:
            return process.wait()
    return import_module(f"hero_rl.cli.{recipe.verb}").run([recipe.name, *rest, *flags])


def _check(engine: str, verb: str, config: Any) -> None:
    """Settings and data, as far as they need neither GPUs nor verl."""
    if (engine, verb) == ("verl", "train"):
        from hero_rl.training.verl.policy import check_verl_run

        check_verl_run(config, compose=False)
    elif verb == "train":
        from hero_rl.training.rows.prompts import load_prompts

        load_prompts(config.data, "train", config.verifier, config.rule, config.auditor)
    else:
        from hero_rl.training.rows.demonstrations import load_demonstrations

        load_demonstrations(config.data, "train")
