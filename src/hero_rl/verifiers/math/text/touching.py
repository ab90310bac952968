r"""What stands around a frame and makes another value, or none, of what it holds: `2\boxed{5}`, "less than \boxed{5}".

    >>> from hero_rl.verifiers.math.text.boxes import find_boxes
    >>> text = r"so 2\boxed{5}\pi."
    >>> print(touched(text, find_boxes(text)[0][-1]))
    2{5}\pi

Marks of layout at the box (dollars, stars, quotes, closing braces) are looked through.
"""

from __future__ import annotations

import re

from hero_rl.verifiers.math.text.boxes import Frame
from hero_rl.verifiers.math.text.doubts import INTERRUPTS, SUPPOSES, WRONG
from hero_rl.verifiers.math.tree.units import has_prefix, is_unit

__all__ = ["AROUND", "is_contrast", "is_denied", "is_in_formula", "sign_behind", "touched", "unit_behind"]

AROUND = 80
"""Characters on each side of a frame that are looked at."""

_DENIED_BEFORE = re.compile(
    r"(?:(?:not|n't)\s+(?:think|believe|true|claim)\b[^.\n]*$)"
    r"|(?:\b(?:not|never|neither|cannot|rather\s+than|instead\s+of|as\s+opposed\s+to)|n't|[(,]\s*(?:previously|formerly))"
    r"\s+(?:be\s+|equal\s+to\s+)?[\s$:\\(\[]*$"
    rf"|(?:\b(?<!of a )(?<!of an )(?<!of the )(?:{WRONG})\s+(?:answer|solution|result|value)"
    r"\s+(?:is|was|would\s+be)"
    rf"|(?:^|\n)\W{{0,4}}(?:{WRONG})(?:\s+answer)?\s*:"
    r"|\bcommon\s+(?:mistake|error)s?\s+(?:is|are|would\s+be)(?:\s+to\s+(?:say|answer|write))?"
    r"|(?<!how )\b(?:many|most|some)\s+(?:students|people)\s+(?:would\s+|may\s+|might\s+)?(?:say|answer|guess|write)"
    r"|\btempt(?:ing|ed)\s+to\s+(?:say|answer|guess|write)"
    r"|\b(?:not|un)\s?sure\s+(?:whether|if|that)\s+(?:it's|it\s+is|the\s+answer\s+is))[\s$:\\(\[]*$"
    r"|\b(?:(?:first|initially|originally),?\s+(?:I|we)|(?:I|we)\s+(?:first|initially|originally))\s+(?:got|thought|guessed|tried)"
    r"(?:\s+that)?(?:\s+it\s+(?:is|was))?[\s$:\\(\[]*$",
    re.IGNORECASE,
)
_SUPPOSED_BEFORE = re.compile(
    r"\bif\s+(?:the\s+)?(?:final\s+|correct\s+)?(?:answer|result|value|it)\s+(?:is|was|were)\s*[\s$:\\(\[]*$"
    rf"|\b(?:{SUPPOSES})(?:\s+that)?(?:\s+(?:the\s+)?(?:answer|result|it)\s+(?:is|was|were))?[\s$:\\(\[]*$",
    re.IGNORECASE,
)
_DENIED_AFTER = re.compile(
    rf"[\s$*_)\\\]]*(?:,?\s*(?:which|that|this)\s+)?(?:(?:is|was|seems|cannot\s+be|would\s+be|must\s+be)\s+(?:not|{WRONG}|false|invalid|impossible|excluded|ruled\s+out|right\s*\?)|isn't"
    r"|(?:doesn't|does\s+not|can't|cannot|won't)\s+(?:work(?!\s+out)|hold|satisfy|fit|be\s+(?:right|correct|true|the\s+answer))"
    rf"|\((?:{WRONG})(?=\)))\b",
    re.IGNORECASE,
)

_CALLED_BACK = re.compile(
    rf"\W{{0,8}}(?:(?:oh|{INTERRUPTS})\W{{1,4}}){{1,3}}(?:(?:no|nope)(?=\s*[,.:;!—-]|\s*$)|that's\s+wrong\b)",
    re.IGNORECASE,
)
_CONTRASTS = re.compile(
    r"[\s$)\\\].,;*]{0,8}(?:\(|and\s+|but\s+)?(?:not|rather\s+than|instead\s+of|as\s+opposed\s+to)\s+(?:the\s+)?[\s$(\\\[*]{0,6}",
    re.IGNORECASE,
)

# Before a frame. A dash, a star or a plus before a space is a bullet, or a dash between words.
_LAYOUT_BEFORE = re.compile(
    r"(?:(?<!\\)\$|\\[(\[]|[*_`\"'“‘]|\\(?:text\w*|mathbf|mathrm|mathit|color|large|Large|huge)\s*\{|\{)+$"
)
_LAYOUT_AFTER = re.compile(r"(?:\$|\\[)\]]|[`\"'”’}]|\*+(?![\w\\({])|_+(?![\w\\{]))+")
_TAG_BEFORE = re.compile(r"<[A-Za-z/|][^<>\n]{0,60}>\s*$")
_LINE_MARK_BEFORE = re.compile(r"(?:^|\n)[ \t]*[>*]+$")
_OPERATOR_TOUCHES = re.compile(r"(?:[-−+/^·×÷±≤≥≠]|(?<![=-])[<>])$")
_STAR_TOUCHES = re.compile(r"[\d})]\*$")
_OPERATOR_BEFORE = re.compile(r"(?P<left>[\w})]|\\\)|\$)[^\S\n]+(?:[-−+*/^·×÷±≤≥≠]|(?<![=-])[<>])\s*$")
_WORD_BEFORE = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}\W{0,4}$")
_NUMBERED = re.compile(
    r"(?:(?:step|part|question|problem|case|exercise|task|example|no)\.?\s*\(?\w{1,3}\)?|(?:^|\n)\W{0,4}\(?[a-z0-9]{1,2}\))\W{0,4}$",
    re.IGNORECASE,
)
_COMMAND_BEFORE = re.compile(r"\\([A-Za-z]+)\s*(?:\[[^\[\]]*\])?(?:\s*\{[^{}]*\}){0,2}\s*\{?\s*$")
_COEFFICIENT = re.compile(r"(?:\d\.?|(?<=\d),|(?<![A-Za-z\\])[A-Za-z])$")
_COEFFICIENT_IN_FORMULA = re.compile(r"(?:\d|(?<![A-Za-z\\])[A-Za-z]|[)\]])[^\S\n]*$")
_LIST_NUMBER = re.compile(r"\n\W{0,6}\d{1,2}\.$")
_PHRASE_BEFORE = re.compile(
    r"(?:(?:less|more|greater|smaller|fewer|larger|bigger|lower|higher)\s+than(?:\s+or\s+equal\s+to)?"
    r"|between\s+\S{1,16}\s+and|minus|negative|plus|twice|thrice|double|triple|half(?:\s+of)?"
    r"|(?:(?:square|cube)\s+)?root\s+of|(?:square|cube|third|quarter|multiples?|reciprocal|inverse|opposite|divisors?|factorial"
    r"|complement|negation|negative|log(?:arithm)?)\s+of|\d\s*(?:\$|\\\))?,?\s+or)\s*$",
    re.IGNORECASE,
)
# Commands beside a frame that leave its value alone.
_IDLE_COMMANDS = """
quad qquad displaystyle textstyle text textbf textit textrm textsf mathbf mathrm mathit mathsf color textcolor
large Large LARGE huge Huge therefore because implies Rightarrow rightarrow Longrightarrow longrightarrow to
mapsto approx equiv cong sim simeq colon left right bf rm it hspace vspace newline par item tag boxed fbox
hline label pmod bmod mod blacksquare square checkmark Box hfill qed end begin blacktriangle tiny small
normalsize bigskip medskip hskip smallskip centering noindent underline bigl bigr big Big in iff
Leftrightarrow stackrel overset underset ldots dots
"""
_IDLE = frozenset(_IDLE_COMMANDS.split())

# Behind a frame.
_SPACING = re.compile(r"\\q?quad(?![A-Za-z])|\\[,;:! ]|~")
_SCALE = re.compile(
    r"[\s$,]*choose\s+\$?\d|[\s$,]*(?:\\text\s*\{\s*)?(?:or|if|unless|plus|minus|divided|hundred|thousand|million|billion|trillion|dozen|squared|cubed|factorial)s?\b"
)
_OPERATOR_AFTER = re.compile(
    r"[^\S\n]*=\s*\S|\^(?!\s*\{?\s*\\circ)|-\d|\.\d|,\d{3}|:\d|[/+]\d|[√²³π]|[^\S\n]+[-+*/×÷^]\s*\$?\d"
    r"|[^\S\n]*(?:[<>]\s*[\s\d=\\$(]|[≤≥≠±])|\s+to\s+\$?\d|\s+and\s+\$?\d[\d.]*\$?\s*(?:[.;]|$)"
)
_OPERATOR_TOUCHES_AFTER = re.compile(r"[/+]|\*(?!\*)|_\{?\w|[A-Za-z](?![A-Za-z])")
_OPERATOR_AFTER_IN_FORMULA = re.compile(r"[^\S\n]*(?:[-+*/^<>!\d]|\((?!\s*\\)|[A-Za-z](?![A-Za-z]))(?!\s*\{?\s*\\circ)")
_COMMAND_AFTER = re.compile(r"\s*\\([A-Za-z]+)")
_CLOSES_FORMULA = re.compile(r"\$|\\[)\]]")
_SIGN_BEHIND = re.compile(r"[\s$)\\]{0,6}(?P<sign>%|\\%|percent\b|pct\b|\^\s*\{?\\circ|°)", re.IGNORECASE)
_UNIT_BEHIND = re.compile(
    r"(?:[^\S\n]|\\[,;:! )\]]|[$~*])*(?P<mark>\\(?:text|mathrm|textrm|mbox|operatorname|rm)\s*\{\s*)?"
    r"(?<![$)\]*])(?P<words>[A-Za-z]+(?:(?:\s*/\s*|\s+)[A-Za-z]+){0,3})(?P<power>\s*(?:\^\s*\{?[23]\}?|[²³]))?"
    r"(?P<close>\s*\})?(?P<outer>\s*\^\s*\{?[23]\}?)?(?=[\s.,;:!?)}$\\*]|$)"
)
_ENDS_SENTENCE = re.compile(r"\s*(?:[.;]\s|[.;]?$)")
_JOINS_UNITS = frozenset({"per", "square", "cubic", "sq", "cu"})
_SYMBOLS = frozenset("mgshlLNJWVAK")
_PLAIN_VALUE = re.compile(r"(?:[\s\d.,+\-*/^(){}$π√]|\\(?:[dt]?frac|sqrt|pi|cdot|times|left|right|[,;:! ()]))+")


def is_denied(text: str, start: int, end: int) -> bool:
    """Whether the text says of what stands there that it is not the answer."""
    before, after = text[max(0, start - AROUND) : start], text[end : end + AROUND]
    return bool(
        _SUPPOSED_BEFORE.search(before)
        or _DENIED_BEFORE.search(before)
        or _DENIED_AFTER.match(after)
        or _CALLED_BACK.match(after)
    )


def is_contrast(between: str) -> bool:
    """Whether the words between two frames set the second against the first: ", not", "rather than"."""
    return _CONTRASTS.fullmatch(between) is not None


def touched(text: str, frame: Frame) -> str | None:
    """The formula or phrase that a frame is a part of, without the frame; None where nothing changes its value."""
    before = text[max(0, frame.start - AROUND) : frame.start]
    after = text[frame.end : frame.end + AROUND]
    inside = is_in_formula(text, frame.start)
    changes_before = _STAR_TOUCHES.search(before) or _changes_before(_looked_through(before), inside)
    if changes_before or _changes_after(after, inside):
        return _formula_around(text, frame, inside)
    unit = unit_behind(after) if _PLAIN_VALUE.fullmatch(frame.content) else ""
    return frame.content + unit if unit else None


def sign_behind(text: str) -> str:
    """A percent or degree sign that stands just outside of a box, since it changes the number inside."""
    match = _SIGN_BEHIND.match(text)
    if match is None:
        return ""
    return r"\%" if match["sign"].lower() in ("%", r"\%", "percent", "pct") else r"^\circ"


def is_in_formula(text: str, position: int) -> bool:
    """Whether a place lies between the delimiters of a formula of its paragraph."""
    line = text[max(0, position - _PARAGRAPH) : position].rpartition("\n\n")[2].replace(r"\$", "")
    if line.count("$$") % 2 or line.replace("$$", "").count("$") % 2:
        return True
    return max(line.rfind(r"\("), line.rfind(r"\[")) > max(line.rfind(r"\)"), line.rfind(r"\]"))


_PARAGRAPH = 2000


def _looked_through(before: str) -> str:
    """Without the marks of layout that end it."""
    if before[-1:] in _ENDS_LAYOUT and (match := _LAYOUT_BEFORE.search(before)):
        before = before[: match.start()]
    if before.rstrip()[-1:] in (">", "*"):
        for layout in (_TAG_BEFORE, _LINE_MARK_BEFORE):
            match = layout.search(before)
            before = before[: match.start()] if match else before
    return before


_ENDS_LAYOUT = frozenset("$([*_`\"'“‘{")


def _changes_before(before: str, inside: bool) -> bool:
    ending = before[-_SHORT_ENDING:]
    if _OPERATOR_TOUCHES.search(ending) or _PHRASE_BEFORE.search(before[-_PHRASE:]):
        return True
    command = _COMMAND_BEFORE.search(before) if "\\" in before else None
    if command and command[1] not in _IDLE:
        return True
    if _COEFFICIENT.search(ending) and not _LIST_NUMBER.search(ending):
        return True
    if inside and _COEFFICIENT_IN_FORMULA.search(ending):
        return True
    operator = _OPERATOR_BEFORE.search(ending)
    if operator is None:
        return False
    left = before[: len(before) - len(ending) + operator.end("left")]
    return not _NUMBERED.search(left) and (inside or not _WORD_BEFORE.search(left))


_SHORT_ENDING = 12
_PHRASE = 40


def _changes_after(after: str, inside: bool) -> bool:
    after = _SPACING.sub(" ", after)
    layout = _LAYOUT_AFTER.match(after)
    behind = after[layout.end() :] if layout else after
    if _OPERATOR_AFTER.match(behind) or _SCALE.match(after):
        return True
    if layout and _CLOSES_FORMULA.search(layout.group()):
        return False
    if _OPERATOR_TOUCHES_AFTER.match(behind) or (inside and _OPERATOR_AFTER_IN_FORMULA.match(behind)):
        return True
    command = _COMMAND_AFTER.match(behind)
    return bool(command) and command[1] not in _IDLE


def unit_behind(after: str) -> str:
    r"""A unit of measure behind a frame, as ` \text{cm}`; a word that may mean something else is none."""
    match = _UNIT_BEHIND.match(after)
    if match is None or bool(match["mark"]) != bool(match["close"]):
        return ""
    words = match["words"]
    power = (match["power"] or match["outer"] or "").strip()
    marked = bool(match["mark"] or power or _ENDS_SENTENCE.match(after, match.end()))
    while not _is_measure(words, marked):
        shorter = _LAST_WORD.sub("", words)
        if match["close"] or shorter == words:
            return ""
        words, marked, power = shorter, False, ""
    return rf" \text{{{words}}}{power}"


def _is_measure(words: str, marked: bool) -> bool:
    """Whether words are the name of a unit; if not marked as one, no single letter is, and no "in"."""
    *joined, last = re.split(r"[\s/]+", words)
    units = [word for word in (*joined, last) if word not in _JOINS_UNITS]
    known = all(is_unit(word) or (marked and (word in _SYMBOLS or has_prefix(word))) for word in units)
    return known and last not in _JOINS_UNITS and (marked or last != "in")


_LAST_WORD = re.compile(r"(?:\s+|\s*/\s*)[A-Za-z]+$")
_START_OF_FORMULA = re.compile(r"(?:\\[A-Za-z]+|[^\sA-Za-z$:]|\b[A-Za-z]\b|[ \t])*$")
_OR_BEHIND = re.compile(r"[\s,]*or\s+\${0,2}")
_END_OF_FORMULA = re.compile(r"\$|\\\)|\\\]|\n|[.;](?=\s|$)|$")


def _formula_around(text: str, frame: Frame, inside: bool) -> str:
    """The formula that a frame is a part of, or the words up to the end of its sentence, without the frame."""
    before = text[max(0, frame.start - 2 * AROUND) : frame.start]
    phrase = _PHRASE_BEFORE.search(_looked_through(before))
    delimiter = max(before.rfind("$"), before.rfind(r"\(") + 1, before.rfind(r"\[") + 1)
    if phrase:
        before = before[phrase.start() :]
    elif delimiter >= 0 and inside:
        before = before[delimiter + 1 :]
    else:
        before = _START_OF_FORMULA.search(before).group()  # pyright: ignore[reportOptionalMemberAccess]
    after = text[frame.end : frame.end + 2 * AROUND]
    after = after.lstrip("$") if _SCALE.match(_SPACING.sub(" ", after)) else after
    joined = _OR_BEHIND.match(after)  # "$\\boxed{7}$ or $8$": the other choice is a formula of its own
    end = _END_OF_FORMULA.search(after, joined.end() if joined else 0)
    whole = f"{before}{{{frame.content}}}{after[: end.start() if end else None]}".strip()
    return whole.replace("$", "") if joined else whole
