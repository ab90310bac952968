"""What the verbs share that read rollouts: the flags for columns and processes, the dotted blocks, the progress bar."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from hero_rl.cli.arguments import bar, moving, overrides_of, processes_of
from hero_rl.errors import ConfigError
from hero_rl.rollouts import Columns, Format, RolloutReader

if TYPE_CHECKING:
    from hero_rl.rescoring import Rescoring

__all__ = ["RolloutArguments", "columns_of", "counting_bar", "reading_bar", "say_what_is_read", "settings_of"]

_BLOCKS = ("rule", "verifier", "reward_model")


@dataclass(kw_only=True)
class RolloutArguments:
    """Where rollouts are, what their columns are called, and how they are judged."""

    input: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="IN")]
    """File or folder of rollouts, or a run's folder, in which they are."""

    format: Format | None = None
    """Whose rows IN has; told from its first row unless given."""

    tokenizer: str | None = None
    """Folder or Hub name of the policy's tokenizer, for files that hold token ids."""

    prompt_column: str | None = None
    """Column of the prompt."""

    completion_column: str | None = None
    """Column of the completion, or of the list of them."""

    reference_column: str | None = None
    """Column of the right answer."""

    group_column: str | None = None
    """Column of what the rollouts of one prompt share; without one, rows of one step and one prompt are a group."""

    verdict_column: str | None = None
    """Column of verdicts to keep."""

    label_column: str | None = None
    """Column of known correctness, to take in the place of verdicts."""

    score_column: str | None = None
    """Column of scores to keep."""

    step_column: str | None = None
    """Column of the optimiser step."""

    batch_groups: int = 128
    """Groups of a batch where there are no steps; a step is a batch."""

    workers: int | None = None
    """Processes that verify; as many as its share of the cores unless told otherwise."""

    seconds: float = 1.0
    """Time limit of one check."""

    memory_mb: int = 2048
    """Memory limit of one process."""

    max_missing: float = 0.1
    """Stop when verifier or reward model fail on a larger share than this; 1 goes on whatever fails."""


def columns_of(arguments: RolloutArguments) -> Columns:
    """The columns that were named."""
    names = ("prompt", "completion", "reference", "group", "verdict", "score", "label", "step")
    return Columns(**{name: getattr(arguments, f"{name}_column") for name in names})


def say_what_is_read(reader: RolloutReader, arguments: RolloutArguments) -> None:
    """Say so where it is not what was named: the rollouts inside the folder of a run."""
    if reader.path != arguments.input:
        print(f"reading    {reader.path}", file=sys.stderr)


@contextmanager
def reading_bar(reader: RolloutReader, shown: bool) -> Iterator[Callable[[float], object]]:
    """A bar over the bytes of a file on a terminal, from one second on; hands out what is told of the position."""
    with bar(shown, total=reader.size, desc=reader.path.name, unit="B", unit_scale=True) as shown_bar:
        yield moving(shown_bar)


@contextmanager
def counting_bar(total: int, what: str, shown: bool) -> Iterator[Callable[[], object]]:
    """A bar over so many things of one kind on a terminal, from one second on; hands out what is called after each."""
    with bar(shown, total=total, desc=what) as shown_bar:
        yield lambda: shown_bar.update(1)


def settings_of(arguments: RolloutArguments, rest: list[str], verb: str, blocks: Sequence[str] = _BLOCKS) -> Rescoring:
    """The settings behind the flags and the dotted overrides.

    Raises:
        ConfigError: an unknown or wrong setting, under the name that the user gave.
    """
    from hero_rl.rescoring import Rescoring
    from hero_rl.settings import resolve

    overrides = overrides_of(rest, blocks, verb)
    _refuse_both(arguments, overrides)
    raw: dict[str, Any] = {name: getattr(arguments, name) for name in ("batch_groups", "max_missing")}
    if any(name.startswith("verifier.") for name in overrides):
        raw["verifier"] = {"type": "math"}
    if any(name.startswith("auditor.") for name in overrides):
        raw["auditor"] = {"type": "judge"}
    return resolve(raw | {"verifier_processes": processes_of(arguments)}, overrides, "--", Rescoring)


def _refuse_both(arguments: RolloutArguments, overrides: dict[str, Any]) -> None:
    """Columns to keep and something to make them anew contradict each other."""
    for column, block in (("verdict", "verifier"), ("label", "verifier"), ("score", "reward_model")):
        asked = [name for name in overrides if name.startswith(f"{block}.")]
        if getattr(arguments, f"{column}_column") and asked:
            raise ConfigError(
                f"--{column}_column keeps what the file has, --{asked[0]} makes it anew; give one of them"
            )
