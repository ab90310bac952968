r"""Where a completion states its final answer.

A policy is rewarded for its final answer, so what it wrote while thinking does not count, nor does a number that
happens to stand somewhere. After the thinking, in the completion's own turn, the last of these wins: a frame (a box,
an answer tag), a "final answer" announced after it; without any, an announcement (a label, a heading, JSON, a table,
"the answer is ..."), else the value with which the text ends. They are nested in any order: what one holds is looked
through for the next. Every search is over a bounded ending of the text and takes linear time.
"""

from __future__ import annotations

import re
from dataclasses import replace

from hero_rl.verifiers.math.text.announcements import Announcement, last_announcement
from hero_rl.verifiers.math.text.boxes import Frame, find_boxes, find_frames, is_empty
from hero_rl.verifiers.math.text.chinese import is_chinese, stated_in_chinese
from hero_rl.verifiers.math.text.marks import unmarked
from hero_rl.verifiers.math.text.prose import closing_answer, corrected, is_prose, leading_value
from hero_rl.verifiers.math.text.sentences import statement
from hero_rl.verifiers.math.text.series import list_of_frames, series_start
from hero_rl.verifiers.math.text.thinking import after_thinking, before_next_problem, own_turn
from hero_rl.verifiers.math.text.touching import AROUND, is_contrast, is_denied, sign_behind, touched

__all__ = ["extract_answer", "stated_answer"]

MAX_CHARACTERS = 20_000
"""Only this many characters at the end of a completion, or of its turn, are looked at."""

_ESCAPED_BOX = "\\\\boxed"
_STRUCK = re.compile(r"(?:(?<=[\s*(])|^)~~(?=[^\s~])[^~\n\\]{1,200}(?<=[^\s~])~~(?=[\s.,;:!?)*]|$)")
"""What markdown strikes through is taken back; a tie of LaTeX is written beside a command."""

_DEEPEST = 4
_SHORTEST_ANNOUNCEMENT = len("answer: 7")
_MARKS_A_VALUE = re.compile(r"\d|\\|\$")
_MARKS = frozenset("*_`\"'“<\n#")


def extract_answer(completion: str) -> str | None:
    """The text of the final answer, as written; None where none is stated.

    Frames that follow each other joined by "and", a comma or signs are one list: their texts, joined by commas. A
    "final answer" that is announced after the last frame overrides it. Nothing is read before the last `</think>`, in
    a text whose thinking never ends, or in one that breaks off inside of a box; nor behind the label of another problem
    that a model goes on with.
    """
    said = after_thinking(completion)
    if said is None:
        return None
    turn = own_turn(said)
    first = before_next_problem(turn)
    answer = _stated_in(first)
    return answer if answer is not None or first is turn else _stated_in(turn)


def _stated_in(turn: str) -> str | None:
    text = turn[-MAX_CHARACTERS:].strip()
    text = _STRUCK.sub(" ", text) if "~~" in text else text
    return _final_answer(text.replace(_ESCAPED_BOX, r"\boxed"))


def _final_answer(text: str, holds_answer: bool = False, depth: int = 0) -> str | None:
    """The final answer in a text; all of it where it is known to hold an answer and no part of it says more."""
    frames, is_cut_off = find_frames(text)
    while len(frames) > 1 and is_contrast(text[frames[-2].end : frames[-1].start]):
        frames.pop()  # \boxed{9}, not \boxed{8}
    if frames and depth < _DEEPEST:
        behind = text[frames[-1].end :]
        return _announced_over(behind, depth) or corrected(behind) or _framed(text, frames, depth)
    if is_cut_off:
        return None
    text = _without_empty_frames(text)
    if not text:
        return None
    announcement = last_announcement(text) if depth < _DEEPEST else None
    if announcement is not None and (answer := _announced(announcement, depth)):
        return answer
    return _whole(text) if holds_answer else closing_answer(text)


def _framed(text: str, frames: list[Frame], depth: int) -> str | None:
    """What the last frame says, with those before it that it makes a series with."""
    start = series_start(text, frames) if len(frames) > 1 else 0
    first, last = frames[start], frames[-1]
    if is_denied(text, first.start, last.end):
        return None
    if first is last and last.is_tag:
        return _inside(last, depth) or None
    if first is last and (whole := touched(text, last)):
        return whole
    if first is last:
        return _inside(last, depth) + sign_behind(text[last.end : last.end + AROUND])
    chosen = [replace(frame, content=_inside(frame, depth)) for frame in frames[start:]]
    return list_of_frames(text, chosen, 0)


def _inside(frame: Frame, depth: int) -> str:
    if frame.is_tag:
        return _final_answer(frame.content.strip("\n"), holds_answer=True, depth=depth + 1) or ""
    content = frame.content.strip()
    return unmarked(content) if content[:1] in _MARKS else content


def _announced(announcement: Announcement, depth: int) -> str | None:
    if announcement.content is None:
        return None
    if announcement.is_said:
        return corrected(announcement.content) or statement(announcement.content)
    return _final_answer(announcement.content, holds_answer=True, depth=depth + 1)


def _announced_over(text: str, depth: int) -> str | None:
    """An answer announced behind the last frame: as the final one, or at least with a value."""
    announcement = last_announcement(text) if len(text) > _SHORTEST_ANNOUNCEMENT else None
    answer = _announced(announcement, depth) if announcement else None
    if announcement is None or not answer:
        return None
    is_plain = announcement.noun == "answer" and _MARKS_A_VALUE.search(answer)
    return answer if announcement.is_final or is_plain else None


def _whole(text: str) -> str | None:
    """All of a text that holds an answer, or the value in which its words end."""
    bare = unmarked(text)
    if is_chinese(bare) and (said := stated_in_chinese(bare)):
        return said
    found = leading_value(text.strip()) or (closing_answer(bare) if is_prose(bare) else None)
    return found or bare.rstrip(".。").strip().removeprefix("=") or None


def _without_empty_frames(text: str) -> str:
    """Without boxes that hold nothing, which are no answer and hide none."""
    boxes, _ = find_boxes(text)
    for box in reversed(boxes):
        if is_empty(box.content):
            text = f"{text[: box.start]} {text[box.end :]}"
    return text.strip()


def stated_answer(text: str) -> str | None:
    """What the last announcement in a text announces."""
    announcement = last_announcement(text)
    return _announced(announcement, 0) if announcement else None
