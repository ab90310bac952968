r"""Where a completion states its final answer.

A policy is rewarded for its final answer, so what it wrote while thinking does not count, nor does a number that
happens to stand somewhere. In order: the last `\boxed{}`; a stated answer ("the answer is ..."); the value with which
the text ends. Every search is over a bounded ending of the text and takes linear time.
"""

from __future__ import annotations

import re

from hero_rl.verifiers.math.text.boxes import boxed_answer, find_boxes, list_of_boxes
from hero_rl.verifiers.math.text.prose import announced_answer, closing_answer, stated_answer

__all__ = ["extract_answer", "read_reference"]

MAX_CHARACTERS = 20_000
"""Only this many characters at the end of a completion, or of its turn, are looked at."""

_START_OF_TURN = re.compile(r"^\s{0,20}<\|im_start\|>\s{0,4}assistant\b")
_END_OF_TURN = re.compile(r"<\|(?:im_start|im_end|endoftext|eot_id|end_of_text|end)\|>|</s>|<eos>|<end_of_turn>")
_ESCAPED_BOX = re.compile(r"\\\\(?=boxed\b)")
_PLEASANTRY = re.compile(r"\bI hope (?:it is|this is) correct\.?|\bI hope this helps[.!]?", re.IGNORECASE)
_LONG_REFERENCE = 200
_LABEL_OF_BOX = re.compile(r"[\s$\\(\[]*[\w\\\s]{0,12}(?:=|\\in)\s*")


def extract_answer(completion: str) -> str | None:
    """The text of the final answer, as written; None where none is stated.

    Boxes that follow each other joined by "and", a comma or signs are one list: their texts, joined by commas. A
    "final answer" that is announced after the last box overrides it. Nothing is read before the last `</think>`, in a
    text whose thinking never ends, or in one that breaks off inside of a box.
    """
    said = completion.rpartition("</think>")[2]
    if "<think>" in said:
        return None
    turn = _END_OF_TURN.split(_START_OF_TURN.sub("", said, count=1), maxsplit=1)[0]
    text = _PLEASANTRY.sub("", _ESCAPED_BOX.sub(r"\\", turn[-MAX_CHARACTERS:])).strip()
    if not text:
        return None
    boxes, is_cut_off = find_boxes(text)
    if boxes:
        return announced_answer(text[boxes[-1].end :]) or boxed_answer(text, boxes)
    return None if is_cut_off else stated_answer(text) or closing_answer(text)


def read_reference(reference: str) -> str:
    """The answer in a reference: its boxed or stated answer if it is a whole solution, else all of it."""
    reference = _ESCAPED_BOX.sub(r"\\", reference[-MAX_CHARACTERS:])
    boxes, _ = find_boxes(reference)
    is_long = len(reference) > _LONG_REFERENCE
    if not boxes:
        return (stated_answer(reference) or reference) if is_long else reference
    # A formula around a box (x = \boxed{2}) is part of what a short reference says.
    if len(boxes) == 1 and not is_long and _LABEL_OF_BOX.fullmatch(reference[: boxes[0].start]):
        return reference.replace(r"\boxed", "", 1)
    return list_of_boxes(reference, boxes)
