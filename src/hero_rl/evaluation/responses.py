"""The responses of one run to one benchmark, on disk, each kept as soon as it is there."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hero_rl.errors import ConfigError, DataError
from hero_rl.files.journal import Journal
from hero_rl.files.whole import replacing
from hero_rl.generation import Generated, GenerationRequest, seed_of
from hero_rl.problems import Problem
from hero_rl.rollouts import Rollout
from hero_rl.rollouts.writers import row_line

__all__ = ["FACTS", "Responses", "Wanted", "wanted"]

FACTS = ("seed", "sample", "finish_reason", "tokens")
"""What is known of a response besides its text."""

_KEYS = ("id", "prompt", "completion", *FACTS)


@dataclass(frozen=True)
class Wanted:
    """One response that an evaluation is to have.

    Attributes:
        problem: what is asked.
        seed: the run of samples that it belongs to.
        sample: its number in that run.
    """

    problem: Problem
    seed: int
    sample: int

    @property
    def id(self) -> str:
        """Its name in files."""
        return f"{self.problem.id}/{self.seed}/{self.sample}"

    @property
    def request(self) -> GenerationRequest:
        """What a model is asked; the seed depends on nothing but this response."""
        return GenerationRequest(self.id, self.problem.prompt, seed_of(self.seed, self.problem.id, self.sample))


def wanted(problems: Iterable[Problem], seeds: Sequence[int], samples: int) -> list[Wanted]:
    """Every response to every problem, in the order of problem, seed and sample."""
    return [Wanted(problem, seed, n) for problem in problems for seed in seeds for n in range(samples)]


class Responses:
    """The responses that there are, by id.

    While there are more to come they lie in the file's name and `.partial`, in the order in which they came; `finish`
    writes the file whole.

    Args:
        path: the finished file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._partial = path.with_name(path.name + ".partial")
        finished = path.exists() and not self._partial.exists()
        self._journal = Journal(path if finished else self._partial)
        try:
            self._places = {row["id"]: place for place, row in self._journal.items(_KEYS)}
        except DataError:
            self._journal.close()
            raise

    def __contains__(self, response: str) -> bool:
        return response in self._places

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def add(self, asked: Wanted, made: Generated, step: int | None) -> None:
        """Keep a response."""
        if not self._partial.exists():
            os.replace(self.path, self._partial)  # the open file goes with its name
        rollout = Rollout(
            prompt=asked.problem.prompt,
            completion=made.text or "",
            id=asked.id,
            reference=asked.problem.reference,
            group=asked.problem.id,
            step=step,
            extra={
                "seed": asked.seed,
                "sample": asked.sample,
                "finish_reason": made.finish_reason,
                "tokens": made.tokens,
            },
        )
        (self._places[asked.id],) = self._journal.append([row_line(rollout)])

    def row(self, asked: Wanted) -> dict:
        """A response as it was written."""
        return self._journal.at(self._places[asked.id])

    def refuse_other_prompts(self, asked: Iterable[Wanted]) -> None:
        """Raise a `ConfigError` where a response is there that is to another prompt than its problem has now."""
        for each in asked:
            prompt = each.problem.prompt
            now = prompt if isinstance(prompt, str) else [dict(message) for message in prompt]
            if each.id in self and self.row(each)["prompt"] != now:
                raise ConfigError(
                    f"{self.path}: the response {each.id} is to another prompt than the problem has now; take another "
                    "folder, or begin anew with --restart"
                )

    def finish(self, rollouts: Iterable[Rollout]) -> None:
        """Write the file whole: these rollouts, then the responses that are not among them, as they are."""
        with replacing(self.path) as file:
            rest = dict(self._places)
            for rollout in rollouts:
                file.write(row_line(rollout))
                rest.pop(str(rollout.id), None)
            for _, offset in sorted(rest.items()):
                file.write(row_line(_as_rollout(self._journal.at(offset))))
        self.close()
        self._partial.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file; what is in it stays."""
        self._journal.close()
        if not self._places:
            self._partial.unlink(missing_ok=True)


def _as_rollout(row: dict) -> Rollout:
    """A row of our own, back as it was."""
    fields = {name: row.pop(name) for name in list(row) if name in Rollout.__dataclass_fields__}
    return Rollout(**fields, extra=row)
