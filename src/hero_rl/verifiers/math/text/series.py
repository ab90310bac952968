r"""Frames that follow each other: one list, the parts of a question, one answer twice, or a correction.

What joins two frames is read between them: "and", commas, labels, part letters make a list; "or", "maybe" make it a
choice, which is no answer; "wait", "no", a new sentence take the earlier one back.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from hero_rl.verifiers.math.text.boxes import Frame
from hero_rl.verifiers.math.text.doubts import INTERRUPTS, WRONG
from hero_rl.verifiers.math.text.touching import sign_behind

__all__ = ["list_of_frames", "series_start"]

# Between two frames: marks of layout, which are looked through, then signs, a marker of a part or an item, words (a
# counted thing, "and", what is measured), a label.
_LAYOUT = re.compile(r"\\(?:text|mbox|textrm|textbf)\s*\{|\\[()\[\],;!: ]|\\\\|\\q?quad(?![A-Za-z])|[$*|`'\"}~]")
_SPACES = re.compile(r"[^\S\n]+")
_BETWEEN = re.compile(
    r"[\s,;.&+]*"
    r"(?P<marker>(?:[-•]|(?:(?:part|answer|question) )?\(?(?:[a-h]|[ivx]{1,4}|\d{1,2})[.):]{1,2}(?=\s|$))?)"
    r" ?(?P<words>(?:[A-Za-z]{2,}(?![A-Za-z])(?: ?\([a-z]\))?,? ?){0,8})"
    r"[ ,;.&:]*(?:[A-Za-z](?:_\{?\w+)? ?[=:])? ?",
    re.IGNORECASE,
)
_JOINS = re.compile(r"[,;&|]|\+{2}|\band\b|\bor\b|\n")
_CHOOSES = re.compile(r"\b(?:or|alternatively|maybe|perhaps|possibly|else|either)\b|\bcould\b", re.IGNORECASE)
_RESTATES = re.compile(
    r"(?:\b(?:i\.e\.|that is|which is|namely|equivalently|in decimal|approximately),?|≈|\\approx)[\s$:(\[\\*]*$",
    re.IGNORECASE,
)
_CORRECTS = re.compile(
    rf"\b(?:{INTERRUPTS}|{WRONG}|no|not|correction|corrected|instead|rather|but|mistake|error"
    r"|recheck|check|scratch|hold|mean|should|better|so|then|thus|hence|therefore|finally|final|becomes)\b",
    re.IGNORECASE,
)
_ONLY_JOINS = re.compile(r"\s*(?:[,;]\s*)?(?:and|or)\s*", re.IGNORECASE)
_SENTENCE = re.compile(r"[.!?]\s+(?=[A-Z])|\n\s*\n")
_MOST_BETWEEN = 80
_MOST_WORDS = 4
_LONGEST_SERIES = 200
_PART = re.compile(r"(?:^|\n|[.;,:]\s)[\s*#>$-]{0,6}(?:[Pp]art\s*)?\(?(?P<part>[a-h])\)")


def series_start(text: str, frames: Sequence[Frame]) -> int:
    """The index of the first frame of the series that the last one ends."""
    last = len(frames) - 1
    parts = _parts_start(text, frames)
    index = last
    while index > max(0, last - _LONGEST_SERIES) and _are_joined(text, frames[index - 1], frames[index]):
        index -= 1
    return min(index, parts)


def list_of_frames(text: str, frames: Sequence[Frame], start: int) -> str:
    """The contents of a series: joined by commas, by "or" where it leaves a choice, once where all are the same."""
    chosen = frames[start:]
    contents = [frame.content.strip() for frame in chosen]
    contents[-1] += sign_behind(text[chosen[-1].end : chosen[-1].end + _MOST_BETWEEN])
    between = [text[one.end : other.start] for one, other in pairwise(chosen)]
    for index, words in enumerate(between, start=1):
        contents[index] = _label(words) + contents[index]
    if len(set(contents)) == 1:
        return contents[0]
    is_choice = any(_CHOOSES.search(words) or _RESTATES.search(words) for words in between)
    first = _label(text[max(0, chosen[0].start - _MOST_BETWEEN // 2) : chosen[0].start]) + contents[0]
    return (" or " if is_choice else ", ").join([first, *contents[1:]])


def _are_joined(text: str, one: Frame, other: Frame) -> bool:
    return one.is_tag == other.is_tag and _joint(text[one.end : other.start]) is not None


def _joint(between: str) -> str | None:
    """The words that join two frames to a series; None where the second stands for itself."""
    if not between.strip(" \n\t$*`"):
        return ""
    if len(between) > _MOST_BETWEEN:
        return None
    if _ONLY_JOINS.fullmatch(_LAYOUT.sub(" ", between)):
        return between  # between two displays it stands in a paragraph of its own
    if _RESTATES.search(between) or (_CHOOSES.search(between) and not _SENTENCE.search(between)):
        return between
    match = _BETWEEN.fullmatch(_SPACES.sub(" ", _LAYOUT.sub(" ", between)).strip(" "))
    if match is None or _CORRECTS.search(match["words"]):
        return None
    if match["marker"]:
        return between
    if not _JOINS.search(between) or _SENTENCE.search(between) or len(match["words"].split()) > _MOST_WORDS:
        return None
    return between


_LABEL = re.compile(r"([A-Za-z](?:_\{?\w+\}?)?)\$?\s*[=:]\s*[\s$]*$")


def _label(before: str) -> str:
    """`x = ` where the text before a frame ends in such a label."""
    match = _LABEL.search(before)
    is_word = match and re.search(r"[A-Za-z\\]$", before[: match.start()])
    return f"{match[1]} = " if match and not is_word else ""


def _parts_start(text: str, frames: Sequence[Frame]) -> int:
    """The index of part (a), where the last frames answer part (a), part (b) and so on, one each."""
    index = len(frames) - 1
    part = _part(text, frames, index)
    while part and part > "a" and index:
        index -= 1
        earlier = _part(text, frames, index)
        if earlier != chr(ord(part) - 1):
            return len(frames) - 1
        part = earlier
    return index if part == "a" else len(frames) - 1


def _part(text: str, frames: Sequence[Frame], index: int) -> str | None:
    start = frames[index - 1].end if index else max(0, frames[0].start - _LONGEST_PART)
    parts = [match["part"] for match in _PART.finditer(text, start, frames[index].start)]
    return parts[0] if index and parts else parts[-1] if parts else None


_LONGEST_PART = 2000
