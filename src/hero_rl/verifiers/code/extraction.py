"""Where a completion's code is: in its last fenced block of Python."""

from __future__ import annotations

import re

__all__ = ["find_code"]

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})[ \t]*([\w+.#-]*)(.*)")
_PYTHON = {"", "python", "python3", "py", "py3"}


def find_code(text: str) -> str | None:
    """The last fenced block that is Python by its name or has none; None where there is no such block.

    A block ends at a fence of its own sign that is as long or longer; the last one may go on to the end of the text.
    Nested fences of other signs are the block's own text. Blank blocks do not count.
    """
    found, fence, language = None, "", ""
    block: list[str] = []
    for line in text.splitlines():
        mark = _FENCE.match(line)
        if fence:
            if mark and mark[1].startswith(fence) and not (mark[2] or mark[3].strip()):
                found = _code(language, block) or found
                fence = ""
            else:
                block.append(line)
        elif mark:
            fence, language, block = mark[1], mark[2].lower(), []
    return (_code(language, block) if fence else None) or found


def _code(language: str, block: list[str]) -> str | None:
    code = "\n".join(block)
    return code + "\n" if language in _PYTHON and code.strip() else None
