"""Signs that are spoken: "at least 4" is >= 4, "x is less than 3" is x < 3."""

from __future__ import annotations

import re

from hero_rl.verifiers.math.tree.number_words import COUNTING
from hero_rl.verifiers.math.tree.tokens import Token

__all__ = ["with_spoken_signs"]

_BE = r"(?:(?:is|are|be|being) )?(?:strictly )?"
_MORE, _LESS = "greater|more|larger|bigger|higher", "less|fewer|smaller|lower"
_SIGNS = (
    (re.compile(rf"{_BE}(?:(?:{_MORE}) than or equal to|at least|(?:no|not) (?:{_LESS}) than)"), ">="),
    (re.compile(rf"{_BE}(?:(?:{_LESS}) than or equal to|at most|(?:no|not) (?:{_MORE}) than|not exceeding)"), "<="),
    (re.compile(rf"{_BE}(?:(?:{_MORE}) than|exceeding)"), ">"),
    (re.compile(rf"{_BE}(?:{_LESS}) than"), "<"),
    (re.compile(r"(?:(?:is|are|be) )?(?:not equal to|different from)"), "!="),
    (re.compile(r"(?:is )?equal to|equals"), "="),
)
_LONGEST = 8
_WORDS = frozenset({"is", "are", "be", "being", "strictly", "at", "no", "not", "exceeding", "equals", "equal"})
_COMPARED = frozenset({*_MORE.split("|"), *_LESS.split("|")})
_OPENING = frozenset({"that", "which"})
_MINUS = frozenset({"negative", "minus"})
_NUMBER_WORDS = COUNTING | {"infinity"}
_SPEAKING = _WORDS | _COMPARED | _MINUS
_OPENS_NUMBER = frozenset({"infty", "frac", "sqrt", "pi"})


def with_spoken_signs(tokens: list[Token]) -> list[Token]:
    """The tokens with a sign in the place of words that say it; "that is less than" says no more than "less than".

    Safe: the words are the sign's name and nothing else, and what they stand between is read as with the sign itself.
    """
    if not any(token.kind == "word" and token.text.lower() in _SPEAKING for token in tokens):
        return tokens
    found: list[Token] = []
    place = 0
    while place < len(tokens):
        sign, count = _spoken(tokens, place)
        if count:
            if found and found[-1].kind == "word" and found[-1].text.lower() in _OPENING:
                found.pop()
            found.append(Token("sign", sign, spaced=True))
            place += count
        else:
            found.append(tokens[place])
            place += 1
    return found


def _is_number(token: Token) -> bool:
    known = _OPENS_NUMBER if token.kind == "command" else _NUMBER_WORDS
    return token.kind == "number" or token.text.lower() in known


def _spoken(tokens: list[Token], place: int) -> tuple[str, int]:
    """The sign that is spoken at a place, and in how many words."""
    if tokens[place].text.lower() in _MINUS and place + 1 < len(tokens) and _is_number(tokens[place + 1]):
        return "-", 1
    if tokens[place].kind != "word" or tokens[place].text.lower() not in _WORDS | _COMPARED:
        return "", 0
    words: list[str] = []
    for token in tokens[place : place + _LONGEST]:
        if token.kind != "word" and token.text.lower() not in ("or", "no"):
            break
        words.append(token.text.lower())
    text = " ".join(words)
    for pattern, sign in _SIGNS:
        match = pattern.match(text + " ")
        if match and text[match.end() : match.end() + 1] in ("", " "):
            return sign, len(match.group().split())
    return "", 0
