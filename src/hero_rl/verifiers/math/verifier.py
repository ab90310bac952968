r"""The maths verifier: is a completion's final answer the reference?

    >>> from hero_rl.verifiers import MathVerifier
    >>> MathVerifier().verify(r"(-\infty, 2]", r"Hence \boxed{a \le 2}.").value
    1.0

Extraction, reading and comparison are bounded in time and memory by limits on length, depth and size of numbers, so it
may run in process; in training it runs under `Supervised` all the same. Nothing of a completion is ever evaluated as
code: it is read by a grammar of our own into nodes, and those are computed by a closed table of functions.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from hero_rl.verifiers.base import NOBODYS_ANSWER, Reason, Verdict, reason_of
from hero_rl.verifiers.math.readings import is_computable, plain_number, readings, reads, respelled
from hero_rl.verifiers.math.references import MAX_READ, alternatives, states_about
from hero_rl.verifiers.math.rules.chemistry import is_ion, same_substance
from hero_rl.verifiers.math.rules.comparison import compare, unframed
from hero_rl.verifiers.math.rules.cycles import is_permutation, same_permutation
from hero_rl.verifiers.math.rules.dates import is_date, same_date
from hero_rl.verifiers.math.rules.matching import Strictness
from hero_rl.verifiers.math.rules.texts import (
    denies_another,
    is_choice,
    is_predicate,
    read_choice,
    same_choices,
    same_prose,
    same_verdict,
)
from hero_rl.verifiers.math.rules.times import is_time, same_time
from hero_rl.verifiers.math.text.extraction import extract_answer
from hero_rl.verifiers.math.text.remarks import differ_in_multiplicity
from hero_rl.verifiers.math.text.rows import asked_rows
from hero_rl.verifiers.math.text.spelling import key, without_outer_braces
from hero_rl.verifiers.math.tree.formulas import Number
from hero_rl.verifiers.math.values.budget import TooSlow, within
from hero_rl.verifiers.math.values.evaluation import TooLarge
from hero_rl.verifiers.math.values.rounding import is_rounding

__all__ = ["MathVerifier", "verify_math"]

_logger = logging.getLogger(__name__)

_MOST_SECONDS = 5.0
"""Of processor time for one check; an ordinary one takes a thousandth of it."""


class MathVerifier(BaseModel):
    r"""Correct if the final answer equals the reference as mathematics.

    Attributes:
        rounding_digits: significant digits from which a correctly rounded decimal counts as its exact value (an
            irrational one asks for one more); None accepts exact values only.
        order: "any" lets a list without brackets come in any order, "kept" asks for the reference's.
        units: "optional" lets the answer leave off the reference's unit or add one, "required" does not.
        max_characters: an answer longer than this is wrong unless it is the reference's text.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["math"] = "math"
    rounding_digits: Annotated[int, Field(ge=1)] | None = 3
    order: Literal["any", "kept"] = "any"
    units: Literal["optional", "required"] = "optional"
    max_characters: Annotated[int, Field(gt=0, le=MAX_READ)] = 2000

    def verify(self, reference: str, completion: str) -> Verdict:
        """Judge one completion; abstains where the reference cannot be read, unless the answer is its very text."""
        start = time.perf_counter()
        try:
            verdict = self.judge(reference, self.extract(completion))
        except Exception as error:
            verdict = Verdict.of(self._blamed(reference, error))
        return replace(verdict, seconds=time.perf_counter() - start)

    def extract(self, completion: str) -> str | None:
        """The final answer as written, None if there is none (see `extraction`)."""
        return extract_answer(completion)

    def judge_quickly(self, reference: str, answer: str | None) -> Verdict | None:
        """The verdict where texts or plain numbers decide it, else None."""
        start = time.perf_counter()
        reason = self._quick_reason(reference, answer)
        return None if reason is None else Verdict.of(reason, answer, time.perf_counter() - start)

    def judge(self, reference: str, answer: str | None) -> Verdict:
        """The verdict on an extracted answer.

        Raises:
            MemoryError: there was no memory for it; what this process can still do is for its owner to say.
        """
        start = time.perf_counter()
        try:
            reason = self._decide(reference, answer)
        except MemoryError:
            raise
        except Exception as error:
            reason = self._blamed(reference, error)
        return Verdict.of(reason, answer, time.perf_counter() - start)

    def _decide(self, reference: str, answer: str | None) -> Reason:
        """Why the verdict is what it is; raises what an answer makes the rules raise."""
        with within(_MOST_SECONDS):
            reason = self._quick_reason(reference, answer)
            if reason is not None:
                return reason
            said = respelled(without_outer_braces(answer or ""))
            texts = alternatives(reference)
            # Where both sides give a rounded value, the two must agree on it as well; unless the reference's exact part
            # cannot be read, when its rounded value is all there is, for this answer as for any other.
            rounded = [text for text in texts if states_about(text)] if states_about(said) else []
            reason = _best(self._reason(expected, said) for expected in rounded)
            if reason is not Reason.REFERENCE_UNREADABLE:
                return reason
            return _best(self._reason(expected, said) for expected in texts)

    def _blamed(self, reference: str, error: Exception) -> Reason:
        """What an answer gets that the rules failed on: 0 where they work on the reference, else an abstention.

        They do where the reference is judged against itself and against an answer that is nobody's.
        """
        _logger.debug("a check failed on reference %.200r", reference, exc_info=error)
        for answer in (reference, NOBODYS_ANSWER):
            try:
                reason = self._decide(reference, answer)
            except Exception:
                return Reason.CRASHED
            if math.isnan(reason.value_of_verdict):
                return reason
        return Reason.TOO_SLOW if isinstance(error, TooSlow) else reason_of(error)

    def warm_up(self) -> None:
        """Load what the first comparison of irrational numbers needs."""
        self.judge(r"\sqrt{2}", r"1.5")

    def _quick_reason(self, reference: str, answer: str | None) -> Reason | None:
        expected = alternatives(reference)
        if not expected:
            return Reason.REFERENCE_UNREADABLE
        if answer is None:
            return Reason.NO_ANSWER
        if answer.strip() == reference.strip():
            return Reason.MATCHED_EXACTLY
        answer = without_outer_braces(answer)
        if answer.strip() == reference.strip():
            return Reason.MATCHED_EXACTLY
        if all(len(text) >= MAX_READ for text in expected):
            return Reason.REFERENCE_UNREADABLE
        if len(answer) > self.max_characters:
            return Reason.ANSWER_TOO_LONG
        said = respelled(answer)
        if not said:
            return Reason.NO_ANSWER
        if differ_in_multiplicity(reference, answer):
            return Reason.MISMATCH
        found = [self._quickly(text, said) for text in expected]
        matched = [reason for reason in found if reason is not None and reason.value_of_verdict == 1]
        return matched[0] if matched else None if None in found else found[0]

    def _quickly(self, expected: str, said: str) -> Reason | None:
        if key(said) == key(expected):
            return Reason.MATCHED_EXACTLY
        one, other = plain_number(expected), plain_number(said)
        return None if one is None or other is None else self._numbers(one, other)

    def _numbers(self, one: Number, other: Number) -> Reason:
        if one.value == other.value:
            return Reason.MATCHED_BY_VALUE
        if self.rounding_digits is not None and is_rounding(one, other, self.rounding_digits):
            return Reason.MATCHED_BY_ROUNDING
        return Reason.MISMATCH

    def _reason(self, expected: str, said: str) -> Reason:
        """The reason for one alternative of the reference."""
        said = asked_rows(said, expected)
        choice = read_choice(expected)
        chosen = read_choice(said)
        if choice is None and chosen is not None and chosen.text:
            # The options stand in the question, which is not known here: what counts is the value behind the letter.
            return _best(self._reason_of_text(expected, text) for text in (said, chosen.text))
        if choice is None or not choice.text:
            return self._reason_of_text(expected, said)
        if chosen is None:
            return self._reason_of_text(choice.text, said)
        if chosen.letter != choice.letter:
            return Reason.MISMATCH
        return self._reason_of_text(choice.text, chosen.text) if chosen.text else Reason.MATCHED_EXACTLY

    def _reason_of_text(self, expected: str, said: str) -> Reason:
        quick = self._quickly(expected, said)
        if quick is not None:
            return quick
        how = Strictness(self.rounding_digits, self.order, self.units)
        if (
            same_choices(expected, said)
            or same_prose(expected, said)
            or same_verdict(expected, said)
            or is_choice(expected, said)
            or is_predicate(said, expected)
            or same_time(expected, said)
            or same_date(expected, said)
            or same_substance(expected, said)
            or same_permutation(expected, said)
        ):
            return Reason.MATCHED_EXACTLY
        if is_time(expected) or is_date(expected) or is_ion(expected) or denies_another(expected, said):
            return Reason.MISMATCH
        if is_permutation(expected):
            return Reason.MISMATCH
        try:
            return self._compared(expected, said, how)
        except RecursionError:
            return Reason.TOO_LARGE

    def _compared(self, expected: str, said: str, how: Strictness) -> Reason:
        readable, refused = False, False
        for one, other in readings(expected, said):
            readable = True
            try:
                reason = compare(unframed(one), unframed(other), how)
            except TooLarge:
                refused = True
                continue
            if reason is not None:
                return reason
        if not reads(expected) or (refused and not is_computable(expected)):
            return Reason.REFERENCE_UNREADABLE
        if refused:
            return Reason.TOO_LARGE
        return Reason.MISMATCH if readable else Reason.UNREADABLE_ANSWER


def _best(reasons: Iterable[Reason]) -> Reason:
    """The first match, or the first reason of an alternative that can be read."""
    readable = None
    for reason in reasons:
        if reason.value_of_verdict == 1:
            return reason
        if reason is not Reason.REFERENCE_UNREADABLE:
            readable = readable or reason
    return readable or Reason.REFERENCE_UNREADABLE


def verify_math(gold: str, response: str) -> bool | None:
    """Whether a response's final answer is the gold one, with default settings, in process; None for no opinion.

    Raises:
        TypeError: one of the two is no text.
    """
    if not isinstance(gold, str) or not isinstance(response, str):
        raise TypeError(f"gold and response must be str, not {type(gold).__name__} and {type(response).__name__}")
    value = MathVerifier().verify(gold, response).value
    return None if math.isnan(value) else bool(value)
