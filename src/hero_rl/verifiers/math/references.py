r"""References as data sets write them: what a reference states, and the alternatives that it allows.

    alternatives("He has 3 * 4 = 12.\n#### 12")  # ("12",)
    alternatives('["7", "seven"]')  # ("7", "seven")

A reference is trusted, so what follows a mark or an announcement in it is its answer; an answer is never read like
that. Nothing here computes, and every pattern takes linear time.
"""

from __future__ import annotations

import html
import json
import re
from functools import lru_cache

from hero_rl.verifiers.math.text.boxes import find_boxes
from hero_rl.verifiers.math.text.extraction import stated_answer
from hero_rl.verifiers.math.text.prose import closing_answer
from hero_rl.verifiers.math.text.series import list_of_frames, series_start
from hero_rl.verifiers.math.text.spelling import respell

__all__ = ["MAX_READ", "alternatives", "repaired", "states_about"]

MAX_READ = 4000
"""Characters of a reference's answer that are read."""

_CACHED = 4096
_LONGEST = 20_000
_MOST = 16
_ESCAPED_BOX = re.compile(r"\\\\(?=boxed\b)")
_LABEL_OF_BOX = re.compile(r"[\s$\\(\[]*[\w\\\s]{0,12}(?:=|\\in)\s*")
_LONG = 200


@lru_cache(maxsize=_CACHED)
def alternatives(reference: str) -> tuple[str, ...]:
    """The answers that a reference allows, respelled; any one of them is right. None of them is blank."""
    found: dict[str, None] = {}
    for text in _entries(repaired(reference)):
        stated = _stated(text)
        for part in (stated, *_rounded_tail(stated)):
            found[respell(part[: MAX_READ + 1])] = None
    return tuple(text for text in found if text)


# Containers of data sets

_QUOTED = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)')\s*""")
_TRUTH = ("ground_truth", "answer", "target")


def _entries(text: str) -> list[str]:
    """The texts of a JSON list of texts, or of a mapping's ground truth; else the text itself.

    Safe: entries of one list are one question's alternatives; a list of bare numbers is a pair or an interval and
    stays as it is.
    """
    text = text.strip()
    if text[:1] not in ("[", "{"):
        return [text]
    try:
        value = json.loads(text)
    except ValueError:  # LaTeX with single backslashes, or Python's quotes
        return _quoted_entries(text) or [text]
    if isinstance(value, dict):
        value = next((value[name] for name in _TRUTH if name in value), None)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return [json.dumps(value)]
    if isinstance(value, str):
        return [repaired(value)]
    if isinstance(value, list) and value and all(isinstance(entry, str) for entry in value):
        return [repaired(entry) for entry in value[:_MOST]]
    return [text]


def _quoted_entries(text: str) -> list[str]:
    if not (text.startswith("[") and text.endswith("]")):
        return []
    entries, position, end = [], 1, len(text) - 1
    while position < end:
        match = _QUOTED.match(text, position, end)
        if match is None:
            return []
        entries.append(match[1] if match[1] is not None else match[2])
        position = match.end()
        if position < end and text[position] != ",":
            return []
        position += 1
    return entries[:_MOST]


# Solutions

_GSM8K = re.compile(r"####\s*([^\n#]+)\s*$")
_TAGGED = re.compile(r"<(answer|solution|final_answer)>\s*(.*?)\s*</\1>", re.DOTALL | re.IGNORECASE)
_ANNOUNCED = re.compile(r"^\s*(?:final\s+)?(?:answer|ans)\.?\s*[:=]\s*(.+)$", re.IGNORECASE | re.DOTALL)


def _stated(text: str) -> str:
    """The final answer of a text that may be a whole solution of any length; else all of it."""
    text = _ESCAPED_BOX.sub(r"\\", text[-_LONGEST:])
    boxes, _ = find_boxes(text)
    if boxes:
        # A formula around a box (x = \boxed{2}) is part of what a short reference says.
        if len(boxes) == 1 and len(text) <= _LONG and _LABEL_OF_BOX.fullmatch(text[: boxes[0].start]):
            return text.replace(r"\boxed", "", 1)
        return list_of_frames(text, boxes, series_start(text, boxes))
    if match := _GSM8K.search(text):
        return match[1]
    if tags := _TAGGED.findall(text):
        return tags[-1][1]
    if match := _ANNOUNCED.match(text):
        return match[1]
    said = stated_answer(text)
    if said is None and len(text) > _LONG:
        said = closing_answer(text)
    return said or text


# Rounded values

_ABOUT = re.compile(
    r"\\(?:approx|simeq|sim|doteq)(?![A-Za-z])|[≈≃]|\b(?:about|approximately|approx\.?|roughly)(?![A-Za-z])"
)
_DECIMAL = re.compile(r"[\s$}~\\]*(-?\d[\d,]*(?:\.\d+)?\s?\\?%?)(?:\.{3}|\\l?dots)?(?:[\s$}).]|\\right|\\\))*")
_OPENS_REMARK = re.compile(r"(?:[\s({,;~]|\\left|\\text\w*|\\[ ,;:!(]|\\q?quad|\bor)$")
_HAS_VALUE = re.compile(r"\d|\\(?:pi|sqrt|d?frac|ln|log)|\be\b")


def states_about(text: str) -> bool:
    """Whether a text gives a rounded value behind a sign or a word for "about"."""
    return _ABOUT.search(text) is not None


def _rounded_tail(text: str) -> tuple[str, ...]:
    r"""Both values of `\frac{15}{11} \approx 1.36`; none where a text ends otherwise.

    Safe: the reference itself gives the rounded value as its own; a label alone before the sign (x \approx 1.36) is
    no value.
    """
    marks = list(_ABOUT.finditer(text)) if len(text) < MAX_READ else []
    decimal = _DECIMAL.fullmatch(text, marks[-1].end()) if marks else None
    if decimal is None:
        return ()
    exact = text[: marks[-1].start()]
    while opening := _OPENS_REMARK.search(exact):
        exact = exact[: opening.start()]
    exact = exact + "$" if exact.count("$") % 2 else exact
    return (exact, decimal[1]) if _HAS_VALUE.search(exact.rpartition("=")[2]) else ()


# Damage

_COMMANDS = """
frac tfrac dfrac cfrac text textbf textit textrm times theta tan tau triangle therefore right rho rangle rfloor rceil
binom begin boxed beta bar bmod big boldsymbol bigcup backslash bullet alpha approx angle arctan arcsin arccos ast abs
vec varphi varepsilon vee varnothing forall floor fbox neq nabla notin tilde tanh rvert rightarrow bigl bigr bf
because bmatrix
"""
_BY_SIGN: dict[str, list[str]] = {}
for _name in _COMMANDS.split():
    # Text is for words, so a tab before ext{13} may be anything.
    _BY_SIGN.setdefault(_name[0], []).append(_name[1:] + (r"(?=\s*\{+[^{}\d]*[A-Za-z])" if _name == "text" else ""))
_EATEN = {"\x0c": "f", "\t": "t", "\r": "r", "\x08": "b", "\x07": "a", "\x0b": "v", "\n": "n"}
_ESCAPE = re.compile(
    "|".join(
        rf"(?<!\\)\\?{re.escape(sign)}(?=(?:{'|'.join(sorted(_BY_SIGN[letter], key=len, reverse=True))})(?![a-z]))"
        for sign, letter in _EATEN.items()
    )
)
_CIRCLED_DIGITS = "①②③④⑤⑥⑦⑧⑨⑩"
_CIRCLED = re.compile(f"[{_CIRCLED_DIGITS}]+")
_DOUBLED = re.compile(r"\\\\(?=[A-Za-z])")
_SUPERSCRIPT = re.compile(r"<su(p|b)>\s*([^<>]{1,100}?)\s*</su\1>", re.IGNORECASE)
_LAYOUT_TAG = re.compile(r"</?(?:b|i|u|em|strong|p|br|span|div|center|font|small)\s*/?>", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:#\d{1,6}|#x[0-9a-fA-F]{1,5}|[A-Za-z]{2,8});")


def repaired(text: str) -> str:
    r"""A text without what writing it to a file did to it.

    Safe: a control sign before the rest of a command (form feed + `rac`) can be nothing else than that command, two
    backslashes before a name outside of rows are one, circled numbers are a list,
    and HTML's tags and entities say how a text looks.
    """
    text = _CIRCLED.sub(lambda run: ", ".join(f"({_CIRCLED_DIGITS.index(sign) + 1})" for sign in run.group()), text)
    text = _ESCAPE.sub(lambda eaten: "\\" + _EATEN[eaten.group()[-1]], text)
    if "\\begin" not in text:
        text = _DOUBLED.sub(r"\\", text)
    if "<" in text:
        text = _SUPERSCRIPT.sub(lambda low: ("^" if low[1].lower() == "p" else "_") + "{" + low[2] + "}", text)
        text = _LAYOUT_TAG.sub(" ", text)
    if "&" in text:
        text = _ENTITY.sub(lambda entity: html.unescape(entity.group()), text)
    return text
