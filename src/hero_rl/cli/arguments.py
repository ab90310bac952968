"""How every verb reads its arguments: a dataclass for its own, and the rest left over for dotted overrides."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, TypeVar

import tyro

__all__ = ["RunArguments", "finished", "interrupted", "parse"]

Arguments = TypeVar("Arguments")


@dataclass
class RunArguments:
    """What every verb takes that trains from a configuration."""

    config: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="CONFIG")]
    """The configuration file, or the name of a recipe."""

    resume: bool = False
    """Continue the run in output_dir from its newest checkpoint."""

    check: bool = False
    """Check configuration and data, load no model, train nothing."""

    json: bool = False
    """Print the result as one JSON object and show no progress."""


def finished(arguments: RunArguments, places: Mapping[str, object]) -> int:
    """Say where the result lies, as lines or as one JSON object; of several ranks the first says it."""
    if os.environ.get("RANK", "0") == "0":
        if arguments.json:
            print(json.dumps({name: str(place) for name, place in places.items()}))
        else:
            named = {"record" if name == "output_dir" else name: place for name, place in places.items()}
            print("\n".join(f"{name:<10} {place}" for name, place in named.items()))
    return 0


def interrupted(verb: str, argv: list[str]) -> int:
    """Say how an interrupted run goes on; returns the exit code."""
    again = " ".join(argument for argument in argv if argument != "--resume")
    print(f"\ninterrupted; continue with: hero {verb} {again} --resume", file=sys.stderr)
    return 130


def parse(kind: type[Arguments], argv: list[str], verb: str, epilog: str) -> tuple[Arguments, list[str]]:
    """Read a verb's arguments; its dataclass's docstring opens the help, the epilog with the examples follows.

    Returns:
        The arguments, and what the dataclass does not know: dotted overrides first.
    """
    own, dotted = _apart(argv)
    arguments, unknown = tyro.cli(
        kind,
        args=own,
        prog=f"hero {verb}",
        description=f"{kind.__doc__}\n{epilog}",
        return_unknown_args=True,
        config=(tyro.conf.FlagCreatePairsOff,),
    )
    return arguments, [*dotted, *unknown]


_DOTTED = re.compile(r"--\w+\.[\w.+~-]+(=.*)?", re.DOTALL)


def _apart(argv: list[str]) -> tuple[list[str], list[str]]:
    """A verb's own arguments, and the dotted ones with their values, which an optional file name would swallow."""
    own, dotted = [], []
    queue = list(argv)
    while queue:
        argument = queue.pop(0)
        match = _DOTTED.fullmatch(argument)
        if match is None:
            own.append(argument)
            continue
        dotted.append(argument)
        if match[1] is None and queue:
            dotted.append(queue.pop(0))
    return own, dotted
