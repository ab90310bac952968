"""What a verifier says about one completion: a verdict, and the reason for it.

A wrong, missing or unreadable answer is the policy's doing and gets 0, and so is whatever an answer does to the
verifier: an exception, a death, a limit of time, memory or size. What says nothing of the policy is an abstention, NaN:
an unreadable reference, a process that does not start or is killed from outside, an endpoint that fails. Where a check
failed, the *control* tells the two apart: the reference judged against itself, and against an answer that is nobody's.
"""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, NamedTuple, Protocol, runtime_checkable

from hero_rl.errors import DataError
from hero_rl.files.rows import as_reference

__all__ = [
    "FAILURES",
    "NOBODYS_ANSWER",
    "NOBODYS_COMPLETION",
    "BatchVerifier",
    "Reason",
    "Request",
    "StagedVerifier",
    "Verdict",
    "Verifier",
    "as_messages",
    "best_of",
    "blamed",
    "own_answer",
    "reason_of",
    "said_of",
    "split",
    "takes_requests",
    "verdicts_of",
]

NOBODYS_ANSWER = "-73.2058417"
"""What no reference says: the control's wrong answer."""

NOBODYS_COMPLETION = rf"\boxed{{{NOBODYS_ANSWER}}}"
"""A completion that gives it."""


class Reason(str, Enum):
    """Why a verdict is what it is; each reason belongs to one of the values 1, 0 and NaN, and equals its text.

    These are the reasons of the verifiers here. A verifier of one's own may bring any short text in their place.
    """

    __str__ = str.__str__  # the text of a reason is read alike, ours or another's

    MATCHED_EXACTLY = "matched_exactly"
    """1: answer and reference are the same text, up to whitespace."""

    MATCHED_BY_VALUE = "matched_by_value"
    """1: the texts differ, both are exact numbers (or lists and the like of them) and they are equal."""

    MATCHED_BY_ROUNDING = "matched_by_rounding"
    """1: one of the two is the correct rounding of the other, to as many digits as the verifier asks for."""

    MATCHED_SYMBOLICALLY = "matched_symbolically"
    """1: the texts differ, as formulas they are equal."""

    MATCHED_BY_JUDGE = "matched_by_judge"
    """1: a language model holds the answer equal to the reference, or all of its rubric met."""

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
    """0: a language model holds the answer different from the reference, or none of its rubric met."""

    ANSWER_REFUSED = "answer_refused"
    """0: the server that judges refuses this answer, and takes the reference in its place."""

    NO_REPLY_TO_ANSWER = "no_reply_to_answer"
    """0: the server that judges gives no usable reply to this answer, again and again, and judges others in between."""

    PASSED_TESTS = "passed_tests"
    """1: the code passes all of its tests."""

    FAILED_TESTS = "failed_tests"
    """0: the code fails a test that it must pass, or all of them."""

    REFERENCE_UNREADABLE = "reference_unreadable"
    """NaN: the reference is empty or cannot be read, so nothing can be said of any answer."""

    TIMED_OUT = "timed_out"
    """NaN: the check got nowhere for long, and the processor time that it used does not say that the answer is why."""

    CRASHED = "crashed"
    """NaN: the check raised or died, and so does that of the reference; or it could not be run where it was called."""

    SERVER_FAILED = "server_failed"
    """NaN: a server that answers rewards gave no usable reply, or says that it failed itself."""

    SANDBOX_FAILED = "sandbox_failed"
    """NaN: the sandbox ran nothing, or says nothing of what it ran."""

    JUDGE_UNREADABLE = "judge_unreadable"
    """NaN: the language model answered, but not with one of the words it was asked for."""

    JUDGE_UNREACHABLE = "judge_unreachable"
    """NaN: the language model's endpoint gave no usable reply within its time and retries."""

    NO_VERIFIER = "no_verifier"
    """NaN: no verifier applies: the row has no reference, or its domain has no verifier on purpose. Nothing failed."""

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
    Reason.ANSWER_REFUSED: 0.0,
    Reason.NO_REPLY_TO_ANSWER: 0.0,
    Reason.PASSED_TESTS: 1.0,
    Reason.FAILED_TESTS: 0.0,
    Reason.SERVER_FAILED: math.nan,
    Reason.SANDBOX_FAILED: math.nan,
    Reason.REFERENCE_UNREADABLE: math.nan,
    Reason.TIMED_OUT: math.nan,
    Reason.CRASHED: math.nan,
    Reason.JUDGE_UNREADABLE: math.nan,
    Reason.JUDGE_UNREACHABLE: math.nan,
    Reason.NO_VERIFIER: math.nan,
}

FAILURES = frozenset(
    {Reason.TIMED_OUT, Reason.CRASHED, Reason.SANDBOX_FAILED, Reason.SERVER_FAILED, Reason.JUDGE_UNREACHABLE}
)
"""Reasons that say nothing of the answer: the check itself failed, and another try may end otherwise."""


_LONGEST_REASON = 200  # characters
_LONGEST_SAID = 2000


@dataclass(frozen=True)
class Verdict:
    """A verifier's word on one completion.

    Attributes:
        value: 1.0 correct, 0.0 incorrect, in between partly correct, NaN abstained.
        reason: why: one of `Reason`, or a short text of the verifier's own. The text of one of `Reason` is that one.
        answer: the final answer as the verifier extracted it; None where it found none or did not look.
        seconds: wall-clock time of the check.

    Raises:
        TypeError: the reason is no text.
        ValueError: the value is not in [0, 1] or NaN, or not the one that belongs to the reason; or the reason is empty
            or over 200 characters long.
    """

    value: float
    reason: str
    answer: str | None = None
    seconds: float = 0.0

    def __post_init__(self) -> None:
        reason = _known(self.reason)
        object.__setattr__(self, "reason", reason)
        if not isinstance(reason, Reason):
            if not (0 <= self.value <= 1 or math.isnan(self.value)):
                raise ValueError(f"a verdict lies between 0 and 1, or is NaN for an abstention; it is {self.value}")
            return
        expected = reason.value_of_verdict
        # NaN equals nothing, itself included.
        if self.value != expected and not (math.isnan(self.value) and math.isnan(expected)):
            raise ValueError(f"a verdict for {reason.name} has value {expected}, not {self.value}")

    @classmethod
    def of(cls, reason: Reason, answer: str | None = None, seconds: float = 0.0) -> Verdict:
        """The verdict for a reason, its value filled in."""
        return cls(reason.value_of_verdict, reason, answer, seconds)

    @property
    def abstained(self) -> bool:
        """Whether the verifier has no opinion (value NaN)."""
        return math.isnan(self.value)


def _known(reason: Any) -> str:
    """The member of `Reason` that a text is, or the text."""
    if isinstance(reason, Reason):
        return reason
    if not isinstance(reason, str):
        raise TypeError(f"a verdict's reason is one of Reason, or text, not a {type(reason).__name__}")
    if not reason.strip() or len(reason) > _LONGEST_REASON:
        raise ValueError(f"a verdict's reason has 1 to {_LONGEST_REASON} characters, not {len(reason)}")
    try:
        return Reason(reason)
    except ValueError:
        return reason


class Request(NamedTuple):
    """One check to make. A plain `(reference, completion)` will do wherever requests are taken.

    Attributes:
        reference: the right answer: text for most verifiers, any JSON value for one that takes requests.
        completion: the text that is judged: what the policy wrote, of several messages the last of the assistant's, or
            all of the assistant's where the scorer is told so.
        question: what was asked, as text: the prompt, or its last user message.
        prompt: the prompt's chat messages.
        messages: the completion's chat messages, tool calls and results among them.
        columns: the row's other columns by name, as JSON values; what JSON cannot hold, as an image, is not there.
        domain: the name of the row's domain; empty where it has none.
    """

    reference: Any
    completion: str
    question: str = ""
    prompt: Sequence[Mapping[str, Any]] = ()
    messages: Sequence[Mapping[str, Any]] = ()
    columns: Mapping[str, Any] = {}
    domain: str = ""

    @classmethod
    def of(cls, *given: Any) -> Request:
        """A request, or one made of a tuple, or of its parts."""
        whole = given[0] if len(given) == 1 else given
        return whole if isinstance(whole, cls) else cls(*whole)


@runtime_checkable
class Verifier(Protocol):
    """Judges a completion. Implementations can be pickled, so that other processes can run them."""

    @property
    def verify(self) -> Callable[..., Verdict]:
        """`verify(reference, completion)` of two texts, or `verify(request)` for one that reads more of a `Request`.

        Which of the two it is, its signature says, see `takes_requests`. It raises for no completion whatever, since
        completions are untrusted input.
        """
        ...


@runtime_checkable
class BatchVerifier(Protocol):
    """Judges many completions at once: in other processes, or by concurrent requests."""

    def verify_batch(self, requests: Sequence[Request | tuple[str, str]], /) -> list[Verdict]:
        """Judge a batch; one verdict a request, in the order given. Raises for no completion whatever."""
        ...


def takes_requests(verifier: Verifier | BatchVerifier) -> bool:
    """Whether a verifier reads whole requests, rather than texts of a reference and a completion.

    Its attribute `takes_requests` says so, or the signature of its `verify`: one argument that must be given, or two.

    Raises:
        TypeError: `verify` takes neither one nor two.
    """
    said = getattr(verifier, "takes_requests", None)
    if said is not None:
        return bool(said)
    if not isinstance(verifier, Verifier):
        return False
    parameters = inspect.signature(verifier.verify).parameters.values()
    placed = [each for each in parameters if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    needed = [each for each in placed if each.default is each.empty]
    if len(needed) == 2 or (len(needed) < 2 and any(each.kind is each.VAR_POSITIONAL for each in parameters)):
        return False
    if len(needed) != 1:
        kind = type(verifier).__name__
        raise TypeError(
            f"{kind}.verify takes {len(needed)} arguments; it must be verify(request), or verify(reference, completion)"
        )
    return True


@runtime_checkable
class StagedVerifier(Protocol):
    """A verifier that works in stages, so that equal answers are judged once and easy ones at once.

    For every input, `verify(reference, completion)` gives what `judge(reference, extract(completion))` gives, times
    aside; and where `judge_quickly` gives a verdict, it is the one of `judge`.
    """

    def verify(self, reference: str, completion: str) -> Verdict:
        """Judge one completion."""
        ...

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

    Correct where one comparison says so; else the reason of one that failed, since it might have said so; else the
    highest. A reference that cannot be read counts where none can.
    """
    seconds = sum(verdict.seconds for verdict in verdicts)
    best = min(verdicts, key=_openness)
    return best if len(verdicts) == 1 else replace(best, seconds=seconds)


def _openness(verdict: Verdict) -> tuple[int, float]:
    if verdict.reason is Reason.REFERENCE_UNREADABLE:
        return 3, 0.0
    if verdict.abstained:
        return 1, 0.0
    return (0, 0.0) if verdict.value == 1 else (2, -verdict.value)


def blamed(verifier: Verifier, request: Request, error: Exception) -> Verdict:
    """What an answer gets on which a verifier raised: 0 where the control gets its verdicts, else an abstention."""
    judge = _judge_of(verifier)
    for completion in (own_answer(request.reference), NOBODYS_COMPLETION):
        try:
            verdict = judge(request._replace(completion=completion, messages=as_messages(completion)))
        except Exception:
            return Verdict.of(Reason.CRASHED)
        if math.isnan(verdict.value):
            return Verdict(math.nan, verdict.reason)
    return Verdict.of(reason_of(error))


def own_answer(reference: Any) -> str:
    """A reference in the place of an answer: its text, of another JSON value the JSON."""
    return reference if isinstance(reference, str) else json.dumps(reference, ensure_ascii=False, default=str)


def as_messages(completion: str) -> list[dict[str, str]]:
    """A completion's text as chat messages."""
    return [{"role": "assistant", "content": completion}]


def reason_of(error: BaseException) -> Reason:
    """The 0 of an answer on which a check raised, once the control has shown that the answer is why."""
    return Reason.TOO_LARGE if isinstance(error, (MemoryError, RecursionError)) else Reason.UNREADABLE_ANSWER


def said_of(error: BaseException) -> str:
    """An exception's kind and words, some of them where they are many."""
    try:
        return f"{type(error).__name__}: {error}"[:_LONGEST_SAID]
    except BaseException:  # the error's own __str__ may raise
        return type(error).__name__


def split(verifier: Verifier | BatchVerifier, request: Request) -> list[Request]:
    """What a verifier is asked: the request, or where it compares texts, one with each right answer of several."""
    if isinstance(request.reference, str) or takes_requests(verifier):
        return [request]
    try:
        given = as_reference(request.reference, "reference", "a request")
    except DataError:  # an object, or lists in lists
        given = own_answer(request.reference)
    several = [given] if isinstance(given, str) else given or [""]
    return [request._replace(reference=each) for each in several]


def verdicts_of(verifier: Verifier | BatchVerifier, requests: Sequence[Request]) -> list[Verdict]:
    """A verdict on each request, in their order: in one call of a verifier that takes batches, else one by one.

    Raises:
        ValueError: the verifier returned another number of verdicts.
    """
    if not isinstance(verifier, BatchVerifier):
        return [_judge_of(verifier)(request) for request in requests]
    verdicts = verifier.verify_batch(requests)
    if len(verdicts) != len(requests):
        raise ValueError(f"{type(verifier).__name__} returned {len(verdicts)} verdicts for {len(requests)} requests")
    return verdicts


def _judge_of(verifier: Verifier) -> Callable[[Request], Verdict]:
    """The verifier's `verify`, called as it wants to be."""
    verify = verifier.verify
    return verify if takes_requests(verifier) else lambda request: verify(request.reference, request.completion)
