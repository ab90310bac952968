r"""Where a text announces its answer: a label, a heading, a JSON field, a table's cell, "the answer is ...".

    >>> last_announcement("**Respuesta final:** $5$")
    Announcement(content='$5$', is_said=False, is_final=False, noun='respuesta')

The last announcement is looked for from the end backwards, so the length of what stands before costs nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

from hero_rl.verifiers.math.text.doubts import HEDGES, INTERRUPTS, SUPPOSES, WRONG

__all__ = ["Announcement", "last_announcement"]


class Announcement(NamedTuple):
    """What an announcement announces.

    Attributes:
        content: the text that holds the answer; None where the announcement is taken back ("if the answer is 7").
        is_said: whether it goes on in a sentence ("the answer is ..."), rather than stand by itself behind a label.
        is_final: whether it speaks of the final or correct answer.
        noun: the word for "answer", in lower case.
    """

    content: str | None
    is_said: bool
    is_final: bool = False
    noun: str = ""


# The word for "answer" as benchmarks in other languages and models write it, all in lower case.
_HASHES = "####"
_ENGLISH = ("answer", "solution", "result", "ans", "ans.", "conclusion", _HASHES)
_LATIN_NOUNS = (
    "respuesta|reponse|antwort|ergebnis|resposta|risposta|antwoord|jawaban|cevap|jibu|vastaus|svar|odpov|odpowied"
)
_OTHER_NOUNS = (
    "réponse|lösung|yanıt|đáp án|đáp số|câu trả lời|válasz|răspuns|odpověď|odpowiedź|ответ|відповідь|отговор"
    "|答案|答え|解答|回答|答|结果|結果|정답|답|الإجابة|الجواب|پاسخ|उत्तर|উত্তর|คำตอบ|సమాధానం|பதில்|απάντηση|תשובה"
)
_LATIN, _OTHERS = tuple(_LATIN_NOUNS.split("|")), tuple(_OTHER_NOUNS.split("|"))
_MOST_TRIED = 200
_ENDING = 2000  # characters at the end that are searched for the words of other languages

_MARKS = r"[\s*_`\"'”)\]}】」]{0,20}"
_BEHIND_SIGN = r"[\s*_}]{0,20}"
_OF_WHAT = (
    r"(?:\s{0,4}\([^()\n]{0,40}\)|\s{1,4}(?:to|for|of|in)\s{1,4}(?:the\s{1,4}|this\s{1,4}|our\s{1,4})?"
    r"(?:\w{1,20}\s{1,4}){0,2}\w{1,20}(?:\s{1,4}\(\w\))?)?"
)
_SAYS = (
    r"(?:is|are|will\s{1,4}be|would\s{1,4}be|should\s{1,4}be|must\s{1,4}be|equals|est|es|é|è|ist|lautet|beträgt|adalah|ialah|là"
    r"|jest|je|är|er|on|ni|to|este)\b|[是为為はおは은는이가]|है|হল|হলো|คือ|هي|هو"
)
_LABELS = r"[:：=|→⇒]|-{1,2}>"
_DASH = r"[-–—](?=\s)"  # behind a colon it is a minus sign
_ANNOUNCES = re.compile(
    rf"(?P<suffix>\w{{0,6}}?)(?:\s{{1,4}}(?:finale?|correct[ae]?|akhir))?{_OF_WHAT}{_MARKS}"
    rf"(?P<sign>(?:{_SAYS}|{_LABELS}|{_DASH}){_BEHIND_SIGN}(?:(?:{_SAYS}|{_LABELS}){_BEHIND_SIGN}){{0,2}})"
    r"(?:(?:that|given\s{1,4}by|therefore|thus|hence|then|simply|exactly|indeed|clearly|equal\s{1,4}to|as\s{1,4}follows)"
    r"\s{1,4}){0,2}:?",
    re.IGNORECASE,
)
_ENDS_IN_LABEL = re.compile(rf"(?:{_LABELS}|{_DASH}){_BEHIND_SIGN}$")
_ONLY_LABELLED = frozenset({"result", "ans", "conclusion", "结果", "結果", "答", "답", "svar", "ergebnis"})
_ONCE_MORE = re.compile(r"(?:the\s{1,4})?(?:final\s{1,4})?answer\s{1,4}is\s{0,4}:?\s{0,4}", re.IGNORECASE)
_FINAL_BEFORE = re.compile(r"(?:\b(?:final|correct)|最终|最終的な|최종|finale?)[\s_*-]{0,4}$", re.IGNORECASE)

_BEFORE_HEADING = re.compile(
    r"(?:^|\n)[ \t>#*_\-–\d.`|\[(【✅\\{}A-Z]{0,24}"
    r"(?:(?:the|my|our|so|thus|final|correct|boxed|exact|numerical|short)\b[\s_]{0,3}){0,3}$"
    r"|(?:^|\n)[\s>#*_]{0,12}(?:最终|最終|最終的な|최종)\s?$",
    re.IGNORECASE,
)
_HEADING = re.compile(r"\w{0,6}[ \t*_#`:：】\])}]{0,12}(?=\n|$)")
_NEXT_HEADING = re.compile(r"\n#{1,6}\s|\n-{3,}\s*(?:\n|$)|\n\*{3,}\s*(?:\n|$)")

_KEY_BEFORE = re.compile(r"[\"'](?:[A-Za-z]{1,10}[_ -]?){0,2}$")
_KEY_AFTER = re.compile(r"[\w -]{0,12}[\"']\s{0,20}:\s{0,20}")
_OTHER_KEY = re.compile(r"[\"'](?:wrong|incorrect|false|previous|old|other|alternative|bad)[_ -]?$", re.IGNORECASE)
_JSON_TEXT = re.compile(r"\"((?:[^\"\\]|\\.)*)\"|'((?:[^'\\]|\\.)*)'", re.DOTALL)
_JSON_LIST = re.compile(r"\[([^\[\]]*)\]")
_JSON_OTHER = re.compile(r"[^,{}\n\"']+")

_RULE_OF_TABLE = re.compile(r"\|?[ \t:|-]{3,}\|?[ \t]*")
_CELL_AFTER = re.compile(r"[^|\n]{0,30}\|")

_ENDS_SENTENCE = re.compile(r"[.!?](?=\s|$)|[。！？।]")
_SUPPOSES = re.compile(rf"\b(?:{SUPPOSES}|{HEDGES}|not|cannot|never)\b|n't\b", re.IGNORECASE)
_WRONG_BEFORE = re.compile(rf"\b(?:{WRONG}|false|mistaken)\s{{1,4}}$", re.IGNORECASE)
_DENIED = re.compile("[不非没未]")
_IF_BEFORE = re.compile(r"\bif\s+(?:the\s+)?(?:final\s+|correct\s+)?$", re.IGNORECASE)
_DISAGREES = re.compile(
    r"(?:[^\n.]|\.(?=\d)){0,60}[.;,]\s{1,4}(?:but\s|however,?\s)?(?:I\s{1,4}disagree|(?:that|this|it|which)(?:\s{1,4}(?:is|was)|'s)\s{1,4}(?:wrong|incorrect|false))\b",
    re.IGNORECASE,
)
_TAKES_BACK = re.compile(rf"\b(?:no|not|{INTERRUPTS}|{WRONG})\b", re.IGNORECASE)
_BEFORE = 400
_MOST_CANDIDATES = 50


def last_announcement(text: str) -> Announcement | None:
    """The last announcement in a text; None where there is none."""
    for start, noun in _nouns_backwards(text):
        if _OTHER_KEY.search(text, max(0, start - 30), start):
            continue
        found = _json(text, start, noun) or _cell(text, start, noun) or _sentence(text, start, noun)
        found = found or _heading(text, start, noun)
        if found is not None:
            return found._replace(noun=noun)
    return None


def _nouns_backwards(text: str) -> Iterator[tuple[int, str]]:
    """Where the text speaks of an answer, the last place first."""
    lower = text.lower()
    if len(lower) != len(text):  # some capitals have two small letters
        lower = text
    ending = max(0, len(text) - _ENDING)
    others = _LATIN if lower.isascii() else (*_LATIN, *_OTHERS)
    starts = {**dict.fromkeys(_ENGLISH, 0), **dict.fromkeys(others, ending)}
    places = {noun: at for noun, start in starts.items() if (at := lower.rfind(noun, start)) >= 0}
    for _ in range(_MOST_TRIED):
        if not places:
            return
        noun = max(places, key=lambda each: (places[each], len(each)))
        at = places[noun]
        if not (noun[0].isascii() and text[at - 1 : at].isalpha() and at) and not text[at - 1 : at + 5].startswith(
            "\\ans"
        ):
            yield at, noun
        places[noun] = lower.rfind(noun, starts[noun], at)
        if places[noun] < 0:
            del places[noun]


def _json(text: str, start: int, noun: str) -> Announcement | None:
    """The value of a field of JSON, or of a Python dictionary."""
    key = _KEY_AFTER.match(text, start + len(noun))
    if key is None or not _KEY_BEFORE.search(text, max(0, start - 30), start):
        return None
    value = text[key.end() :]
    if many := _JSON_LIST.match(value):
        items = [_unescaped(one or other) for one, other in _JSON_TEXT.findall(many[1])]
        return Announcement(", ".join(items) or many[1], is_said=False, is_final=True)
    if said := _JSON_TEXT.match(value):
        return Announcement(_unescaped(said[1] or said[2] or ""), is_said=False, is_final=True)
    other = _JSON_OTHER.match(value)
    return Announcement(other.group().strip(), is_said=False, is_final=True) if other else None


def _unescaped(said: str) -> str:
    """The text of a JSON string; one whose backslashes were not doubled is LaTeX as it stands."""
    if re.search(r"(?<!\\)(?:\\\\)*\\(?!u[0-9a-fA-F]{4})[A-Za-z]{2}", said):
        return said
    try:
        return json.loads(f'"{said}"', strict=False)
    except ValueError:
        return said


def _cell(text: str, start: int, noun: str) -> Announcement | None:
    """The cell beside a table's label, or the last one below it where the label heads a column."""
    row = text.rfind("\n", 0, start) + 1
    label = _CELL_AFTER.match(text, start + len(noun))
    if label is None or not text[row:start].lstrip(" \t>").startswith("|"):
        return None
    lines = text[row:].split("\n")
    if len(lines) > 1 and _RULE_OF_TABLE.fullmatch(lines[1]) and "-" in lines[1]:
        column = text[row:start].count("|")
        body = [line for line in lines[2:] if line.lstrip().startswith("|")]
        cells = [cell for line in body for cell in _cells(line)[column : column + 1] if cell.strip()]
        below = cells if noun == "answer" else cells[-1:]  # of steps the last result, of answers all
        return Announcement(", ".join(map(str.strip, below)), is_said=False) if below else None
    value = text[label.end() :].split("\n", 1)[0].rstrip().removesuffix("|").strip()
    return Announcement(value, is_said=False, is_final=True) if value else None


def _cells(row: str) -> list[str]:
    """The cells of a table's row; a bar in a formula parts none."""
    hidden = _FORMULA.sub(lambda formula: formula.group().replace("|", "\0"), row)
    return [cell.replace("\0", "|") for cell in hidden.split("|")]


_FORMULA = re.compile(r"(?<!\\)\$[^$\n]+\$|`[^`\n]+`")


def _sentence(text: str, start: int, noun: str) -> Announcement | None:
    """A label, or a sentence, that the answer follows."""
    end, label = start + len(noun), noun in (_HASHES, "ans.")
    if noun == _HASHES and not _states(text, start, end):
        return None
    if not label:
        announces = _ANNOUNCES.match(text, end)
        if announces is None or (noun in _ENGLISH and announces["suffix"] not in ("", "s")):
            return None
        if _DENIED.search(announces["suffix"]):
            return Announcement(None, is_said=True)
        end = announces.end()
        label = bool(_ENDS_IN_LABEL.search(announces["sign"]))
    is_final = noun == _HASHES or bool(_FINAL_BEFORE.search(text, max(0, start - 20), start))
    if not label and noun in _ONLY_LABELLED and not is_final:
        return None
    before = text[max(0, start - _BEFORE) : start]
    ends = [match.end() for match in _ENDS_SENTENCE.finditer(before)]
    clause = before[ends[-1] if ends else 0 :].rpartition("\n")[2]
    is_refused = _WRONG_BEFORE.search(before) or _DISAGREES.match(text, end)
    if _SUPPOSES.search(clause) or _IF_BEFORE.search(before) or is_refused:
        return Announcement(None, is_said=True, is_final=is_final)
    if again := _ONCE_MORE.match(text, _behind_marks(text, end)):
        end, label = again.end(), label or again.group().rstrip().endswith(":")
    content = text[_behind_marks(text, end) :]
    if text[start - 1 : start] == "(":
        content = _IN_BRACKETS.sub(r"\1", content, count=1)
    if not label:
        return Announcement(_closed(content), is_said=True, is_final=is_final)
    candidates = _label_lines_above(text, start, end)
    if candidates:
        return Announcement(", ".join([*candidates, content.split("\n", 1)[0]]), is_said=False, is_final=is_final)
    return Announcement(_closed(_block(content)), is_said=False, is_final=is_final)


def _states(text: str, start: int, end: int) -> bool:
    """Whether four hashes are those of GSM8K's answers, rather than of a heading with a text below."""
    if text[start - 1 : start].strip() or text[end : end + 1] == "#":
        return False
    line, _, below = text[end:].partition("\n")
    return not (line.strip()[:1].isalpha() and below.strip())


_IN_BRACKETS = re.compile(r"\A([^\n]*)\)")


_LEADING = re.compile(r"(?:[\s*_}]|\\(?=[\"']))*")
_CLOSING = re.compile(r"(?<![\s*_])(\*{1,3}|_{1,3})(?=[\s.,;:!?)]|$)")
_OPENING = re.compile(r"(?<![\w*_)}^\\])(?:\*{1,3}|_{1,3})(?=[^\s*_])")


def _closed(content: str) -> str:
    """Without the end of the emphasis that began before it, as of `**Answer: 5**`."""
    line, newline, rest = content.partition("\n")
    closing = _CLOSING.search(line)
    opening = _OPENING.search(line)
    if closing is None or (opening and opening.start() < closing.start()):
        return content
    return line[: closing.start()] + line[closing.end() :] + newline + rest


def _behind_marks(text: str, position: int) -> int:
    match = _LEADING.match(text, position)
    return match.end() if match else position


_FENCED = re.compile(r"(`{3,6})[^\n`]*\n.*?\n?[ \t]*\1", re.DOTALL)
_DISPLAYED = re.compile(
    r"\$\$[^$]+\$\$[^\n]*|\\\[(?:[^\\]|\\(?!\]))+\\\][^\n]*|\\begin\{(\w+\*?)\}.*?\\end\{\1\}[^\n]*", re.DOTALL
)


_BULLET = re.compile(r"^[ \t]*(?:[-*•]|\d{1,2}[.)])[ \t]+")
_BULLETS = re.compile(r"(?:[ \t]*(?:[-*•]|\d{1,2}[.)])[ \t]+\S[^\n]*(?:\n|$)){2,20}")
# What is no statement is a remark below the answer.
_PLAIN_VALUE = re.compile(r"\$?[-−]?\d[\d.,/]{0,20}\$?")
_NAMES_VALUE = re.compile(r"[\s*$\\(]*(?:\\[a-z]+|[A-Z]{2,3}|[A-Za-z])(?:_\{?\w+\}?)?(?:\([a-z]\))?\s*=\s*[^=\s]")


def _block(content: str) -> str:
    """What a label labels: a block of code, a displayed formula, or the rest of its line."""
    block = _FENCED.match(content) or _DISPLAYED.match(content)
    if block is None and (bullets := _BULLETS.match(content)):
        lines = [_BULLET.sub("", line).strip().rstrip(".;,") for line in bullets.group().splitlines()]
        if all(_NAMES_VALUE.match(line) or _PLAIN_VALUE.fullmatch(line) for line in lines):
            return ", ".join(lines)
    return block.group() if block else content.split("\n", 1)[0]


def _label_lines_above(text: str, start: int, end: int) -> list[str]:
    """What the lines right above say behind the very same label: several candidates, unless one takes another back."""
    line = text.rfind("\n", 0, start) + 1
    label, found = text[line:end].strip(), []
    while line > 0 and label and len(found) < _MOST_CANDIDATES:
        above = text.rfind("\n", 0, line - 1) + 1
        said = text[above : line - 1].strip()
        if not said.startswith(label) or _TAKES_BACK.search(said):
            break
        found.append(said.removeprefix(label).strip(" *"))
        line = above
    return found[::-1]


def _heading(text: str, start: int, noun: str) -> Announcement | None:
    """The section under a heading."""
    heading = _HEADING.match(text, start + len(noun))
    if heading is None or not _BEFORE_HEADING.search(text, max(0, start - 60), start):
        return None
    section = text[heading.end() :]
    following = _NEXT_HEADING.search(section)
    section = (section[: following.start()] if following else section).strip()
    return Announcement(section, is_said=False, is_final=True) if section else None
