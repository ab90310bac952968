r"""Whether a text ends where its author was done, rather than where it was cut off or should have stopped.

>>> ended("So the answer is \\boxed{4}.", "unknown"), ended("So the answer is \\boxed{4}. Now let us", "unknown")
(True, False)
"""

from __future__ import annotations

import re

from hero_rl.verifiers.math.text.boxes import find_boxes

__all__ = ["ended"]

# The last three stand for the full stop, the exclamation and the question mark of Chinese and Japanese.
_LAST = re.compile("[.!?\u2026)\\]}$*`|\"'\u201d\u2019\u00bb\u3002\uff01\uff1f]$")
_BEGIN, _END = re.compile(r"\\begin\{"), re.compile(r"\\end\{")


def ended(text: str, finish_reason: str | None, max_after_answer: int = 300) -> bool:
    """Whether a completion ended properly.

    Args:
        text: the completion.
        finish_reason: the server's word: `stop` settles where the text ends, `length` and others that it was cut off;
            `unknown` and None leave it to the text's last sign and to what is still open in it.
        max_after_answer: characters behind the last box.
    """
    text = text.strip()
    if not text or finish_reason not in ("stop", "unknown", None):
        return False
    if text.count("<think>") > text.count("</think>"):
        return False
    boxes, cut_off = find_boxes(text)
    if cut_off or (boxes and len(text) - boxes[-1].end > max_after_answer):
        return False
    return finish_reason == "stop" or (bool(_LAST.search(text)) and not _is_open(text))


def _is_open(text: str) -> bool:
    """Whether a formula, an environment or a block of code was begun and not ended."""
    dollars = text.replace("\\$", "").count("$")
    return (
        dollars % 2 == 1
        or text.count("\\[") > text.count("\\]")
        or text.count("\\(") > text.count("\\)")
        or len(_BEGIN.findall(text)) > len(_END.findall(text))
        or text.count("```") % 2 == 1
    )
