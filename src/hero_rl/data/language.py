r"""What script a text is written in.

>>> script_share("Hence the area is \(\pi r^2\).", "Latin"), script_share("Hence 因此 four", "Latin")
(1.0, 0.8181818181818182)
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import regex

__all__ = ["check_script", "script_share"]

_COMMAND = regex.compile(r"\\[A-Za-z]+")
_DELIMITER = regex.compile(r"\\[\\$()\[\]]|\$")
_CLOSING = {"$": "$", "\\(": "\\)", "\\[": "\\]"}


def check_script(script: str) -> None:
    """Raise a `ValueError` for what Unicode knows as no script."""
    try:
        _letters(script)
    except regex.error:
        raise ValueError(f"{script!r} is no script that Unicode knows, such as Latin, Han or Cyrillic") from None


def script_share(text: str, script: str) -> float:
    """Share of a text's letters that are of a script; 1 for a text without letters of any.

    LaTeX's commands are no letters of the text, and neither are Greek and mathematical ones, which belong to every
    script. Formulas are written in Latin letters everywhere: those do not count, neither for Latin nor against another.
    """
    own, other = _letters(script)
    outside = _COMMAND.sub(" ", _without_formulas(text))
    ours = len(own.findall(outside))
    foreign = len(other.findall(_COMMAND.sub(" ", text) if script == "Latin" else outside))
    return ours / (ours + foreign) if ours + foreign else 1.0


def _without_formulas(text: str) -> str:
    """What stands outside of formulas; one that never closes is text. One pass, since texts are long and hostile."""
    parts, start, opened = [], 0, None
    for found in _DELIMITER.finditer(text):
        if opened is None:
            opened = found if found[0] in _CLOSING else None
        elif found[0] == _CLOSING[opened[0]]:
            parts.append(text[start : opened.start()])
            start, opened = found.end(), None
    return " ".join([*parts, text[start:]])


@lru_cache(maxsize=16)
def _letters(script: str) -> tuple[Any, Any]:
    """What finds a letter of a script, and one of another."""
    if not regex.fullmatch(r"[A-Za-z_]+", script):
        raise regex.error(f"no script: {script!r}")
    every = r"\p{Script=Greek}\p{Script=Common}\p{Script=Inherited}"
    own = regex.compile(rf"[\p{{Script={script}}}&&\p{{L}}]", regex.V1)
    return own, regex.compile(rf"[\p{{L}}--[\p{{Script={script}}}{every}]]", regex.V1)
