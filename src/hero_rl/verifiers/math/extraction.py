r"""Where a completion states its final answer.

A policy is rewarded for its final answer, so what it wrote while thinking does not count, nor does a number that
happens to stand somewhere. In order: the last `\boxed{}`; a stated answer ("the answer is ..."); the formula or the
value with which the last line ends. Every search is over a bounded ending of the text and takes linear time.
"""

from __future__ import annotations

import re

__all__ = ["extract_answer", "read_reference"]

MAX_CHARACTERS = 20_000
"""Only this many characters at the end of a completion are looked at."""

_BOX = re.compile(r"\\(?:boxed|fbox)(?![A-Za-z])\s*")
_END_OF_TURN = re.compile(r"<\|(?:im_start|im_end|endoftext|eot_id|end_of_text|end)\|>|</s>|<eos>|<end_of_turn>")
_ESCAPED_BOX = re.compile(r"\\\\(?=boxed\b)")

# What may stand between two boxes that together make one list: signs, "and", a label, a counted thing.
_BETWEEN_BOXES = re.compile(
    r"(?:[\s,;.&+$]|\\[()\[\],;!:]|\\quad|\\qquad|\\(?:text|mbox|textrm)\s*\{|\})*"
    r"(?P<words>(?:[A-Za-z]+(?:\s*\([a-z]\))?\s*){0,4})"
    r"(?:[\s,;.&$}]|\\[()\[\],;!:]|\\quad|\\qquad)*"
    r"(?P<label>(?:[A-Za-z](?:_\{?\w+\}?)?\s*=\s*)?)"
    r"[\s$]*"
)
_JOINS = re.compile(r"[,;&+]|\band\b|\bor\b")
_MAX_BETWEEN_BOXES = 80

_STATED = re.compile(
    r"(?:final\s+answer|answer|solution)\b(?:\s+to\s+(?:the|this)\s+(?:question|problem))?\s*[*_]*\s*"
    r"(?:(?:is|are|will\s+be|:|=)\s*[*_]*\s*)+(?:that\s+|given\s+by\s+|:\s*)?|####\s*",
    re.IGNORECASE,
)
_ANNOUNCED = re.compile(
    r"final\s+answer\s*[*_]*\s*(?:is|:)\s*(?:[*_]*\s*(?:the\s+)?(?:final\s+)?answer\s+is\s*:?)?\s*", re.IGNORECASE
)
_PLEASANTRY = re.compile(r"\bI hope (?:it is|this is) correct\.?|\bI hope this helps[.!]?", re.IGNORECASE)
_LONG_REFERENCE = 200
_LABEL_OF_BOX = re.compile(r"[\s$\\(\[]*[\w\\\s]{0,12}(?:=|\\in)\s*")
_PARAGRAPH = re.compile(r"\n\s*\n")
_FORMULA = re.compile(
    r"\$\$(?P<a>[^$]+)\$\$|\\\[(?P<b>(?:[^\\]|\\(?![\[\]]))+)\\\]|(?<!\\)\$(?P<c>[^$\n]+)(?<!\\)\$"
    r"|\\\((?P<d>(?:[^\\\n]|\\(?![()]))+)\\\)"
)
_DISPLAY = re.compile(r"\$\$(?P<a>[^$]+)\$\$|\\\[(?P<b>(?:[^\\]|\\(?![\[\]]))+)\\\]")
_SHORT = 100
_COPULA = re.compile(r"(?:\b(?:is|are|equals|becomes|be|it's)|=|:)\s+", re.IGNORECASE)
_BARE_VALUE = re.compile(r"-?[\\$€£]?[\d.,/]*\d[\d.,/]*\s*(?:[%°€$£]|[A-Za-z]{1,12}[²³]?|[²³])?(?:\s+[A-Za-z]{1,12})?")
_ENDS_SENTENCE = re.compile(r"[.!?](?=\s|$)")


def extract_answer(completion: str) -> str | None:
    """The text of the final answer, as written; None where none is stated.

    Boxes that follow each other joined by "and", a comma or signs are one list: their texts, joined by commas. A
    "final answer" that is announced after the last box overrides it. Nothing is read before the last `</think>`, nor
    in a text whose thinking never ends.
    """
    ending = completion[-MAX_CHARACTERS:]
    _, closed, after = ending.rpartition("</think>")
    if "<think>" in (after if closed else ending):
        return None
    text = _END_OF_TURN.split(after if closed else ending, maxsplit=1)[0]
    text = _PLEASANTRY.sub("", _ESCAPED_BOX.sub(r"\\", text)).strip()
    return _answer(text) if text else None


def read_reference(reference: str) -> str:
    """The answer in a reference: its boxed or announced answer if it is a whole solution, else all of it."""
    reference = _ESCAPED_BOX.sub(r"\\", reference[-MAX_CHARACTERS:])
    boxes = _boxes(reference)
    if not boxes:
        return (_stated(reference) or reference) if len(reference) > _LONG_REFERENCE else reference
    start = boxes[0][0]
    # A formula around a box (x = \\boxed{2}) is part of what a short reference says.
    if len(boxes) == 1 and len(reference) <= _LONG_REFERENCE and _LABEL_OF_BOX.fullmatch(reference[:start]):
        return reference.replace(r"\boxed", "", 1)
    return _last_list(reference, boxes)


def _answer(text: str) -> str | None:
    boxes = _boxes(text)
    if not boxes:
        return _stated(text) or _closing(text)
    announced = _stated(text[boxes[-1][1] :], _ANNOUNCED)
    return announced or _last_list(text, boxes)


def _boxes(text: str) -> list[tuple[int, int, str]]:
    """Start, end and content of every closed box, in order; boxes inside boxes are their outer one's."""
    found: list[tuple[int, int, str]] = []
    position, closing = 0, _closing_braces(text) if "\\boxed" in text or "\\fbox" in text else {}
    while match := _BOX.search(text, position):
        start = position = match.end()
        if text[start : start + 1] == "{":
            end = closing.get(start)
            if end is not None:
                found.append((match.start(), end + 1, text[start + 1 : end]))
                position = end + 1
        elif word := _WORD.match(text, start):
            found.append((match.start(), word.end(), word.group()))
    return found


_WORD = re.compile(r"\w+")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)


def _closing_braces(text: str) -> dict[int, int]:
    """Where each brace that opens closes, in one pass."""
    opened: list[int] = []
    closing: dict[int, int] = {}
    for match in _BRACE.finditer(text):
        if match.group() == "{":
            opened.append(match.start())
        elif match.group() == "}" and opened:
            closing[opened.pop()] = match.start()
    return closing


def _last_list(text: str, boxes: list[tuple[int, int, str]]) -> str:
    """The last box, with those before it that it makes one list with."""
    contents = [boxes[-1][2].strip() + _sign_behind(text[boxes[-1][1] :])]
    for earlier, later in zip(boxes[-2::-1], boxes[:0:-1], strict=True):
        label = _label_that_joins(text[earlier[1] : later[0]])
        if label is None:
            break
        contents[0] = label + contents[0]
        contents.insert(0, earlier[2].strip())
    if len(contents) > 1:
        contents[0] = _label_before(text[: boxes[len(boxes) - len(contents)][0]]) + contents[0]
    if len(set(contents)) == 1:
        return contents[0]
    return ", ".join(contents)


_SIGN_BEHIND = re.compile(r"[\s$)\\]{0,6}(?P<sign>%|\\%|percent\b|pct\b|\^\s*\{?\\circ)", re.IGNORECASE)


def _sign_behind(text: str) -> str:
    """A percent or degree sign that stands just outside of the box, since it changes the number inside."""
    match = _SIGN_BEHIND.match(text)
    if match is None:
        return ""
    return r"^\circ" if "circ" in match["sign"] else r"\%"


def _label_that_joins(between: str) -> str | None:
    """The label (`y_2 =`, or nothing) of the second of two boxes; None where the two make no list."""
    if len(between) > _MAX_BETWEEN_BOXES or _PARAGRAPH.search(between):
        return None
    if not between.strip():
        return ""
    match = _BETWEEN_BOXES.fullmatch(between)
    if match is None or not _JOINS.search(between):
        return None
    return match["label"]


def _label_before(text: str) -> str:
    match = re.search(r"([A-Za-z](?:_\{?\w+\}?)?\s*=\s*)[\s$]*$", text[-40:])
    return match[1] if match else ""


def _stated(text: str, announcement: re.Pattern[str] = _STATED) -> str | None:
    """What follows the last "the answer is", up to the end of its sentence or formula."""
    for match in reversed(list(announcement.finditer(text))):
        answer = _first_statement(text[match.end() :])
        if answer:
            return answer
    return None


def _first_statement(text: str) -> str:
    """The value in what an announcement is followed by."""
    text = text.lstrip(" \n*_\"'\\" if text.lstrip()[:2] in ('\\"', "\\'") else " \n*_\"'")
    formula = _FORMULA.match(text)
    if formula:
        # A unit, or more of a list, may follow the formula in its sentence.
        rest = _sentence(text[formula.end() :].split("\n", 1)[0])
        whole = text[: formula.end()] + (rest if len(rest) <= 40 else "")
        return whole.strip().rstrip(".\"'*_").strip().removesuffix("\\").strip()
    return _value_of_sentence(_sentence(text.split("\n", 1)[0]))


def _value_of_sentence(sentence: str) -> str:
    """The value that a sentence ends with or is about; all of it if it is short."""
    said = sentence.strip().strip("*_").strip()
    if len(said.split()) <= 3:
        return said
    copula = _last(_COPULA, said)
    formula = _last(_FORMULA, said)
    if copula and (not formula or copula.start() >= formula.end()):
        value = said[copula.end() :].strip()
        if _is_value(value):
            return value
    if formula:
        behind = said[formula.end() :].strip()
        return _content(formula) + (" " + behind if _IS_UNIT.fullmatch(behind) else "")
    return _only_number(said) or said


def _only_number(text: str) -> str | None:
    """The number of a text that has one and no formula."""
    if text.count("$") > 1 or r"\(" in text or r"\[" in text:
        return None
    numbers = _NUMBER_IN_PROSE.findall(text)
    return numbers[0] if len(numbers) == 1 else None


_IS_UNIT = re.compile(r"%|\\%|[A-Za-z]{2,12}")
_NUMBER_IN_PROSE = re.compile(r"(?<![\w.,])[-$€£]?\d(?:[\d.,/]*\d)?\s*(?:%|°)?(?![\w])")
_IS_FORMULA = re.compile(r"[\\\w{}^_./*+()\[\]|,$€£%°²³ -]+")
_PLAIN_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}")


def _is_value(text: str) -> bool:
    """Whether a text can be a value: a formula, a number with a unit; no more than three words."""
    return (
        bool(_IS_FORMULA.fullmatch(text))
        and len(_PLAIN_WORD.findall(text)) <= 2
        and bool(re.search(r"\d|\\|^\W*\w\W*$", text))
    )


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    found = None
    for match in pattern.finditer(text):
        found = match
    return found


def _sentence(text: str) -> str:
    """The text up to the end of its first sentence; the point of a decimal ends none."""
    end = _ENDS_SENTENCE.search(text)
    return text[: end.start()] if end else text


def _content(match: re.Match[str]) -> str:
    return next(group for group in match.groups() if group is not None).strip()


def _closing(text: str) -> str | None:
    """The value in the last sentence; a short text by itself."""
    last = _PARAGRAPH.split(text)[-1].strip()
    if (
        len(text) <= _SHORT
        and not re.search(r"\$.*\$|\\[(\[]", text, re.DOTALL)
        and len(_PLAIN_WORD.findall(text)) <= 2
    ):
        prose = re.search(r"(?<![\\A-Za-z])[A-Za-z]{4,}\s*:", text)
        return (_only_number(text) if prose else None) or text
    display = _last(_DISPLAY, last)
    if display and last[display.end() :].strip(" ."):
        last = last[display.end() :].strip()
    elif display:
        return _content(display)
    sentence = _last_sentence(last)
    value = _value_of_sentence(sentence)
    return value if value != sentence or _is_value(value) else None


def _last_sentence(text: str) -> str:
    ends = [match.end() for match in _ENDS_SENTENCE.finditer(text)]
    starts = [0, *(end for end in ends if text[end:].strip())]
    return text[starts[-1] :].strip().rstrip(".!?").strip()
