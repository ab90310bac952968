"""What a verifier says about one completion: a verdict, and the reason for it.

A wrong, missing or unreadable answer is the policy's doing and gets 0. Whatever else keeps a verifier from an opinion
(an unreadable reference, a timeout, a crash) is an abstention, NaN: it is not evidence about the policy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, runtime_checkable

__all__ = ["Reason", "Verdict", "Verifier"]


class Reason(Enum):
    """Why a verdict is what it is; each reason belongs to one of the values 1, 0 and NaN."""

    MATCHED_EXACTLY = "matched_exactly"
    """1: answer and reference are the same text, up to whitespace."""

    MATCHED_SYMBOLICALLY = "matched_symbolically"
    """1: the texts differ, computer algebra holds the two equal."""

    MISMATCH = "mismatch"
    """0: both were read and they differ."""

    NO_ANSWER = "no_answer"
    """0: the completion states no final answer."""

    UNREADABLE_ANSWER = "unreadable_answer"
    """0: there is a final answer, but it is no expression that the verifier can read."""

    ANSWER_TOO_LONG = "answer_too_long"
    """0: the final answer is longer than the verifier's cap."""

    REFERENCE_UNREADABLE = "reference_unreadable"
    """NaN: the reference is empty or cannot be read, so nothing can be said of any answer."""

    TIMED_OUT = "timed_out"
    """NaN: the check ran out of time."""

    CRASHED = "crashed"
    """NaN: the check raised, died or could not be run where it was called."""

    @property
    def value_of_verdict(self) -> float:
        """The verdict that goes with this reason: 1.0, 0.0 or NaN."""
        if self in (Reason.MATCHED_EXACTLY, Reason.MATCHED_SYMBOLICALLY):
            return 1.0
        if self in (Reason.REFERENCE_UNREADABLE, Reason.TIMED_OUT, Reason.CRASHED):
            return math.nan
        return 0.0


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
