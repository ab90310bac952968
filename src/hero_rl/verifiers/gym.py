"""Reasoning Gym's own scoring of answers to its procedural problems (the package `reasoning-gym`).

entry = {"answer": "7", "metadata": {"source_dataset": "chain_sum"}}
ReasoningGymVerifier().verify(Request(entry, "<answer>7</answer>")).value  # 1.0
"""

from __future__ import annotations

import functools
import json
import math
import time
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from hero_rl.extras import named
from hero_rl.verifiers.base import Reason, Request, Verdict
from hero_rl.verifiers.math.text.boxes import find_boxes
from hero_rl.verifiers.math.text.thinking import after_thinking

__all__ = ["EVALUATING", "ReasoningGymVerifier"]

EVALUATING = frozenset(
    {
        "binary_matrix",
        "bitwise_arithmetic",
        "codeio",
        "countdown",
        "intermediate_integration",
        "n_queens",
        "number_sorting",
        "polynomial_multiplication",
        "puzzle24",
        "simple_integration",
        "spiral_matrix",
        "string_insertion",
    }
)
"""Data sets whose scoring evaluates an answer, or a problem, as Python code."""

_BOARDS = {"arc_agi", "rearc"}

_OPEN, _CLOSE = "<answer>", "</answer>"


class ReasoningGymVerifier(BaseModel):
    """The `score_answer` of the data set that made a problem.

    The reference is Reasoning Gym's entry, with its `answer` and its `metadata` (as JSON text or as a mapping); or the
    answer alone, with the metadata in a column `metadata`. The completion's answer stands in the last `<answer>`
    tags, as Reasoning Gym's prompts ask for, or in the last box.

    No answer is evaluated: of the data sets that would (`EVALUATING`) the verifier has no opinion.

    Attributes:
        partial: whether a score between 0 and 1 is partial credit, as it is given; without it, only 1 is correct.
        max_characters: a longer answer is wrong without being scored.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["reasoning_gym"] = "reasoning_gym"
    partial: bool = True
    max_characters: Annotated[int, Field(gt=0)] = 4096

    @property
    def gives_grades(self) -> bool:
        """Whether a verdict may lie between 0 and 1."""
        return self.partial

    def warm_up(self) -> None:
        """Load the package, which takes longer than a check may.

        Raises:
            ModuleNotFoundError: `reasoning-gym` is not installed.
        """
        _scorer("chain_sum")

    def verify(self, request: Request) -> Verdict:
        """Judge one completion; an answer on which the data set's scoring fails is wrong.

        Raises:
            ModuleNotFoundError: `reasoning-gym` is not installed.
            Exception: scoring fails on the entry's own answer as well.
        """
        start = time.perf_counter()
        entry = _entry(request)
        if entry is None:
            return Verdict.of(Reason.REFERENCE_UNREADABLE)
        name = entry["metadata"]["source_dataset"]
        if name in EVALUATING:
            return Verdict(math.nan, f"reasoning-gym evaluates answers to {name} as code")
        answer = _answer(request.completion)
        if answer is None:
            return Verdict.of(Reason.NO_ANSWER, None, time.perf_counter() - start)
        if len(answer) > self.max_characters:
            return Verdict.of(Reason.ANSWER_TOO_LONG, answer[: self.max_characters], time.perf_counter() - start)
        scorer = _scorer(name)
        if scorer is None:
            return Verdict.of(Reason.REFERENCE_UNREADABLE)
        score = _score(scorer, answer, entry)
        if score is None:
            return Verdict.of(Reason.UNREADABLE_ANSWER, answer, time.perf_counter() - start)
        return self._verdict(score, answer, time.perf_counter() - start)

    def _verdict(self, score: float, answer: str, seconds: float) -> Verdict:
        if score == 1:
            return Verdict.of(Reason.MATCHED_BY_VALUE, answer, seconds)
        if score == 0 or not self.partial:
            return Verdict.of(Reason.MISMATCH, answer, seconds)
        return Verdict(score, "partial_credit", answer, seconds)


def _score(scorer: Callable[[str, dict[str, Any]], float], answer: str, entry: dict[str, Any]) -> float | None:
    """The data set's score in [0, 1]; None where the answer makes it fail.

    Several scorers raise on most texts that are not of their form, so that nobody's answer is no control here. The
    entry's own answer is; where it has none, as of problems with many solutions, a text of no form at all.
    """
    try:
        score = float(scorer(answer, entry))
    except Exception:
        own = entry["answer"]
        scorer(own if isinstance(own, str) else "no answer", entry)
        return None
    return min(max(score, 0.0), 1.0) if math.isfinite(score) else None


def _entry(request: Request) -> dict[str, Any] | None:
    """The problem as Reasoning Gym has it, as far as scoring reads it; None where it cannot be read."""
    reference = _parsed(request.reference)
    if isinstance(reference, Mapping) and "answer" in reference:
        answer, metadata = reference["answer"], _parsed(reference.get("metadata"))
    else:
        answer, metadata = request.reference, _parsed(request.columns.get("metadata"))
    if not isinstance(metadata, Mapping) or not isinstance(name := metadata.get("source_dataset"), str):
        return None
    metadata, output = dict(metadata), metadata.get("output")
    if name in _BOARDS and isinstance(output, list) and all(isinstance(row, list) for row in output):
        metadata["output"] = tuple(map(tuple, output))  # JSON has no tuples, and a list equals none
    return {"question": request.question, "answer": answer, "metadata": metadata}


def _parsed(value: Any) -> Any:
    """What JSON text says; anything else, and text that is no JSON object, as it is."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def _answer(completion: str) -> str | None:
    text = after_thinking(completion) or ""
    end = text.rfind(_CLOSE)
    start = text.rfind(_OPEN, 0, end) if end >= 0 else -1
    if start >= 0:
        return text[start + len(_OPEN) : end].strip()
    boxes, _ = find_boxes(text)
    return boxes[-1].content.strip() if boxes else None


@functools.lru_cache(maxsize=256)
def _scorer(name: str) -> Callable[[str, dict[str, Any]], float] | None:
    """What scores answers to a data set's problems; None where there is no such data set."""
    try:
        from reasoning_gym.factory import DATASETS, get_score_answer_fn
    except ModuleNotFoundError as error:
        raise named(error) from None
    scorer: Any = get_score_answer_fn(name) if name in DATASETS else None
    return scorer
