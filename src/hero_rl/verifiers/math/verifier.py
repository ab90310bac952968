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
import re
import time
from fractions import Fraction
from functools import lru_cache
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from hero_rl.verifiers.base import NOBODYS_ANSWER, Reason, Verdict, reason_of
from hero_rl.verifiers.math.rules.comparison import compare
from hero_rl.verifiers.math.rules.matching import Strictness, equal_values
from hero_rl.verifiers.math.text.extraction import extract_answer, read_reference
from hero_rl.verifiers.math.text.spelling import key, respell, without_outer_braces, words_only
from hero_rl.verifiers.math.tree.formulas import Node, Number, Relation, Sequence, Symbol
from hero_rl.verifiers.math.tree.parser import parse
from hero_rl.verifiers.math.tree.tokens import Unreadable
from hero_rl.verifiers.math.values.budget import TooSlow, within
from hero_rl.verifiers.math.values.evaluation import TooLarge
from hero_rl.verifiers.math.values.rounding import is_rounding

__all__ = ["MathVerifier", "verify_math"]

_logger = logging.getLogger(__name__)

_MOST_SECONDS = 5.0
"""Of processor time for one check; an ordinary one takes a thousandth of it."""

_CACHED = 4096
_MAX_READ = 4000


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
    max_characters: Annotated[int, Field(gt=0, le=_MAX_READ)] = 2000

    def verify(self, reference: str, completion: str) -> Verdict:
        """Judge one completion; abstains where the reference cannot be read, unless the answer is its very text."""
        start = time.perf_counter()
        try:
            verdict = self.judge(reference, self.extract(completion))
        except Exception as error:
            verdict = Verdict.of(self._blamed(reference, error))
        return Verdict.of(verdict.reason, verdict.answer, time.perf_counter() - start)

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
            return self._reason(reference, answer or "") if reason is None else reason

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
        expected = _respelled_reference(reference)
        if not expected:
            return Reason.REFERENCE_UNREADABLE
        if answer is None:
            return Reason.NO_ANSWER
        answer = without_outer_braces(answer)
        if answer.strip() == reference.strip():
            return Reason.MATCHED_EXACTLY
        if len(expected) >= _MAX_READ:
            return Reason.REFERENCE_UNREADABLE
        if len(answer) > self.max_characters:
            return Reason.ANSWER_TOO_LONG
        said = _respelled(answer)
        if not said:
            return Reason.NO_ANSWER
        if key(said) == key(expected):
            return Reason.MATCHED_EXACTLY
        one, other = _plain_number(expected), _plain_number(said)
        if one is None or other is None:
            return None
        return self._numbers(one, other)

    def _numbers(self, one: Number, other: Number) -> Reason:
        if one.value == other.value:
            return Reason.MATCHED_BY_VALUE
        if self.rounding_digits is not None and is_rounding(one, other, self.rounding_digits):
            return Reason.MATCHED_BY_ROUNDING
        return Reason.MISMATCH

    def _reason(self, reference: str, answer: str) -> Reason:
        expected, said = _respelled_reference(reference), _respelled(without_outer_braces(answer))
        how = Strictness(self.rounding_digits, self.order, self.units)
        if _same_prose(expected, said):
            return Reason.MATCHED_EXACTLY
        if _is_choice(expected, said) or _is_predicate(said, expected):
            return Reason.MATCHED_EXACTLY
        if _is_time(expected):
            return Reason.MISMATCH
        try:
            return self._compared(expected, said, how)
        except RecursionError:
            return Reason.TOO_LARGE

    def _compared(self, expected: str, said: str, how: Strictness) -> Reason:
        readable, refused = False, False
        for one, other in _readings(expected, said):
            readable = True
            try:
                reason = compare(_plain(one), _plain(other), how)
            except TooLarge:
                refused = True
                continue
            if reason is not None:
                return reason
        if not _reads(expected) or (refused and not _is_computable(expected)):
            return Reason.REFERENCE_UNREADABLE
        if refused:
            return Reason.TOO_LARGE
        return Reason.MISMATCH if readable else Reason.UNREADABLE_ANSWER


def _plain(node: Node) -> Node:
    """An answer as a whole without what only frames it: a set of one, x in {...}, "or" between equal values.

    Safe: nothing that is compared is dropped; the alternatives of an "or" must all have one value.
    """
    if isinstance(node, Relation) and node.operators == ("in",) and isinstance(node.members[1], Sequence):
        node = node.members[1] if node.members[1].kind == "set" else node
    if isinstance(node, Sequence) and node.kind == "set" and len(node.items) == 1:
        (item,) = node.items
        return node if item == Symbol("empty") or (isinstance(item, Sequence) and item.kind == "set") else item
    if isinstance(node, Sequence) and node.kind == "list" and node.opening == "or":
        values = tuple(item.members[-1] if isinstance(item, Relation) else item for item in node.items)
        labels = {item.members[:-1] for item in node.items if isinstance(item, Relation)}
        return node.items[0] if len(labels) <= 1 and equal_values(values) else node
    return node


def verify_math(gold: str, response: str) -> bool | None:
    """Whether a response's final answer is the gold one, with default settings, in process; None for no opinion.

    Raises:
        TypeError: one of the two is no text.
    """
    if not isinstance(gold, str) or not isinstance(response, str):
        raise TypeError(f"gold and response must be str, not {type(gold).__name__} and {type(response).__name__}")
    value = MathVerifier().verify(gold, response).value
    return None if math.isnan(value) else bool(value)


@lru_cache(maxsize=_CACHED)
def _respelled_reference(reference: str) -> str:
    return respell(read_reference(reference)[:_MAX_READ])


@lru_cache(maxsize=_CACHED)
def _respelled(answer: str) -> str:
    return respell(answer)


@lru_cache(maxsize=_CACHED)
def _reading(text: str, thousands: bool) -> Node | None:
    try:
        return parse(text, thousands)
    except (Unreadable, RecursionError):
        return None


def _readings(expected: str, said: str) -> list[tuple[Node, Node]]:
    """Both texts read; twice where a comma between digits may part thousands or items."""
    if _reading(expected, True) is None:
        expected = _last_statement(expected)
    found = []
    # A reference that is one number with its thousands parted is no list.
    ambiguous = ("," in expected or "," in said) and not _PLAIN_NUMBER.fullmatch(expected)
    for thousands in (True, False) if ambiguous else (True,):
        one, other = _reading(expected, thousands), _reading(said, thousands)
        if one is not None and other is not None:
            found.append((one, other))
    comma = _decimal_commas(expected, said)
    return [*found, comma] if comma else found


_LABELLED_ENDING = re.compile(r"=\s*(?P<statement>[A-Za-z](?:_\{?\w+\}?)?\s*=\s*[^=<>]+)$")


def _last_statement(reference: str) -> str:
    """`x = 0` at the end of a reference that derives it in signs that cannot be read.

    Safe: a reference is trusted, and what it ends with is its statement; an answer is never read like that.
    """
    match = _LABELLED_ENDING.search(reference)
    return match["statement"] if match else reference


def _reads(reference: str) -> bool:
    """Whether a reference can be read in any way."""
    texts = (reference, _last_statement(reference))
    return any(_reading(text, thousands) is not None for text in texts for thousands in (True, False))


def _is_computable(reference: str) -> bool:
    """Whether the reference itself is small enough to be worked out."""
    node = _reading(reference, True)
    try:
        if node is not None:
            compare(node, Number(Fraction(1, 7)), Strictness())
    except TooLarge:
        return False
    return True


_COMMA_DECIMAL = re.compile(r"-?\d+,\d{2,}")
_POINT_DECIMAL = re.compile(r"-?\d+\.\d+")


def _decimal_commas(expected: str, said: str) -> tuple[Node, Node] | None:
    """A number with a decimal comma beside the same digits with a point.

    Safe: two or more digits behind the comma, no space, and the other side is a decimal; no list looks like that
    beside a decimal of the very same digits.
    """
    for one, other in ((expected, said), (said, expected)):
        if _COMMA_DECIMAL.fullmatch(one) and _POINT_DECIMAL.fullmatch(other) and one.replace(",", ".") == other:
            same = parse(other)
            return same, same
    return None


_PLAIN_NUMBER = re.compile(
    r"(?P<sign>-?)\s*(?P<number>\d{1,400}(?:\.\d{1,400})?|\.\d{1,400}|[1-9]\d{0,2}(?:,\d{3}){1,100}(?:\.\d{1,400})?)"
)
_SPACED_THOUSANDS = re.compile(r"\d{1,3}(?: \d{3}){1,100}")
_PLAIN_FRACTION = re.compile(
    r"(?P<sign>-?)\s*(?:\\frac\s*\{\s*(?P<minus>-?)(?P<top>\d{1,400})\s*\}\s*\{\s*(?P<bottom>\d{1,400})\s*\}|(?P<over>\d{1,400})\s*/\s*(?P<under>\d{1,400}))"
)


@lru_cache(maxsize=_CACHED)
def _plain_number(text: str) -> Number | None:
    """An integer, a decimal, or a fraction of two integers."""
    if _PLAIN_NUMBER.fullmatch(text) or _SPACED_THOUSANDS.fullmatch(text):
        found = _reading(text.replace(",", "").replace(" ", ""), True)
        return found if isinstance(found, Number) else None
    match = _PLAIN_FRACTION.fullmatch(text)
    if match is None:
        return None
    top, bottom = int(match["top"] or match["over"]), int(match["bottom"] or match["under"])
    if bottom == 0:
        return None
    value = Fraction(top, bottom)
    return Number(-value if (match["sign"] == "-") != (match["minus"] == "-") else value)


_TIME = re.compile(r"(\d{1,2}):(\d{2})(?::\d{2})?")


def _is_time(text: str) -> bool:
    """Whether a reference is a time of day rather than a ratio: in no lowest terms, or with a leading zero."""
    match = _TIME.fullmatch(text)
    return bool(match) and (match[2][0] == "0" or math.gcd(int(match[1]), int(match[2])) > 1)


def _same_prose(expected: str, said: str) -> bool:
    """Whether both are the same words; other capitals only where no unit or number is among them.

    Safe: signs count as they stand, and so does every word but an article.
    """
    if words_only(expected) != words_only(said) or not words_only(said) or not _is_prose(expected):
        return False
    if _NO_SIGN.sub("", expected) != _NO_SIGN.sub("", said):
        return False  # 36 dollars and 36% of a dollar
    return not re.search(r"\d", expected) or words_only(expected, fold=False) == words_only(said, fold=False)


_NO_SIGN = re.compile(r"\\text\w*|[A-Za-z\s.,;:\"'{}-]")
_CHOICE = re.compile(r"(?:\\text\w*\s*\{)?\s*\(?([A-J])\)?\s*\}?")
_CHOSEN = re.compile(
    r"(?:\\text\w*\s*\{)?\s*(?:(?:option|choice)\s+)?\(?([A-J])[).:]\s*\}?\s+[\w\\$(.-].*", re.IGNORECASE | re.DOTALL
)


def _is_choice(expected: str, said: str) -> bool:
    """Whether the answer is the reference's letter with what stands behind it: `(B) 5`.

    Safe: no other choice may be named.
    """
    letter, chosen = _CHOICE.fullmatch(expected), _CHOSEN.fullmatch(said)
    if letter is None or chosen is None or letter[1] != chosen[1]:
        return False
    names_others = len(re.findall(r"(?<![A-Za-z\\])[A-J](?![A-Za-z])", said)) > 1
    return not names_others and not re.search(r"\b(?:or|and|not|no|wrong|false|incorrect)\b|=", said, re.IGNORECASE)


_UNPLAIN = re.compile(r"\b(?:no|none|neither|nor|not|never|false|or|and|if|unless|only|nobody|nothing)\b")
_COPULAS = (" is ", " are ")


def _is_predicate(said: str, expected: str) -> bool:
    """Whether an answer in words is what a reference says of its subject: "odd" beside "the function f is odd".

    Safe: it must be the whole of what follows the reference's only "is", so that "odd" is not "not odd", and nothing
    in the reference may deny it or set a condition.
    """
    words, sentence = words_only(said), words_only(expected)
    if not words or not _is_prose(said) or _UNPLAIN.search(sentence):
        return False
    if sum(sentence.count(copula) for copula in _COPULAS) != 1:
        return False
    predicates = {sentence.rpartition(copula)[2] for copula in _COPULAS if copula in sentence}
    return words in predicates


def _is_prose(text: str) -> bool:
    words, rest = re.sub(r"\\text\w*", "", text), re.sub(r"\\text\{[^{}]*\}", "", text)
    return bool(re.search(r"[A-Za-z]{3,}", words)) and not re.search(r"[\\^_=<>{}+*/]", rest)
