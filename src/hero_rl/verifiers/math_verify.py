r"""The math-verify library as a verifier, in process, with its silent failures made visible.

    >>> from hero_rl.verifiers import MathVerify
    >>> MathVerify().verify(r"\frac{1}{2}", r"so the answer is \boxed{0.5}").value
    1.0

Left alone, math-verify answers "different" after a timeout or an exception of its own, and a timeout that strikes while
Python runs a callback that drops exceptions (a garbage collection's, say) is lost for good. Here an answer on which it
fails is wrong if it does not fail on the reference itself, and the alarm insists. Two limits stay, and only a process
that can be killed lifts them: the alarm is the SIGALRM signal, which works in the main thread of a POSIX process alone,
and which cannot interrupt one long operation inside the C interpreter.
"""

from __future__ import annotations

import logging
import re
import signal
import threading
import time
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from hero_rl.verifiers.base import NOBODYS_COMPLETION, Reason, Verdict, reason_of
from hero_rl.verifiers.math.text.thinking import after_thinking

__all__ = ["MathVerify"]

_logger = logging.getLogger(__name__)

# Unescaped delimiters of LaTeX mathematics, or a box: text that has one says itself where its mathematics is.
_DELIMITED = re.compile(r"(?<!\\)\$|\\[(\[]|\\boxed\b|\\fbox\b|\\begin\{(?:equation|align)")
_REFERENCES_CACHED = 4096
_SECONDS_BETWEEN_ALARMS = 1.0
_PATIENCE = 10.0  # times the limit that a step may take by the clock

Result = TypeVar("Result")

Parsed = tuple[Any, ...]
"""What math-verify reads in a text: a sympy object if it could, then the text it read; empty if it found none."""


class MathVerify(BaseModel):
    r"""Correct if math-verify holds the completion's final answer equal to the reference.

    The answer is looked for after the last thought, and nowhere if one never ends: the last `\boxed{}`, else the last
    LaTeX formula that is announced as the answer, as TRL's `accuracy_reward` does it. A reference with LaTeX delimiters
    or a box is read as given; one without is read as one formula, as it would stand in a box, since math-verify reads a
    bare `3\sqrt{2}` as 3. The other spelling is tried where the first says nothing.

    Attributes:
        seconds: limit of the processor time of each step: reading the reference (once, it is cached), reading the
            answer, comparing; ten times as much by the clock.
            With a limit, a call outside the main thread abstains (`Reason.CRASHED`). None sets no limit and runs in
            any thread; the caller must then be able to end a check that never ends.
        max_characters: only this many characters at the completion's end are read.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["math_verify"] = "math_verify"
    seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = 5.0
    max_characters: Annotated[int, Field(gt=0)] = 8192

    def verify(self, reference: str, completion: str) -> Verdict:
        """Judge one completion.

        Abstains for an unreadable reference, where a step fails on the reference as well, and, with a time limit,
        outside the main thread. An answer that math-verify cannot read, takes too long for or raises on is 0.
        """
        start = time.perf_counter()
        reason, answer = self._judge(reference, completion)
        return Verdict.of(reason, answer, time.perf_counter() - start)

    def _judge(self, reference: str, completion: str) -> tuple[Reason, str | None]:
        if self.seconds is not None and not _alarms_work():
            _say_once_that_alarms_do_not_work()
            return Reason.CRASHED, None
        answer: Parsed = ()
        try:
            expected = _within(self.seconds, lambda: _parse_reference(reference))
        except _OutOfTime:
            return Reason.TIMED_OUT, None
        if not expected:
            return Reason.REFERENCE_UNREADABLE, None
        try:
            answer = _within(self.seconds, lambda: self._parse_answer(completion))
            return _within(self.seconds, lambda: _compare(expected, answer)), _text(answer)
        except MemoryError:
            raise  # what this process can still do is for its owner to say
        except (_OutOfTime, Exception) as error:
            _logger.warning("math-verify failed on an answer to %.200r: %.200r", reference, error)
            return self._blamed(expected, error), _text(answer)

    def _blamed(self, expected: Parsed, error: BaseException) -> Reason:
        """What an answer gets on which a step failed: 0 if the same steps work on the reference, else an abstention."""
        if isinstance(error, _OutOfTime) and error.waited:
            return Reason.TIMED_OUT
        try:
            for formulas in (_formulas(expected), _formulas(self._parse_answer(NOBODYS_COMPLETION))):
                _within(self.seconds, lambda other=formulas: _compare_formulas(_formulas(expected), other))
        except _OutOfTime:
            return Reason.TIMED_OUT
        except Exception:
            return Reason.CRASHED
        return Reason.TOO_SLOW if isinstance(error, _OutOfTime) else reason_of(error)

    def _parse_answer(self, completion: str) -> Parsed:
        from latex2sympy2_extended import NormalizationConfig
        from math_verify import LatexExtractionConfig

        boxed_first = LatexExtractionConfig(
            normalization_config=NormalizationConfig(units=True),
            boxed_match_priority=0,
            try_extract_without_anchor=False,
        )
        said = after_thinking(completion)
        if said is None:
            return ()
        ending = said[-self.max_characters :]
        try:
            return _parse(ending, extraction_config=[boxed_first], extraction_mode="first_match")
        except Exception:
            # Raising on a text is math-verify's way to find it unreadable; abstaining would let a policy
            # escape the 0 by writing such texts.
            _logger.debug("math-verify raised on an answer", exc_info=True)
            return ("",)  # an answer of which nothing was read


class _OutOfTime(BaseException):
    """The alarm struck. Not an `Exception`, since math-verify and sympy catch those on its way.

    Attributes:
        waited: whether the time went by on the clock alone, so that nothing is known of the work.
    """

    def __init__(self, waited: bool) -> None:
        super().__init__()
        self.waited = waited


def _within(seconds: float | None, step: Callable[[], Result]) -> Result:
    """The step's result, or `_OutOfTime`. An alarm that was pending is put back, later by the time the step took."""
    if seconds is None:
        return step()

    cpu, clock = time.thread_time(), time.monotonic()

    def expire(*_: Any) -> None:
        worked = time.thread_time() - cpu >= seconds
        if worked or time.monotonic() - clock >= _PATIENCE * seconds:
            raise _OutOfTime(waited=not worked)

    previous_handler = signal.signal(signal.SIGALRM, expire)
    previous_alarm = signal.getitimer(signal.ITIMER_REAL)
    try:
        try:
            # Again and again, for an exception raised in a finalizer or a garbage collection is lost.
            # And it strikes early where this thread has not had the processor for so long.
            signal.setitimer(signal.ITIMER_REAL, seconds, min(seconds, _SECONDS_BETWEEN_ALARMS))
            return step()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        # Once more: the alarm may have struck on the line that switches it off.
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous_handler or signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, *previous_alarm)


def _alarms_work() -> bool:
    return hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()


def _parse(text: str, **how: Any) -> Parsed:
    """Math-verify's reading of a text; raises where math-verify would return nothing for an error."""
    from math_verify import parse

    _silence_the_librarys_word_on_limits()
    return tuple(parse(text, parsing_timeout=None, raise_on_error=True, **how))  # pyright: ignore[reportArgumentType]


@lru_cache(maxsize=_REFERENCES_CACHED)
def _parse_reference(reference: str) -> Parsed:
    """The reference, read once for all rollouts of its prompt; a timeout is an exception, which no cache keeps."""
    if not reference.strip():
        return ()
    as_given, boxed = reference, rf"\boxed{{{reference}}}"
    for spelling in (as_given, boxed) if _DELIMITED.search(reference) else (boxed, as_given):
        try:
            reading = _parse(spelling)
        except Exception:
            _logger.debug("math-verify raised on the reference %.200r", spelling, exc_info=True)
            continue
        if reading:  # also text that is no formula: it serves to compare letter by letter
            return reading
    return ()


def _compare(expected: Parsed, answer: Parsed) -> Reason:
    if not answer:
        return Reason.NO_ANSWER
    if _text(answer) is not None and _text(expected) == _text(answer):
        return Reason.MATCHED_EXACTLY
    if not _formulas(answer):
        return Reason.UNREADABLE_ANSWER
    return _compare_formulas(_formulas(expected), _formulas(answer))


def _compare_formulas(expected: Parsed, answer: Parsed) -> Reason:
    from math_verify import verify

    for left in expected:
        for right in answer:
            if verify(left, right, timeout_seconds=None, raise_on_error=True):
                return Reason.MATCHED_SYMBOLICALLY
    return Reason.MISMATCH


def _formulas(parsed: Iterable[Any]) -> Parsed:
    """The sympy objects that were read; a division by zero (as the time 1:00 becomes one) is none to compare."""
    from sympy import nan, zoo

    return tuple(item for item in parsed if not isinstance(item, str) and not item.has(nan, zoo))


def _text(parsed: Iterable[Any]) -> str | None:
    """The text that was read; None rather than an empty one, so that two empty texts never match."""
    return next((item.strip() for item in parsed if isinstance(item, str) and item.strip()), None)


@lru_cache(maxsize=1)
def _say_once_that_alarms_do_not_work() -> None:
    _logger.warning(
        "MathVerify abstains outside the main thread of a POSIX process, where its time limit cannot work: run it in a"
        " process of its own, or set seconds=None where another limit holds"
    )


@lru_cache(maxsize=1)
def _silence_the_librarys_word_on_limits() -> None:
    """Math-verify warns once in each of two modules that its own limit is off; here another one is on."""
    from math_verify import grader, parser

    parser.TIMEOUT_WARNING_SHOWN = True
    grader.TIMEOUT_WARNING_SHOWN = True
