"""Two whole numbers in words: 7 R 2 or "quotient 7, remainder 2"; shares, "3 out of 8"."""

from __future__ import annotations

import re

from hero_rl.verifiers.math.tree.formulas import Call, Node, Quotient
from hero_rl.verifiers.math.tree.numerals import read_number
from hero_rl.verifiers.math.tree.tokens import Token

__all__ = ["division"]

_NUMBER = "#"
_IS = "(?: (?:is|:|=|of))?"
_QUOTIENT, _REMAINDER = (rf"(?:the |a )?{noun}{_IS} {_NUMBER}" for noun in ("quotient", "remainder"))
_JOINED = "(?: ,| ;| and| with)*"
_SHORT = re.compile(rf"{_NUMBER} (?:r|rem|(?:(?:, )?(?:with|and) )?(?:the |a )?remainder{_IS}) {_NUMBER}")
_LONG = re.compile(rf"{_QUOTIENT}{_JOINED} {_REMAINDER}")
_TURNED = re.compile(rf"{_REMAINDER}{_JOINED} {_QUOTIENT}")
_SHARE = re.compile(rf"(?:a )?{_NUMBER} (?:out of|in|in every|out of every) {_NUMBER}(?: chance)?")
_MOST = 14


def division(tokens: list[Token]) -> Node | None:
    """A quotient with its remainder, or a share, where that is all that the tokens say; else None.

    Safe: the two are told apart by their names or by the mark between them, so 2 R 7 is not 7 R 2; and what is no
    division, as 7Rx, is read as before. A share is at most the whole.
    """
    if len(tokens) > _MOST:
        return None
    numbers = [token.text for token in tokens if token.kind == "number"]
    if len(numbers) != 2 or not all(text.isdigit() for text in numbers):
        return None
    said = " ".join(_NUMBER if token.kind == "number" else token.text.lower() for token in tokens)
    first, second = (read_number(text) for text in numbers)
    if _SHORT.fullmatch(said) or _LONG.fullmatch(said):
        return Call("division", (first, second))
    if _SHARE.fullmatch(said) and 0 < first.value <= second.value:
        return Quotient(first, second)
    return Call("division", (second, first)) if _TURNED.fullmatch(said) else None
