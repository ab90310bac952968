"""How every verb reads its arguments: a dataclass for its own, and the rest left over for dotted overrides."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import tyro

from hero_rl.errors import ConfigError
from hero_rl.settings import is_name

if TYPE_CHECKING:
    from hero_rl.verifiers import Processes

__all__ = ["RunArguments", "bar", "finished", "interrupted", "moving", "overrides_of", "parse", "processes_of"]

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


def interrupted(verb: str, argv: list[str], flag: str | None = None) -> int:
    """Say how an interrupted call goes on, with a flag or without; returns the exit code."""
    kept = [argument for argument in argv if argument not in ("--resume", "--restart")]
    again = shlex.join([*kept, *([flag] if flag else [])])
    print(f"\ninterrupted; go on with: hero {verb} {again}", file=sys.stderr)
    return 130


def bar(shown: bool, **settings: Any) -> Any:
    """A bar of tqdm's on a terminal, from one second on."""
    from tqdm import tqdm

    return tqdm(**settings, disable=not shown or not sys.stderr.isatty(), delay=1.0, leave=False)


def moving(shown_bar: Any) -> Callable[[float], object]:
    """What moves a bar to a place. The first that it is told is where it begins: a resumed call did not work for that.

    So the time left is told from the work of this call alone.
    """
    begun = False

    def moved(place: float) -> None:
        nonlocal begun
        if begun:
            shown_bar.update(int(place) - shown_bar.n)
        else:
            shown_bar.n = shown_bar.initial = shown_bar.last_print_n = int(place)
            begun = True

    return moved


def overrides_of(rest: list[str], blocks: Collection[str], verb: str) -> dict[str, Any]:
    """The settings by dotted name that a verb takes beside its own arguments: those of some blocks.

    Raises:
        ConfigError: an argument is of none of them.
    """
    from hero_rl.settings import parse_overrides

    overrides = parse_overrides(rest)
    for name in overrides:
        if name.partition(".")[0] not in blocks or "." not in name:
            raise ConfigError(f"--{name}: unknown argument; see hero {verb} --help")
    return overrides


def processes_of(arguments: Any) -> Processes:
    """The processes that `--workers`, `--seconds` and `--memory_mb` ask for."""
    from hero_rl.settings import resolve
    from hero_rl.verifiers import Processes

    return resolve(
        {name: getattr(arguments, name) for name in ("workers", "seconds", "memory_mb")}, {}, "--", Processes
    )


def parse(kind: type[Arguments], argv: list[str], verb: str, epilog: str) -> tuple[Arguments, list[str]]:
    """Read a verb's arguments; its dataclass's docstring opens the help, the epilog with the examples follows.

    Returns:
        The arguments, and what the dataclass does not know: overrides by name first.
    """
    if "docs/" in epilog:
        epilog += f"{_DOCS}\n"
    own, others = _apart(argv, {field.name for field in fields(kind)})  # pyright: ignore[reportArgumentType]
    arguments, unknown = tyro.cli(
        kind,
        args=own,
        prog=f"hero {verb}",
        description=f"{kind.__doc__}\n{epilog}",
        return_unknown_args=True,
        config=(tyro.conf.FlagCreatePairsOff,),
    )
    return arguments, [*others, *unknown]


_DOCS = "(docs/ is a folder of hero-rl's repository; an installed package has none.)"
_NAMED = re.compile(r"--(\w[\w.+~-]*)(=.*)?", re.DOTALL)


def _apart(argv: list[str], known: set[str]) -> tuple[list[str], list[str]]:
    """A verb's own arguments, and the other named ones with their values, which an optional file name would swallow."""
    own, others = [], []
    queue = list(argv)
    while queue:
        argument = queue.pop(0)
        match = _NAMED.fullmatch(argument)
        if match is None or match[1].replace("-", "_") in known | {"help"}:
            own.append(argument)
            continue
        others.append(argument)
        if match[2] is None and queue and not is_name(queue[0]):
            others.append(queue.pop(0))
    return own, others
