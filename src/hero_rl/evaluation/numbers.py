"""From the grades of a benchmark's responses to its numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hero_rl.evaluation.grading import UNGRADED, Grade
from hero_rl.evaluation.responses import Wanted
from hero_rl.evaluation.settings import Benchmark, EvalConfig
from hero_rl.evaluation.statistics import cohen_kappa, estimate, maj_at_k, pass_at_k

__all__ = ["Response", "benchmark_numbers", "problem_rows"]

_NOT_THERE = "no_response"


@dataclass(frozen=True)
class Response:
    """A response without its text, and what its graders said; one that could not be had has neither facts nor grades.

    Attributes:
        asked: what it answers.
        facts: what is known of it besides its text: seed, sample, finish_reason, tokens; None where there is none.
        grades: grader -> grade; the first one's verdict counts.
        answer: its final answer.
        vote: what it votes for in maj@k (see `votes`).
    """

    asked: Wanted
    facts: Mapping[str, Any] | None
    grades: Mapping[str, Grade]
    answer: str | None
    vote: str | None

    @property
    def verdict(self) -> float | None:
        """The verdict that counts."""
        return next(iter(self.grades.values())).verdict if self.grades else None

    @property
    def reason(self) -> str:
        """Why that is the verdict."""
        return next(iter(self.grades.values())).reason if self.grades else _NOT_THERE

    def verdict_of(self, grader: str) -> float | None:
        """What one of the graders says."""
        return self.grades[grader].verdict if grader in self.grades else None


def problem_rows(groups: Sequence[Sequence[Response]]) -> list[dict[str, Any]]:
    """One row a problem: the verdicts that count in the order of seed and sample, and the answers voted for."""
    rows = []
    for group in groups:
        row: dict[str, Any] = {"id": group[0].asked.problem.id, "samples": [_whole(each.verdict) for each in group]}
        for grader in ("verifier", "judge"):
            asked = grader in next((each.grades for each in group if each.grades), {})
            row[grader] = [_whole(each.verdict_of(grader)) for each in group] if asked else None
        rows.append(row | {"answers": [each.vote for each in group]})
    return rows


def benchmark_numbers(
    config: EvalConfig, benchmark: Benchmark, groups: Sequence[Sequence[Response]], judge: Mapping[str, Any]
) -> dict[str, Any]:
    """Everything that a result says of one benchmark.

    Args:
        config: the evaluation's settings.
        benchmark: the benchmark's.
        groups: the responses to each problem.
        judge: the judge's `models` and what it counted.
    """
    graders, samples, seeds = config.graders(benchmark), config.samples(benchmark), config.seeds_of(benchmark)
    verdicts = [[each.verdict for each in group] for group in groups]
    answers = [[each.vote for each in group] for group in groups]
    flat = [each for group in groups for each in group]
    written = [each.facts for each in flat if each.facts is not None]
    unscored = [each.reason for each in flat if each.verdict is None]
    tokens = [facts["tokens"] for facts in written if facts["tokens"] is not None]
    numbers = {
        "kind": benchmark.regime,
        "problems": len(groups),
        "samples": samples * len(seeds),
        "seeds": list(seeds),
        "graded_by": "both" if len(graders) == 2 else graders[0],
        "counts": graders[0],
        "pass@1": _estimate(pass_at_k(verdicts, 1)),
        "pass@k": {str(k): _estimate(pass_at_k(verdicts, k)) for k in _all_k(config, samples * len(seeds))},
        "maj@k": {"k": samples, **_estimate(maj_at_k(verdicts, answers, samples))} if samples > 1 else None,
        "left_out": sum(all(verdict is None for verdict in row) for row in verdicts),
        "unscored": len(unscored),
        "unscored_reasons": dict(sorted(Counter(unscored).items())),
        "failed": sum(reason in UNGRADED or reason == _NOT_THERE for reason in unscored),
        "cut_off": sum(facts["finish_reason"] == "length" for facts in written),
        "mean_tokens": sum(tokens) / len(tokens) if tokens else None,
        "agreement": _agreement(groups) if len(graders) == 2 else None,
        "judge": dict(judge) if "judge" in graders else None,
    }
    return numbers | {"averaged": _averaged(numbers)}


def _all_k(config: EvalConfig, most: int) -> list[int]:
    if config.k is not None:
        return sorted({k for k in config.k if k <= most})
    return sorted({2**power for power in range(most.bit_length())} | {most})


def _estimate(values: np.ndarray) -> dict[str, float | None]:
    return estimate(values).to_dict()


def _agreement(groups: Sequence[Sequence[Response]]) -> dict[str, Any]:
    """How verifier and judge agree, and the pass@1 of each."""
    verdicts = {
        grader: [[each.verdict_of(grader) for each in group] for group in groups] for grader in ("verifier", "judge")
    }
    agreement = asdict(cohen_kappa(verdicts["verifier"], verdicts["judge"]))
    return {
        **{name: value for name, value in agreement.items() if not name.startswith("only_")},
        "only_verifier": agreement["only_first"],
        "only_judge": agreement["only_second"],
        "pass@1": {grader: _estimate(pass_at_k(given, 1)) for grader, given in verdicts.items()},
    }


def _averaged(numbers: Mapping[str, Any]) -> str:
    """What pass@1 and maj@k are means of, in words."""
    problems, samples = numbers["problems"] - numbers["left_out"], numbers["samples"]
    runs, each = len(numbers["seeds"]), samples // len(numbers["seeds"])
    seeds = f"{'seed' if runs == 1 else f'each of {runs} seeds,'} {', '.join(map(str, numbers['seeds']))}"
    if samples == 1:
        said = f"pass@1: the share of {problems} problems whose one response, with {seeds}, the {numbers['counts']} "
    else:
        said = (
            f"pass@1: the mean over {problems} problems of the share of a problem's {samples} responses "
            f"({each} with {seeds}) that the {numbers['counts']} "
        )
    said += "finds correct"
    if numbers["unscored"]:
        total = numbers["problems"] * samples
        said += f"; {numbers['unscored']} of {total} responses without a verdict are in no share"
        if numbers["left_out"]:
            said += f", so that {numbers['left_out']} of {numbers['problems']} problems are left out"
        if samples > 1:
            said += ". pass@k: over the problems with k verdicts at least"
    if numbers["maj@k"]:
        votes = f", and the mean over the {runs} seeds" if runs > 1 else ""
        said += f". maj@k: whether the answer most often given in {each} responses is correct{votes}"
    return said + ". 95% intervals: bootstrap over problems."


def _whole(verdict: float | None) -> float | None:
    """A verdict as JSON shows it best: 1 rather than 1.0; a grade between is itself."""
    return int(verdict) if verdict in (0, 1) else verdict
