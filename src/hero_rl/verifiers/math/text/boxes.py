r"""Frames around a final answer: boxes as LaTeX, GLM and damaged files write them, and tags such as `<answer>`."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Frame", "find_boxes", "find_frames", "is_empty"]

_BOX = re.compile(
    # A file that read "\b" as a backspace, or a model that forgot the backslash, left the rest of the word.
    r"(?:\\(?:boxed|fbox|framebox|bbox)(?![A-Za-z])|\x08oxed(?=\s{0,4}\{)|(?<![A-Za-z\\])boxed(?=\{))"
    r"\s*(?:\[[^\[\]\n]{0,40}\](?=\s{0,4}\{)\s*)?|<\|begin_of_box\|>"
)
_END_OF_BOX = "<|end_of_box|>"
_WORD = re.compile(r"\w+")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)


def _spelled(*names: str) -> str:
    """Names as they are, with a capital, and in capitals: faster than a search that ignores case."""
    return "|".join(spelled for name in names for spelled in (name, name.capitalize(), name.upper()))


_NAMES = _spelled("answer", "solution", "result", "final", "ans", "conclusion", "response", "output")
_TAG = re.compile(
    rf"<(?P<end>/?)(?:(?:{_spelled('final')})[_ -]?)?(?:{_NAMES})(?:\s[^<>]{{0,60}})?>"
    r"|<\|(?P<token>begin|end)_of_(?:answer|solution)\|>"
)
_BRACKETS = re.compile(r"\[/?(?:FINAL|ANSWER|SOLUTION|RESULT)")
_BRACKET_TAG = re.compile(r"\[(?P<end>/?)(?:FINAL[_ ])?(?:ANSWER|SOLUTION|RESULT)\](?P<token>)")
# What stands in an empty frame: nothing, dots, or the words of the prompt that asked for one.
_EMPTY = re.compile(
    r"(?:[\s$.…?_~{}<>\[\]()-]|\\[ ,;:!()\[\]]|\\(?:l|c)?dots|\\(?:quad|square|text\w*|mathrm)"
    r"|(?:your|the|my|final|insert|put|here|goes|answers?|result|value|ans|xx+)(?![A-Za-z]))*",
    re.IGNORECASE,
)
_LONGEST_EMPTY = 60


@dataclass(frozen=True)
class Frame:
    """A closed box, or a pair of tags: where it starts and ends in its text, and what it holds."""

    start: int
    end: int
    content: str
    is_tag: bool = False


def find_frames(text: str) -> tuple[list[Frame], bool]:
    """All frames in order that hold something and lie in no other, and whether an unclosed box follows them."""
    boxes, is_cut_off = find_boxes(text)
    tags = [*_tags(text, _TAG), *(_tags(text, _BRACKET_TAG) if _BRACKETS.search(text) else [])]
    found: list[Frame] = []
    for frame in sorted([*boxes, *tags], key=lambda frame: (frame.start, -frame.end)):
        if (not found or frame.start >= found[-1].end) and not is_empty(frame.content):
            found.append(frame)
    return found, is_cut_off


def is_empty(content: str) -> bool:
    """Whether a frame holds no answer, but the place for one."""
    return len(content) <= _LONGEST_EMPTY and bool(_EMPTY.fullmatch(content))


def find_boxes(text: str) -> tuple[list[Frame], bool]:
    """All closed boxes in order, and whether one that never closes follows them; linear time."""
    found: list[Frame] = []
    is_cut_off = False
    position = _first_box(text)
    closing = _closing_braces(text, position) if position < len(text) else {}
    while match := _BOX.search(text, position):
        start = position = match.end()
        is_cut_off = False
        if match.group().startswith("<"):
            end = text.find(_END_OF_BOX, start)
            is_cut_off = end < 0
            if end >= 0:
                position = end + len(_END_OF_BOX)
                found.append(Frame(match.start(), position, text[start:end]))
        elif text[start : start + 1] == "{":
            end = closing.get(start)
            if end is None:
                is_cut_off = True
                continue
            found.append(Frame(match.start(), end + 1, text[start + 1 : end]))
            position = end + 1  # a box inside of a box is the outer one's
        elif word := _WORD.match(text, start):
            found.append(Frame(match.start(), word.end(), word.group()))
    return found, is_cut_off


def _first_box(text: str) -> int:
    """Where the first box can begin at the earliest: most of a text need not be looked at any closer."""
    places = [at for word in ("box", "\x08oxed") if (at := text.find(word)) >= 0]
    return max(0, min(places) - len("<|begin_of_")) if places else len(text)


def _closing_braces(text: str, start: int) -> dict[int, int]:
    """Where each brace that opens closes, in one pass."""
    opened: list[int] = []
    closing: dict[int, int] = {}
    for match in _BRACE.finditer(text, start):
        if match.group() == "{":
            opened.append(match.start())
        elif match.group() == "}" and opened:
            closing[opened.pop()] = match.start()
    return closing


def _tags(text: str, mark: re.Pattern[str]) -> list[Frame]:
    """Pairs of answer tags; the last one that opens may be closed by the end of the text, where generation stopped."""
    pairs: list[tuple[re.Match[str], int, int]] = []
    opened: list[re.Match[str]] = []
    for tag in mark.finditer(text):
        if not (tag["end"] or tag["token"] == "end"):
            opened.append(tag)
        elif opened:
            opening = opened.pop()
            while pairs and pairs[-1][0].start() > opening.start():
                pairs.pop()  # inside of this one
            pairs.append((opening, tag.start(), tag.end()))
    if opened and (not pairs or opened[-1].start() > pairs[-1][0].start()):
        pairs.append((opened[-1], len(text), len(text)))
    return [Frame(opening.start(), end, text[opening.end() : start], is_tag=True) for opening, start, end in pairs]
