"""Solutions from a model, kept as they come, so that a call that was killed goes on where it was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hero_rl.budget import FailureBudget
from hero_rl.errors import GenerationError
from hero_rl.files.partial import Partial
from hero_rl.files.stages import Bars
from hero_rl.generation import Generated, GenerationRequest, GeneratorConfig, Sampling, seed_of
from hero_rl.problems import Problem
from hero_rl.rollouts import Rollout
from hero_rl.rollouts.writers import row_line, write_lines

__all__ = ["solve"]

_FEW = 32  # of fewer, a few prompts that are too long must not end the call


def solve(
    problems: Sequence[Problem],
    generator: GeneratorConfig,
    sampling: Sampling,
    output: Path,
    head: Mapping[str, Any],
    max_missing: float,
    restart: bool,
    bars: Bars,
) -> None:
    """Write so many solutions of each problem, in the order of the problems, into a file of rollouts.

    Args:
        problems: what is to be solved.
        generator: the model.
        sampling: how tokens are drawn, and how many solutions a problem gets.
        output: the file; it appears whole or not at all.
        head: what the solutions depend on.
        max_missing: the share of requests that may fail. A failed one is no solution: its problem has one less. The
            next call asks again for those that failed before this one was interrupted.
        restart: begin anew, whatever an interrupted call left.
        bars: shows how far it is.

    Raises:
        GenerationError: too many requests failed, or the model is gone; what was written is kept for the next call.
    """
    order = {_key(problem, n): (at, n) for at, problem in enumerate(problems) for n in range(sampling.samples)}
    with Partial(output, head, restart) as partial:
        done = {note["key"] for note in partial.batches}
        with bars("solutions", len(order)) as bar:
            bar(len(done))
            if len(done) < len(order):
                with generator.build(sampling) as model:
                    budget = FailureBudget(max_missing, window=max(len(order), _FEW))
                    for made in model.generate(_requests(problems, sampling, done)):
                        if budget.add(int(made.text is None), 1):
                            raise _too_many(budget, len(order), made)
                        if made.text is not None:
                            at, sample = order[made.key]
                            partial.add_batch([_line(problems[at], sample, made, model.model)], {"key": made.key})
                        bar(len(partial.batches) + budget.failed)
        write_lines(output, _in_order(partial, order))
        partial.remove()


def _key(problem: Problem, sample: int) -> str:
    return f"{problem.id}/{sample}"


def _requests(problems: Sequence[Problem], sampling: Sampling, done: set[str]) -> Iterator[GenerationRequest]:
    for problem in problems:
        for n in range(sampling.samples):
            if _key(problem, n) not in done:
                yield GenerationRequest(_key(problem, n), problem.prompt, seed_of(sampling.seed, problem.id, n))


def _line(problem: Problem, sample: int, made: Generated, model: str) -> bytes:
    extra = {"sample": sample, "finish_reason": made.finish_reason, "tokens": made.tokens, "model": model}
    completion = made.text or ""
    return row_line(Rollout(problem.prompt, completion, made.key, problem.reference, group=problem.id, extra=extra))


def _in_order(partial: Partial, order: Mapping[str, tuple[int, int]]) -> Iterator[bytes]:
    """The rows in the order of the problems, whatever the order in which they came."""
    keys = [order[note["key"]] for note in partial.batches]
    return (partial.line(place) for _, place in sorted(zip(keys, partial.places(), strict=True)))


def _too_many(budget: FailureBudget, asked: int, made: Generated) -> GenerationError:
    return GenerationError(
        f"the generator failed on {budget.failed} of {asked} requests, more than max_missing {budget.share:g} allows; "
        f"the last: {made.failure}. What was written before is kept, and the same command goes on there"
    )
