r"""Answers in `\boxed{}`, with what stands around the box where that changes them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

__all__ = ["Box", "boxed_answer", "find_boxes", "list_of_boxes"]

_BOX = re.compile(r"\\(?:boxed|fbox)(?![A-Za-z])\s*")
_WORD = re.compile(r"\w+")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)


@dataclass(frozen=True)
class Box:
    """A closed box: where it starts and ends in its text, and what it holds."""

    start: int
    end: int
    content: str


def find_boxes(text: str) -> tuple[list[Box], bool]:
    """All closed boxes in order, and whether one that never closes follows them; linear time."""
    found: list[Box] = []
    position, is_cut_off = 0, False
    closing = _closing_braces(text) if _BOX.search(text) else {}
    while match := _BOX.search(text, position):
        start = position = match.end()
        is_cut_off = False
        if text[start : start + 1] == "{":
            end = closing.get(start)
            if end is None:
                is_cut_off = True
                continue
            found.append(Box(match.start(), end + 1, text[start + 1 : end]))
            position = end + 1  # a box inside of a box is the outer one's
        elif word := _WORD.match(text, start):
            found.append(Box(match.start(), word.end(), word.group()))
    return found, is_cut_off


def _closing_braces(text: str) -> dict[int, int]:
    """Where each brace that opens closes, in one pass."""
    opened: list[int] = []
    closing: dict[int, int] = {}
    for match in _BRACE.finditer(text):
        if match.group() == "{":
            opened.append(match.start())
        elif match.group() == "}" and opened:
            closing[opened.pop()] = match.start()
    return closing


def boxed_answer(text: str, boxes: list[Box]) -> str | None:
    r"""The answer that the last box states, with those before it that it makes a list with.

    A sign, an operator or a word at the box that makes another value of it (`-\boxed{7}`, `\boxed{7} or 8`) belongs
    to the answer; None where the text says that it is not the answer.
    """
    first, last = _list_start(text, boxes), boxes[-1]
    before, after = text[max(0, boxes[first].start - _AROUND) : boxes[first].start], text[last.end : last.end + _AROUND]
    if _DENIED_BEFORE.search(before) or _DENIED_AFTER.match(after):
        return None
    if first == len(boxes) - 1 and _changes(text, last, before, after):
        return _formula_around(text, last)
    return list_of_boxes(text, boxes)


def list_of_boxes(text: str, boxes: list[Box]) -> str:
    """The contents of the last box and of those that it makes a list with, joined by commas, or by "or"."""
    chosen = boxes[_list_start(text, boxes) :]
    contents = [box.content.strip() for box in chosen]
    contents[-1] += _sign_behind(text[chosen[-1].end :])
    between = [text[one.end : other.start] for one, other in pairwise(chosen)]
    for index, words in enumerate(between, start=1):
        contents[index] = (_join(words) or "") + contents[index]
    if len(set(contents)) == 1:
        return contents[0]
    joint = " or " if any(re.search(r"\bor\b", words) for words in between) else ", "
    return joint.join([_label_before(text[: chosen[0].start]) + contents[0], *contents[1:]])


# Lists of boxes

# What may stand between two boxes that together make one list: signs, "and", a label, a counted thing.
_BETWEEN = re.compile(
    r"(?:[\s,;.&$]|\+{2,}|\\[()\[\],;!:]|\\quad|\\qquad|\\(?:text|mbox|textrm)\s*\{|\})*"
    r"(?P<words>(?:[A-Za-z]+(?:\s*\([a-z]\))?\s*){0,4})"
    r"(?:[\s,;.&$}]|\\[()\[\],;!:]|\\quad|\\qquad)*"
    r"(?P<label>(?:[A-Za-z](?:_\{?\w+\}?)?\s*=\s*)?)"
    r"[\s$]*"
)
_JOINS = re.compile(r"[,;&]|\+{2}|\band\b|\bor\b")
_PARAGRAPH = re.compile(r"\n\s*\n")
_MOST_BETWEEN = 80


def _list_start(text: str, boxes: list[Box]) -> int:
    """The index of the first box of the list that the last one ends."""
    index = len(boxes) - 1
    while index and _join(text[boxes[index - 1].end : boxes[index].start]) is not None:
        index -= 1
    return index


def _join(between: str) -> str | None:
    """The label (`y_2 =`, or nothing) of the second of two boxes; None where the two make no list."""
    if len(between) > _MOST_BETWEEN or _PARAGRAPH.search(between):
        return None
    if not between.strip():
        return ""
    match = _BETWEEN.fullmatch(between)
    return match["label"] if match is not None and _JOINS.search(between) else None


def _label_before(text: str) -> str:
    match = re.search(r"([A-Za-z](?:_\{?\w+\}?)?\s*=\s*)[\s$]*$", text[-40:])
    return match[1] if match else ""


_SIGN_BEHIND = re.compile(r"[\s$)\\]{0,6}(?P<sign>%|\\%|percent\b|pct\b|\^\s*\{?\\circ)", re.IGNORECASE)


def _sign_behind(text: str) -> str:
    """A percent or degree sign that stands just outside of the box, since it changes the number inside."""
    match = _SIGN_BEHIND.match(text)
    if match is None:
        return ""
    return r"^\circ" if "circ" in match["sign"] else r"\%"


# Around a box

_AROUND = 80
_DENIED_BEFORE = re.compile(
    r"(?:(?:not|n't)\s+(?:think|believe|true|claim)\b[^.\n]*$)"
    r"|(?:\b(?:not|never|neither|cannot)|n't)\s+(?:be\s+|equal\s+to\s+)?[\s$:\\(\[]*$",
    re.IGNORECASE,
)
_DENIED_AFTER = re.compile(
    r"[\s$*_)\\\]]*(?:,?\s*(?:which|that|this)\s+)?(?:(?:is|was|seems|cannot\s+be)\s+(?:not|wrong|incorrect|false|invalid|impossible|right\s*\?)|isn't)\b",
    re.IGNORECASE,
)
_SCALE_AFTER = re.compile(
    r"[\s$\\,~]*(?:text\s*\{\s*)?(?:or|hundred|thousand|million|billion|trillion|dozen|squared|cubed|factorial)s?\b"
)
# Signs that touch the box. A dash, a star or a plus before a space is a list's bullet or a dash between words.
_OPERATOR_BEFORE = re.compile(
    r"(?:-\$?|(?<=[\w})])\s*[-+]\s*|(?<!\*)\*\$?|\+\$?|[/^]\s*|(?<![=-])[<>]\s*"
    r"|\\(?:pm|mp|cdot|times|div|leq?|geq?|neq?|lt|gt|sqrt|not)\s*\{?\s*"
    r"|\\(?:d?frac|sqrt|cancel|sout|phantom|overline|binom)\s*(?:\[[^\]]*\])?(?:\{[^{}]*\})?\s*\{\s*)$"
)
_OPERATOR_AFTER = re.compile(
    r"\s*=\s*\S|(?:\^(?!\s*\{?\s*\\circ)|/|\*(?!\*)|\+|-\d|\.\d|[A-Za-z](?![A-Za-z])|\s*\\(?:pm|mp|cdot|times|div)(?![A-Za-z]))"
)
_OPERATOR_AFTER_IN_FORMULA = re.compile(r"\s*(?:[-+*/^<>!]|\\(?:leq?|geq?|neq?|sqrt)\b)(?!\s*\{?\s*\\circ)")


def _changes(text: str, box: Box, before: str, after: str) -> bool:
    """Whether something at the box makes another value of what it holds."""
    if _OPERATOR_BEFORE.search(before) or _OPERATOR_AFTER.match(after) or _SCALE_AFTER.match(after):
        return True
    return _is_in_formula(text, box.start) and bool(_OPERATOR_AFTER_IN_FORMULA.match(after))


def _is_in_formula(text: str, position: int) -> bool:
    line = text[:position].rpartition("\n\n")[2]
    if len(re.findall(r"(?<!\\)\$", line)) % 2:
        return True
    return max(line.rfind(r"\("), line.rfind(r"\[")) > max(line.rfind(r"\)"), line.rfind(r"\]"))


_START_OF_FORMULA = re.compile(r"(?:\\[A-Za-z]+|[^\sA-Za-z$:]|\b[A-Za-z]\b|[ \t])*$")
_END_OF_FORMULA = re.compile(r"\$|\\\)|\\\]|\n|\.(?=\s|$)|$")


def _formula_around(text: str, box: Box) -> str:
    """The formula that the box is a part of, or the words up to the end of its sentence, without the box's frame."""
    before = text[max(0, box.start - 2 * _AROUND) : box.start]
    delimiter = max(before.rfind("$"), before.rfind(r"\(") + 1, before.rfind(r"\[") + 1)
    if delimiter >= 0 and _is_in_formula(text, box.start):
        before = before[delimiter + 1 :]
    else:
        before = _START_OF_FORMULA.search(before).group()  # pyright: ignore[reportOptionalMemberAccess]
    after = text[box.end :].lstrip("$") if _SCALE_AFTER.match(text, box.end) else text[box.end :]
    after = after[: 2 * _AROUND]
    end = _END_OF_FORMULA.search(after)
    return f"{before}{{{box.content}}}{after[: end.start() if end else None]}".strip()
