r"""Where a completion states its final answer.

A policy is rewarded for its final answer, so what it wrote while thinking does not count, nor does a number that
happens to stand somewhere. In order: the last `\boxed{}`; a stated answer ("the answer is ..."); the value with which
the text ends. Every search is over a bounded ending of the text and takes linear time.
"""

from __future__ import annotations

import re

from hero_rl.verifiers.math.text.boxes import boxed_answer, find_boxes
from hero_rl.verifiers.math.text.prose import announced_answer, closing_answer, stated_answer

__all__ = ["extract_answer"]

MAX_CHARACTERS = 20_000
"""Only this many characters at the end of a completion, or of its turn, are looked at."""

_START_OF_TURN = re.compile(r"^\s{0,20}<\|im_start\|>\s{0,4}assistant\b")
_END_OF_TURN = re.compile(r"<\|(?:im_start|im_end|endoftext|eot_id|end_of_text|end)\|>|</s>|<eos>|<end_of_turn>")
_ESCAPED_BOX = re.compile(r"\\\\(?=boxed\b)")
_PLEASANTRY = re.compile(r"\bI hope (?:it is|this is) correct\.?|\bI hope this helps[.!]?", re.IGNORECASE)


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
