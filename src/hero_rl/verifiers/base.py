"""What a verifier says about one completion: a verdict, and the reason for it.

A wrong, missing or unreadable answer is the policy's doing and gets 0, and so is whatever an answer does to the
verifier: an exception, a death, a limit of time, memory or size. What says nothing of the policy is an abstention, NaN:
an unreadable reference, a process that does not start or is killed from outside, an endpoint that fails. Where a check
failed, the *control* tells the two apart: the reference judged against itself, and against an answer that is nobody's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import NamedTuple, Protocol, runtime_checkable

__all__ = [
    "FAILURES",
    "NOBODYS_ANSWER",
    "BatchVerifier",
    "Pair",
    "Reason",
    "StagedVerifier",
    "Verdict",
    "Verifier",
    "best_of",
    "blamed",
    "reason_of",
    "verdicts_of",
]

NOBODYS_ANSWER = "-73.2058417"
"""What no reference says: the control's wrong answer."""


class Reason(str, Enum):
    """Why a verdict is what it is; each reason belongs to one of the values 1, 0 and NaN, and equals its text."""

    MATCHED_EXACTLY = "matched_exactly"
    """1: answer and reference are the same text, up to whitespace."""

    MATCHED_BY_VALUE = "matched_by_value"
    """1: the texts differ, both are exact numbers (or lists and the like of them) and they are equal."""

    MATCHED_BY_ROUNDING = "matched_by_rounding"
    """1: one of the two is the correct rounding of the other, to as many digits as the verifier asks for."""

    MATCHED_SYMBOLICALLY = "matched_symbolically"
    """1: the texts differ, as formulas they are equal."""

    MATCHED_BY_JUDGE = "matched_by_judge"
    """1: a language model holds the answer equal to the reference."""

    MISMATCH = "mismatch"
    """0: both were read and they differ."""

    NO_ANSWER = "no_answer"
    """0: the completion states no final answer."""

    UNREADABLE_ANSWER = "unreadable_answer"
    """0: there is a final answer, but it is no expression that the verifier can read, or reading it makes it fail."""

    ANSWER_TOO_LONG = "answer_too_long"
    """0: the final answer is longer than the verifier's cap."""

    TOO_LARGE = "too_large"
    """0: the answer is written otherwise than the reference and too large to be worked out, as 9^9^9^9 is, or takes
    more memory than a check may."""

    TOO_SLOW = "too_slow"
    """0: the answer takes more processor time than a check may, and the reference does not."""

    REJECTED_BY_JUDGE = "rejected_by_judge"
    """0: a language model holds the answer different from the reference."""

    REFERENCE_UNREADABLE = "reference_unreadable"
    """NaN: the reference is empty or cannot be read, so nothing can be said of any answer."""

    TIMED_OUT = "timed_out"
    """NaN: the check got nowhere for long, and the processor time that it used does not say that the answer is why."""

    CRASHED = "crashed"
    """NaN: the check raised or died, and so does that of the reference; or it could not be run where it was called."""

    JUDGE_UNREADABLE = "judge_unreadable"
    """NaN: the language model answered, but not with one of the words it was asked for."""

    JUDGE_UNREACHABLE = "judge_unreachable"
    """NaN: the language model's endpoint gave no usable reply within its time and retries."""

    @property
    def value_of_verdict(self) -> float:
        """The verdict that goes with this reason: 1.0, 0.0 or NaN."""
        return _VALUES[self]


_VALUES = {
    Reason.MATCHED_EXACTLY: 1.0,
    Reason.MATCHED_BY_VALUE: 1.0,
    Reason.MATCHED_BY_ROUNDING: 1.0,
    Reason.MATCHED_SYMBOLICALLY: 1.0,
    Reason.MATCHED_BY_JUDGE: 1.0,
    Reason.MISMATCH: 0.0,
    Reason.NO_ANSWER: 0.0,
    Reason.UNREADABLE_ANSWER: 0.0,
    Reason.ANSWER_TOO_LONG: 0.0,
    Reason.TOO_LARGE: 0.0,
    Reason.TOO_SLOW: 0.0,
    Reason.REJECTED_BY_JUDGE: 0.0,
    Reason.REFERENCE_UNREADABLE: math.nan,
    Reason.TIMED_OUT: math.nan,
    Reason.CRASHED: math.nan,
    Reason.JUDGE_UNREADABLE: math.nan,
    Reason.JUDGE_UNREACHABLE: math.nan,
}

FAILURES = frozenset({Reason.TIMED_OUT, Reason.CRASHED, Reason.JUDGE_UNREACHABLE})
"""Reasons that say nothing of the answer: the check itself failed, and another try may end otherwise."""


@dataclass(frozen=True)
class Verdict:
    """A verifier's word on one completion.

    Attributes:
        value: 1.0 correct, 0.0 incorrect, NaN abstained.
        reason: why.
        answer: the final answer as the verifier extracted it; None where it found none or did not look.
        seconds: wall-clock time of the check.

    Raises:
        ValueError: the value is not the one that belongs to the reason.
    """

    value: float
    reason: Reason
    answer: str | None = None
    seconds: float = 0.0

    def __post_init__(self) -> None:
        expected = self.reason.value_of_verdict
        # NaN equals nothing, itself included.
        if self.value != expected and not (math.isnan(self.value) and math.isnan(expected)):
            raise ValueError(f"a verdict for {self.reason.name} has value {expected}, not {self.value}")

    @classmethod
    def of(cls, reason: Reason, answer: str | None = None, seconds: float = 0.0) -> Verdict:
        """The verdict for a reason, its value filled in."""
        return cls(reason.value_of_verdict, reason, answer, seconds)

    @property
    def abstained(self) -> bool:
        """Whether the verifier has no opinion (value NaN)."""
        return math.isnan(self.value)


@runtime_checkable
class Verifier(Protocol):
    """Judges a completion against a reference. Implementations can be pickled, so that other processes can run them."""

    def verify(self, reference: str, completion: str) -> Verdict:
        """Judge one completion; raises for no completion whatever, since completions are untrusted input."""
        ...


class Pair(NamedTuple):
    """One check to make. A plain `(reference, completion)` will do wherever pairs are taken.

    Attributes:
        reference: the right answer.
        completion: the whole text that the policy wrote.
        question: what was asked, for verifiers that read it (a judge does, a rule does not).
    """

    reference: str
    completion: str
    question: str = ""


@runtime_checkable
class BatchVerifier(Protocol):
    """Judges many completions at once: in other processes, or by concurrent requests."""

    def verify_batch(self, pairs: Sequence[Pair | tuple[str, str]]) -> list[Verdict]:
        """Judge a batch; one verdict a pair, in the order given. Raises for no completion whatever."""
        ...


@runtime_checkable
class StagedVerifier(Verifier, Protocol):
    """A verifier that works in stages, so that equal answers are judged once and easy ones at once.

    For every input, `verify(reference, completion)` gives what `judge(reference, extract(completion))` gives, times
    aside; and where `judge_quickly` gives a verdict, it is the one of `judge`.
    """

    def extract(self, completion: str) -> str | None:
        """The final answer of a completion, None if it states none; time linear in a bounded part of the text."""
        ...

    def judge_quickly(self, reference: str, answer: str | None) -> Verdict | None:
        """The verdict where it takes microseconds and cannot hang, None where it may take longer."""
        ...

    def judge(self, reference: str, answer: str | None) -> Verdict:
        """The verdict on an extracted answer; may take long, or for ever."""
        ...


def best_of(verdicts: Sequence[Verdict]) -> Verdict:
    """The word on one answer that was compared with several references, any of which is right.

    Correct where one comparison says so; else the reason of one that failed, since it might have said so; else
    incorrect. A reference that cannot be read counts where none can.
    """
    seconds = sum(verdict.seconds for verdict in verdicts)
    best = min(verdicts, key=_openness)
    return best if len(verdicts) == 1 else replace(best, seconds=seconds)


def _openness(verdict: Verdict) -> int:
    if verdict.reason is Reason.REFERENCE_UNREADABLE:
        return 3
    return 1 if verdict.abstained else 0 if verdict.value == 1 else 2


def blamed(verifier: Verifier, reference: str, error: Exception) -> Reason:
    """What an answer gets on which a verifier raised: 0 where the control gets its verdicts, else an abstention."""
    for completion in (reference, rf"\boxed{{{NOBODYS_ANSWER}}}"):
        try:
            verdict = verifier.verify(reference, completion)
        except Exception:
            return Reason.CRASHED
        if math.isnan(verdict.value):
            return verdict.reason
    return reason_of(error)


def reason_of(error: BaseException) -> Reason:
    """The 0 of an answer on which a check raised, once the control has shown that the answer is why."""
    return Reason.TOO_LARGE if isinstance(error, (MemoryError, RecursionError)) else Reason.UNREADABLE_ANSWER


def verdicts_of(verifier: Verifier | BatchVerifier, pairs: Sequence[Pair]) -> list[Verdict]:
    """A verdict on each pair, in their order: in one call of a verifier that takes batches, else one by one.

    Raises:
        ValueError: the verifier returned another number of verdicts.
    """
    if not isinstance(verifier, BatchVerifier):
        return [verifier.verify(pair.reference, pair.completion) for pair in pairs]
    verdicts = verifier.verify_batch(pairs)
    if len(verdicts) != len(pairs):
        raise ValueError(f"{type(verifier).__name__} returned {len(verdicts)} verdicts for {len(pairs)} pairs")
    return verdicts
