"""The command that a recipe is, as a shell takes it; what its user has not given yet is a variable of the shell."""

from __future__ import annotations

import re
import shlex
import sys
from dataclasses import dataclass
from typing import Any

from hero_rl.errors import ConfigError
from hero_rl.settings import is_name
from hero_rl.training.recipes import Recipe
from hero_rl.training.recipes.load import load_run, missing_needs
from hero_rl.training.verl.launch import absolute
from hero_rl.training.verl.policy import train_command
from hero_rl.training.verl.sft import sft_command

__all__ = ["RecipeCommand", "recipe_command"]

_UNKNOWN = re.compile(r"<([a-z_.]+)>")
_FILES = re.compile(r"^(data\.(?:train|val)_files)=.*", re.DOTALL)
_LAYOUTS = {
    "train": "as Parquet in verl's layout (`hero recipe run` makes it of a file with those columns)",
    "sft": "as Parquet with a column messages (`hero recipe run` makes it of a file with those columns)",
}


@dataclass(frozen=True)
class RecipeCommand:
    """A command that can be copied.

    Attributes:
        words: program and arguments; `<model.path>` stands for what is not known yet.
        environment: variables that it needs.
        missing: settings that are not known yet, and what they are.
    """

    words: list[str]
    environment: dict[str, str]
    missing: dict[str, str]

    @property
    def variables(self) -> dict[str, str]:
        """Variables of the shell in the text, and what they are."""
        return {_variable(name): what for name, what in self.missing.items()}

    def __str__(self) -> str:
        given = [f"{name}={_quoted(value)}" for name, value in self.environment.items()]
        words = [*given, *map(_quoted, self.words)]
        return " \\\n  ".join(_lines(words))


def recipe_command(recipe: Recipe, overrides: dict[str, Any], arguments: list[str], gpus: int | None) -> RecipeCommand:
    """The command of a recipe under overrides.

    Args:
        recipe: which.
        overrides: values by dotted name.
        arguments: the same as words of a command line.
        gpus: for TRL, instead of the recipe's own number.

    Raises:
        ConfigError: a setting is unknown or wrong.
    """
    missing = missing_needs(recipe.needs, overrides)
    known = overrides | {name: f"<{name}>" for name in missing}
    config = load_run(recipe.name, known, recipe.verb)
    if recipe.engine == "trl":
        given = [*_pairs(arguments), *(f"--{name}=<{name}>" for name in missing)]
        return RecipeCommand([*_launcher(gpus or recipe.processes), recipe.verb, recipe.name, *given], {}, missing)
    if gpus is not None:
        raise ConfigError("--gpus is for TRL; verl's are --verl.trainer.nnodes and --verl.trainer.n_gpus_per_node")
    config = config if "output_dir" in missing else absolute(config)
    command = train_command(config) if recipe.verb == "train" else sft_command(config)
    words = ["python" if word == sys.executable else word for word in command.words]
    if "data.train" in missing:  # then a file in verl's layout is asked for
        words = [_FILES.sub(r"\1=<data.train>", word) for word in words]
        missing = missing | {"data.train": f"{missing['data.train']}; {_LAYOUTS[recipe.verb]}"}
    return RecipeCommand(words, command.environment, missing)


def _launcher(gpus: int) -> list[str]:
    return ["hero"] if gpus == 1 else ["torchrun", "--standalone", "--nproc-per-node", str(gpus), "-m", "hero_rl"]


def _pairs(arguments: list[str]) -> list[str]:
    """Words of a command line with `--a.b 1` as `--a.b=1`."""
    words, queue = [], list(arguments)
    while queue:
        word = queue.pop(0)
        words.append(f"{word}={queue.pop(0)}" if "=" not in word and queue and not is_name(queue[0]) else word)
    return words


def _variable(setting: str) -> str:
    return setting.replace(".", "_").upper()


def _quoted(word: str) -> str:
    """A word as the shell takes it; what is unknown is a variable without which the shell stops and says so."""
    parts = _UNKNOWN.split(word)  # text, name, text, name, ... text
    texts = [shlex.quote(text) if text else "" for text in parts[::2]]
    names = [f'"${{{_variable(name)}:?}}"' for name in parts[1::2]] + [""]
    return "".join(text + name for text, name in zip(texts, names, strict=True))


def _lines(words: list[str]) -> list[str]:
    """Program and verb on one line, each setting on its own."""
    lines: list[str] = []
    for word in words:
        if lines and "=" not in word and "=" not in lines[-1]:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines
