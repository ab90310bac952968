"""Verdicts on the solutions of problems, from a verifier in processes that can be killed, kept as they come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from hero_rl.budget import FailureBudget
from hero_rl.errors import UnscorableError
from hero_rl.files.messages import text_of_content
from hero_rl.files.partial import Partial
from hero_rl.files.rows import Text
from hero_rl.files.stages import Bars
from hero_rl.problems import Problem
from hero_rl.rollouts import Rollout, RolloutReader
from hero_rl.rollouts.writers import row_line, write_lines
from hero_rl.verifiers import (
    FAILURES,
    AnyVerifier,
    BatchVerifier,
    Processes,
    Request,
    Verdict,
    Verifier,
    held,
    in_processes,
    verdicts_of,
)
from hero_rl.verifiers.asking import first_crash

__all__ = ["Matching", "identity_of", "judged_rows", "text_of", "verify_solutions"]

AT_A_TIME = 128


def identity_of(reader: RolloutReader) -> list[Any]:
    """What tells a file of rollouts from a changed one, and how it is read."""
    stats = [(file, file.stat()) for file in reader.files]
    files = [[str(file.resolve()), stat.st_size, stat.st_mtime_ns] for file, stat in stats]
    return [files, reader.layout.format, dict(reader.layout.source)]


def text_of(text: Text) -> str:
    """A prompt's question or a completion's words: the last message's content, where they are messages."""
    if isinstance(text, str):
        return text
    users = [message for message in text if message.get("role") == "user"]
    return text_of_content((users or list(text) or [{}])[-1].get("content"))


class Matching:
    """Finds the problem that a solution is of.

    By its question's text, else by its column `problem_id`, else by its group or its id (also `ID/SAMPLE`). Group and
    id are often row numbers, which rows of other files have too, so they count only where the prompt holds the
    problem's question.

    Args:
        problems: the problems.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self._by_id: dict[str, Problem] = {}
        self._by_text: dict[str, Problem] = {}
        for problem in problems:
            self._by_id[problem.id] = problem
            for text in (problem.question, text_of(problem.prompt)):
                self._by_text.setdefault(_squeezed(text), problem)

    def problem(self, solution: Rollout) -> Problem | None:
        """The solution's problem, None where it is of no problem here."""
        asked = _squeezed(text_of(solution.prompt))
        by_text = self._by_text.get(asked)
        if by_text is not None:
            return by_text
        told = self._named(solution.extra.get("problem_id"))
        name = solution.id or ""
        named = map(self._named, (solution.group, name, name.rpartition("/")[0]))
        return told or next((one for one in named if one and _squeezed(one.question) in asked), None)

    def _named(self, name: Any) -> Problem | None:
        return None if name is None else self._by_id.get(str(name))


def _squeezed(text: str) -> str:
    return " ".join(text.split())


def verify_solutions(
    reader: RolloutReader,
    find: Callable[[Rollout], Problem | None],
    verifier: AnyVerifier,
    processes: Processes,
    output: Path,
    head: Mapping[str, Any],
    max_missing: float,
    restart: bool,
    bars: Bars,
) -> None:
    """Give every solution of a known problem its verdict, and write them in the order of their file.

    Each row's group and reference are its problem's, and it says why its verdict is what it is. A verdict that the file
    had is kept as `input_verdict`.

    Args:
        reader: the solutions.
        find: a solution's problem, None for one to leave out.
        verifier: judges them, at most 128 at a time.
        processes: where a rule runs.
        output: the file; it appears whole or not at all.
        head: what the verdicts depend on.
        max_missing: the share of solutions that the verifier may fail on.
        restart: begin anew, whatever an interrupted call left.
        bars: shows how far it is.

    Raises:
        DataError: a row is bad.
        UnscorableError: the verifier failed on too many; what was judged before is kept for the next call.
    """
    with ExitStack() as stack:
        partial = stack.enter_context(Partial(output, head, restart))
        bar = stack.enter_context(bars("verdicts", reader.size))
        judge = _Judge(held(in_processes(verifier, processes), stack), max_missing)
        if not partial.batches:
            for _ in reader:  # so that a bad row costs no work on the others
                pass
        rows = iter(reader)
        read = sum(note["read"] for note in partial.batches)
        for _ in islice(rows, read):
            pass
        bar(reader.position if read else 0)
        while chunk := list(islice(rows, AT_A_TIME)):
            found = [(solution, problem) for solution in chunk if (problem := find(solution))]
            partial.add_batch(judge.lines(found), {"read": len(chunk)})
            bar(reader.position)
        write_lines(output, partial.rows())
        partial.remove()


class _Judge:
    """Makes rows with verdicts, and refuses to go on where the verifier fails."""

    def __init__(self, verifier: Verifier | BatchVerifier, max_missing: float) -> None:
        self._verifier = verifier
        self._budget = FailureBudget(max_missing, window=AT_A_TIME)

    def lines(self, found: Sequence[tuple[Rollout, Problem]]) -> list[bytes]:
        """The solutions as lines of a file of rollouts, their verdicts with them."""
        pairs = [
            Request(problem.reference, text_of(solution.completion), problem.question) for solution, problem in found
        ]
        verdicts = verdicts_of(self._verifier, pairs)
        self._refuse_failures(verdicts)
        return [_judged(*one, verdict) for one, verdict in zip(found, verdicts, strict=True)]

    def _refuse_failures(self, verdicts: Sequence[Verdict]) -> None:
        failures = Counter(str(verdict.reason) for verdict in verdicts if verdict.reason in FAILURES)
        if self._budget.add(failures.total(), len(verdicts)):
            said = ", ".join(f"{reason.replace('_', ' ')} {count}" for reason, count in failures.most_common())
            raise UnscorableError(
                f"the verifier failed on {failures.total()} of {len(verdicts)} solutions ({said}), more than "
                f"max_missing {self._budget.share:g} allows; what was judged before is kept, and the same command goes "
                f"on there{first_crash(getattr(self._verifier, 'first_failure', ''), failures)}"
            )


def _judged(solution: Rollout, problem: Problem, verdict: Verdict) -> bytes:
    said = {"verdict_reason": str(verdict.reason), "verdict_answer": verdict.answer, "source": problem.source}
    before = {} if solution.verdict is None else {"input_verdict": solution.verdict}
    value = None if verdict.abstained else verdict.value
    return row_line(
        replace(
            solution,
            prompt=problem.prompt,
            group=problem.id,
            reference=problem.reference,
            verdict=value,
            extra={**solution.extra, **before, **said},
        )
    )


def judged_rows(path: Path) -> Iterator[Rollout]:
    """The rows that `verify_solutions` wrote."""
    return iter(RolloutReader(path, format="rollouts"))
