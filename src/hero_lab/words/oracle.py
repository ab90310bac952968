"""What a word problem's response is worth by the value that it gives, whatever unit or words stand around.

by_value("17", "The answer is 17 new shirts")  # 1.0
"""

from __future__ import annotations

import re

from hero_lab.words.problems import MARKER
from hero_rl.verifiers import MathVerifier

__all__ = ["by_value"]

_NUMBER = re.compile(r"(?<![\w./])-?\d[\d,]*(?:\.\d+)?(?![\w/])")
_VERIFIER = MathVerifier()


def by_value(answer: str, response: str) -> float:
    """1.0 if the only number behind the last "The answer is" is the answer, else 0.0.

    A response that says it otherwise, or with more numbers than one, is judged by the maths verifier, to which some
    units are unreadable.

    Args:
        answer: the value, a bare number.
        response: a completion.
    """
    _, found, said = response.rpartition(MARKER)
    numbers = _NUMBER.findall(said.strip().split("\n", 1)[0]) if found else []
    if len(numbers) == 1:
        return float(_VERIFIER.judge(answer, numbers[0].replace(",", "")).value == 1.0)
    return float(_VERIFIER.verify(answer, response).value == 1.0)
