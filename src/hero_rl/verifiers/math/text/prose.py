"""The value in which a text of words ends, or with which it begins: its last sentence, a verdict, a correction."""

from __future__ import annotations

import re

from hero_rl.verifiers.math.text.chinese import is_chinese, stated_in_chinese
from hero_rl.verifiers.math.text.doubts import HEDGES, INTERRUPTS, TAKES_BACK, WRONG
from hero_rl.verifiers.math.text.marks import unmarked, without_end_of_proof
from hero_rl.verifiers.math.text.rows import stated_by_rows
from hero_rl.verifiers.math.text.sentences import (
    BECAUSE,
    CHANGES_VALUE,
    ENDS_SENTENCE,
    FORMULA,
    OPENING_WORD,
    PLAIN_WORD,
    STOPS,
    VERBS,
    content,
    last_match,
    only_number,
    value_of,
)

__all__ = ["closing_answer", "corrected", "is_prose", "leading_value"]

_DISPLAY = re.compile(
    r"\$\$(?P<a>[^$]+)\$\$|\\\[(?P<b>(?:[^\\]|\\(?![\[\]]))+)\\\]"
    r"|\\begin\{(?:equation|align|gather|multline)\*?\}(?P<c>(?:[^\\]|\\(?!(?:begin|end)\b))+)\\end\{(?:equation|align|gather|multline)\*?\}"
)
_PARAGRAPH = re.compile(r"\n\s*\n")
_SHORT = 100


def closing_answer(text: str) -> str | None:
    """The value in the last sentence; a short text by itself."""
    text = without_end_of_proof(_without_farewell(text[-_LONGEST_ENDING:]).strip())
    written = _PARAGRAPH.split(text)[-1].strip()
    last = unmarked(written)
    if _SUM_OF_MONEY.search(last):
        last = _MONEY.sub("", last)
    if is_chinese(last) and (said := stated_in_chinese(last)):
        return said
    if verdict := _VERDICT.fullmatch(last) or _BARE_VERDICT.fullmatch(last):
        return verdict[1]
    if chosen := _CHOSEN.search(last):
        return chosen["a"] or chosen["b"]
    if _is_bare(last):
        if "\n" in last and all("=" in line for line in last.splitlines()):
            return stated_by_rows(r"\\".join(last.splitlines()))
        prose = re.search(r"(?<![\\A-Za-z])[A-Za-z]{4,}\s*:", last)
        return (only_number(last) if prose else None) or OPENING_WORD.sub("", last).rstrip(STOPS) or None
    display = last_match(_DISPLAY, last)
    if display and last[display.end() :].strip(" ."):
        last = last[display.end() :].strip()
    elif display:
        return stated_by_rows(content(display))
    hidden = FORMULA.sub(lambda formula: "x" * len(formula.group()), last)  # a factorial ends no sentence
    ends = [match.end() for match in ENDS_SENTENCE.finditer(hidden)]
    sentence = last[[0, *(end for end in ends if last[end:].strip())][-1] :].strip()
    return value_of(sentence) or _with_reason(sentence.rpartition("\n")[2]) or _bold_words(written, sentence)


def _with_reason(sentence: str) -> str | None:
    """The value of a sentence that goes on with nothing but its reason."""
    stated, *reason = BECAUSE.split(sentence, maxsplit=1)
    return value_of(stated) if reason and not _CONCLUDES_WITH.search(reason[0]) else None


# Dollars that are no marks of a formula: "$40 + $24 = $64".
_MONEY = re.compile(r"(?<!\\)\$(?=\d)")
_SUM_OF_MONEY = re.compile(r"(?<![\\$])\$\d[\d,.]*[^$\n]{0,80}[-+*/×=]\s*\$\d")

# A short text that opens with its verdict, or says it of the statement; what else it says is for the rules to judge.
_VERDICT = re.compile(
    r"(?:(?:so|thus|hence|therefore)\b,?\s*)?((?:yes|no|true|false)\b[\s*]*[,.:;–—-]\s*[^\s\d$\\][^\n\d$\\]{0,300}"
    r"|(?:the|this|that|given)\s+(?:given\s+)?(?:statement|claim|assertion|proposition|conjecture)\s+is\s+(?:true|false)\.?)",
    re.IGNORECASE,
)
_BARE_VERDICT = re.compile(r"(?:(?:so|thus|hence|therefore)\b,?\s*)?(yes|no)[.!]?", re.IGNORECASE)
# The whole of the last sentence: what stands before it may deny it, doubt it or set a condition.
_CHOSEN = re.compile(
    r"(?:^|(?<=[.!?]\s)|(?<=\n))(?:(?:[Ss]o|[Tt]hus|[Hh]ence|[Tt]herefore)\b,?\s*)?(?:[Tt]he\s+)?(?:"
    r"(?:[Oo]ption|[Cc]hoice|[Aa]lternative)\s+(?P<a>\(?[A-J]\)?)\s+is\s+(?:the\s+)?(?:correct|right)(?:\s+(?:one|answer|option|choice))?"
    r"|(?:correct|right)\s+(?:option|choice|alternative)\s+is:?\s+(?P<b>\(?[A-J]\)?(?:[.:)]?\s[^\n]{1,60}?)?))\.?$"
)
_BOLD_WORDS = re.compile(
    r"\b(?:is|are|be|was)\s+(?:an?\s+|the\s+|on\s+)?\*\*([A-Za-z]+(?:[ -][A-Za-z]+){0,3})[.!]?\*\*[.!]?$"
)


def _bold_words(written: str, sentence: str) -> str | None:
    """The words in bold behind the last "is" of a text: "the function is **even**".

    Safe: nothing in their sentence may take them back, and words are compared as they stand.
    """
    found = _BOLD_WORDS.search(written[-_SHORT:])
    return found[1] if found and not (TAKES_BACK.search(sentence) or _DOUBTS.search(sentence)) else None


_DOUBTS = re.compile(r"\b(?:if|whether|unclear|hard|depends|could|may)\b", re.IGNORECASE)


def is_prose(text: str) -> bool:
    """Whether a text is words that may hold an answer, rather than an answer that may hold words."""
    words = PLAIN_WORD.findall(_MARKED_WORDS.sub("", text))
    return len(words) > _FEW_WORDS or not VERBS.isdisjoint(words) or bool(_PARAGRAPH.search(text))


_MARKED_WORDS = re.compile(r"\\[A-Za-z]+\s*\{[^{}]*\}|\\[A-Za-z]+")
_FEW_WORDS = 3
_LONGEST_ENDING = 4000


def _without_farewell(text: str) -> str:
    """Without the polite sentences that may follow an answer."""
    head, text = text[:-_LONGEST_FAREWELL], text[-_LONGEST_FAREWELL:]
    for _ in range(_MOST_FAREWELLS):
        shorter = _FAREWELL.sub("", text, count=1)
        if shorter == text:
            break
        text = shorter
    return head + text


_MOST_FAREWELLS = 3
_LONGEST_FAREWELL = 400
_FAREWELL = re.compile(
    r"(?:(?<=[.!?\n*$)\]}`])|^)\s{0,20}[*_]{0,3}(?:I hope (?:it|this|that)|Hope (?:this|that)|Let me know|Please let"
    r"|Feel free|If you (?:have|need|want|would)|Happy to|Thank|Would you like|Do you (?:want|need|have)"
    r"|Is there anything|This (?:completes|concludes))\b[^\n]{0,200}\s*$"
)


# A value, and a remark on it in a sentence of its own, or a reason.
_LEADS = re.compile(
    r"(?P<value>\$[^$\n]+\$|\\\((?:[^\\\n]|\\(?![()]))+\\\)"
    r"|[-−]?[$€£]?\s?[-−]?\d[\d,]*(?:[./:]\d+)?(?:\s?[%°]|\s[A-Za-z]{3,12}(?:\s[A-Za-z]{3,12})?)?|\(?[A-J]\)?(?=\.\s+[Oo]ptions?\b))"
    r"(?:\.\s+(?!(?:And|Or|But|Also|Then)\b)(?=[A-Z][a-z])|,?\s+(?:because|since)\s)"
)
_SECOND = re.compile(
    rf"\b(?:{INTERRUPTS}|{WRONG}|{HEDGES}|correction|instead|re-?check|should\s+be|but|or|however|rather|second|could|might)\b"
    r"|(?<![\d.])2\.\s[A-Z]",
    re.IGNORECASE,
)
_CONCLUDES_WITH = re.compile(
    r"\b(?:so|thus|hence|therefore|total\s+is|in\s+total|gives|to\s+get|we\s+(?:get|have|obtain)|left)\b[^.]{0,60}\d",
    re.IGNORECASE,
)
_STATES_MORE = re.compile(r"[^\s=][^=]*[^\w\s=)}'][^=]*=")  # a left side with more than a name


def leading_value(line: str) -> str | None:
    """The value with which a line begins that goes on to speak of it; None where it ends in another one."""
    found = _LEADS.match(line)
    if found is None or "\n" in line.strip():
        return None
    rest, value = line[found.end() :], found["value"]
    if _SECOND.search(rest) and not value.strip("()").isalpha():
        return None
    words = PLAIN_WORD.findall(value) if "$" not in value[1:] else []
    if _CONCLUDES_WITH.search(rest) or not VERBS.isdisjoint(words) or CHANGES_VALUE.search(" ".join(words)):
        return None
    whole = FORMULA.fullmatch(value)
    if whole and _STATES_MORE.match(content(whole)):
        return None
    return content(whole) if whole else value


# Who admits an error has another answer; "let me check" is no admission.
_ADMITS = re.compile(
    r"(?:^|[.!?\n]\s*|\bno,?\s+)(?:wait|sorry|correction)\b(?=\s*[,.!:–—-])"
    r"|\b(?:oops|(?<!if )(?:I|we)\s+forgot|(?:I|we)\s+made\s+an?\s+(?:mistake|error)"
    rf"|(?:that|this|it)(?:\s+is|'s)\s+(?:not\s+(?:correct|right)|{WRONG}))\b",
    re.IGNORECASE,
)
_CHECKS = re.compile(r"\b(?:check|verify|first\s+attempt|if\s+I\s+had|yes)\b", re.IGNORECASE)
_OTHER_VALUE = re.compile(
    r"(?:^|[.!?,]\s+)(?:(?:so|thus|therefore,?|hence)\s+)?(?:it's|it\s+is|it\s+should\s+be|correction:"
    r"|the\s+(?:(?:correct|right|actual)\s+)?(?:answer|result|total|sum|value|count|number)\s+(?:is|should\s+(?:be|have\s+been)))"
    r"\s+[\\(*$€£-]{0,4}\d[^\n]{0,40}$",
    re.IGNORECASE,
)


def corrected(behind: str) -> str | None:
    """The value with which a text ends that admits an error in the answer before it; None where it admits none."""
    behind = behind[-_LONGEST_ADMISSION:].rstrip()
    last = _PARAGRAPH.split(behind)[-1]
    if not _OTHER_VALUE.search(last) or not _ADMITS.search(behind) or _CHECKS.search(behind):
        return None
    return closing_answer(_INTERRUPTED.sub("", last))


_INTERRUPTED = re.compile(rf"^\W*(?:(?:no|oh|correction|{INTERRUPTS})\b[\s,.:!–—-]*){{1,3}}", re.IGNORECASE)
_LONGEST_ADMISSION = 1000


def _is_bare(text: str) -> bool:
    """Whether a text is short, of two words at most, and holds no formula: an answer and nothing else."""
    return (
        len(text) <= _SHORT
        and len(words := PLAIN_WORD.findall(text)) <= 2
        and VERBS.isdisjoint(words)
        and not re.search(r"\$.*\$|\\[(\[]", text, re.DOTALL)
        and not TAKES_BACK.search(text)
        and not text.endswith("?")
    )
