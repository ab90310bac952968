r"""Marks of layout that say nothing of mathematics: bold and italic, code, quotes, headings, bullets, tags.

    >>> unmarked("- **`7`**")
    '7'

All work on short texts, or on the ending of one, in linear time.
"""

from __future__ import annotations

import re

__all__ = ["unemphasised", "unmarked", "without_end_of_proof"]

# A star that touches a letter, a digit or a bracket on its outer side multiplies.
_STARS = re.compile(r"(?<![\w*\\)}^])(\*{1,3})(?=[^\s*])([^*]+)(?<![\s*])\1(?![\w*])")
_UNDERSCORES = re.compile(r"(?<![\w\\)}])(_{1,3})(?=[^\s_{])([^_\n]+)(?<![\s_])\1(?![\w_])")
_AROUND_ALL = re.compile(r"(\*{1,3}|_{2,3})(?=\S)(.+?)(?<=\S)\1", re.DOTALL)
_FENCE = re.compile(r"(`{3,6}|~{3,6})[^\n`]*\n(.*?)\n?[ \t]*\1[ \t]*", re.DOTALL)
_TICKS = re.compile(r"(`{1,3})([^`]+)\1")
# A bullet before a digit is a minus sign, and only on a line of its own is ">" a quotation.
_LINE_MARK = re.compile(
    r"^[ \t]*(?:(?:#{1,6}(?=\s)|[-*+](?=\s+[^\s\d.\\])|[•·▪](?=\s)|(?<=\n)>|\d{1,2}[.)](?=\s+[^\d\s]))[ \t]*)+",
    re.MULTILINE,
)
_TAG = re.compile(r"</?(?:[A-Za-z][A-Za-z_-]+|[biups])(?:\s[^<>]{0,100})?/?>")
_QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’", "«": "»", "「": "」", "『": "』", "【": "】"}
# Q.E.D. and its kin.
_END_OF_PROOF = re.compile(
    r"\$?(?:\\(?:checkmark|square|blacksquare|Box|qed|hfill)(?![A-Za-z])|[∎■□]|(?<![A-Za-z.])Q\.?E\.?D\.?)\$?$"
)
_LONGEST_END = 16


def without_end_of_proof(text: str) -> str:
    """Without the signs that end a proof: a square, a tick, Q.E.D."""
    while found := _END_OF_PROOF.search(text, max(0, len(text) - _LONGEST_END)):
        text = text[: found.start()].rstrip()
    return text


def unemphasised(text: str) -> str:
    """Without the stars and underscores of bold and italic."""
    return _UNDERSCORES.sub(r"\2", _STARS.sub(r"\2", text)) if "*" in text or "_" in text else text


def unmarked(text: str) -> str:
    """Without what frames all of a text, and without the marks of its lines, in whatever order they are nested."""
    text = _TAG.sub("", text).rstrip()
    for _ in range(_DEEPEST):
        before = text
        text = _LINE_MARK.sub("", text).strip()
        for frame in (_FENCE, _TICKS, _AROUND_ALL):
            whole = frame.fullmatch(text)
            text = whole[2].strip() if whole else text
        text = _unquoted(unemphasised(text)).removesuffix("\\").strip()
        if text == before:
            break
    return text


_DEEPEST = 5


def _unquoted(text: str) -> str:
    closing = _QUOTES.get(text[:1])
    if closing and len(text) > 2 and text.endswith(closing) and closing not in text[1:-1] and text[0] not in text[1:-1]:
        return text[1:-1].strip()
    return text
