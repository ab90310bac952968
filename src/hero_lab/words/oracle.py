"""What a word problem's response is worth by the value that it gives, whatever unit or words stand around.

by_value("17", "The answer is 17 new shirts")  # 1.0
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from hero_lab.words.problems import MARKER
from hero_rl.verifiers import MathVerifier, Reason, Request, Verdict

__all__ = ["ByValue", "by_value", "is_bare"]

_DIGITS = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?"
_MINUS = r"[-\u2212\u2013]\s?|(?:minus|negative)\s"
_NUMBER = re.compile(rf"(?<![\w.,/])(?P<minus>{_MINUS})?(?P<digits>{_DIGITS})(?![\w/]|,\d)", re.IGNORECASE)
_BARE = re.compile(rf"[-\u2212]?\$?{_DIGITS}\.?")
_DENIES = re.compile(r"\W*(?:not|never|no)\b", re.IGNORECASE)
_VERIFIER = MathVerifier()


def by_value(answer: str, response: str) -> float:
    """1.0 if the only number behind the last "The answer is" is the answer, else 0.0.

    A response that says it otherwise, with more numbers than one, or denies one, is judged by the maths verifier, to
    which some units are unreadable.

    Args:
        answer: the value, a bare number.
        response: a completion.
    """
    said = _said(response)
    numbers = list(_NUMBER.finditer(said))
    if len(numbers) == 1 and not _DENIES.match(said):
        digits = numbers[0]["digits"].replace(",", "")
        return float(_VERIFIER.judge(answer, f"-{digits}" if _is_negative(said, numbers[0]) else digits).value == 1.0)
    return float(_VERIFIER.verify(answer, response).value == 1.0)


class ByValue(BaseModel):
    """The oracle as an auditor; of a reference, `11 plums`, it takes the number in front."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["by_value"] = "by_value"

    def verify_batch(self, requests: Sequence[Request | tuple[str, str]], /) -> list[Verdict]:
        """Judge a batch, one verdict a request."""
        return [self._judge(Request.of(request)) for request in requests]

    @staticmethod
    def _judge(request: Request) -> Verdict:
        right = by_value(request.reference.split(" ", 1)[0], request.completion)
        return Verdict.of(Reason.MATCHED_BY_JUDGE if right else Reason.REJECTED_BY_JUDGE)


def _is_negative(said: str, number: re.Match[str]) -> bool:
    """Whether the sign before a number belongs to it: behind words, a dash with a space parts the two."""
    minus, before = number["minus"], said[: number.start()].rstrip()
    return bool(minus) and (not minus.endswith(" ") or minus.strip().isalpha() or not before or before[-1] in ":=")


def is_bare(response: str) -> float:
    """1.0 if a number and nothing else stands behind the last "The answer is", else 0.0."""
    return float(_BARE.fullmatch(_said(response)) is not None)


def _said(response: str) -> str:
    """The line behind the last marker; empty without one."""
    _, found, said = response.rpartition(MARKER)
    return said.strip().split("\n", 1)[0].strip() if found else ""
