"""verl's programs as processes of their own: what starts them, and the files that they are given."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from pydantic import BaseModel

from hero_rl.errors import HeroError
from hero_rl.files.whole import replacing, write_whole
from hero_rl.training.records import AnyRun, write_records

__all__ = ["METRICS_FILE", "Command", "absolute", "launch", "metrics_file", "need_verl", "whole_files"]

METRICS_FILE = "VERL_FILE_LOGGER_PATH"
"""The variable by which verl knows where to log."""

Config = TypeVar("Config", bound=BaseModel)


@dataclass(frozen=True)
class Command:
    """A program, its arguments and what it finds in its environment besides ours."""

    words: list[str]
    environment: dict[str, str]

    def __str__(self) -> str:
        given = [f"{name}={shlex.quote(value)}" for name, value in self.environment.items()]
        return " ".join([*given, *map(shlex.quote, self.words)])


def launch(config: AnyRun, command: Command, write_data: Callable[[], None], *, quiet: bool) -> None:
    """Write data and record of a run, then start its command and wait for its end.

    Raises:
        HeroError: the command failed.
        KeyboardInterrupt: Ctrl-C, which the command got too and has obeyed.
    """
    folder = Path(config.output_dir)
    (folder / "data").mkdir(parents=True, exist_ok=True)
    write_data()
    write_records(config)
    write_whole(folder / "command.txt", f"{command}\n")
    process = subprocess.Popen(
        command.words, env=os.environ | command.environment, stdout=sys.stderr if quiet else None
    )
    try:
        code = process.wait()
    except KeyboardInterrupt:
        process.wait()
        raise
    if code:
        raise HeroError(f"verl ended with code {code}; what it said stands above, its command in {folder}/command.txt")


def need_verl() -> None:
    """Raise a `ModuleNotFoundError` where verl is not installed."""
    if find_spec("verl") is None or find_spec("verl.trainer") is None:
        raise ModuleNotFoundError("No module named 'verl'", name="verl")


def absolute(config: Config) -> Config:
    """The configuration with the run's folder and a model that is a folder named from the root, for any node."""
    whole: Any = config
    model = whole.model
    if Path(model.path).is_dir():
        model = model.model_copy(update={"path": str(Path(model.path).absolute())})
    return whole.model_copy(update={"output_dir": str(Path(whole.output_dir).absolute()), "model": model})


def metrics_file(folder: str) -> str:
    """A file of the run's metrics that is not there yet: verl starts its file anew whenever it starts."""
    number, path = 1, Path(folder) / "metrics.jsonl"
    while path.exists():
        number += 1
        path = Path(folder) / f"metrics_{number}.jsonl"
    return str(path)


@contextmanager
def whole_files(paths: Sequence[str]) -> Iterator[list[BinaryIO]]:
    """Files to write, which get their names when all of them are written, or vanish."""
    with ExitStack() as stack:
        yield [stack.enter_context(replacing(Path(path))) for path in paths]
