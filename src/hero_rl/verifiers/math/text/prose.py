"""Answers that are stated in words: what follows "the answer is", or the value in which a text ends.

A number is the answer only if its sentence says so and nothing in it takes that back: not "the answer is not 7", not
"the square root of 7", and no question.
"""

from __future__ import annotations

import re

from hero_rl.verifiers.math.text.chinese import is_chinese, stated_in_chinese
from hero_rl.verifiers.math.text.equations import left_side
from hero_rl.verifiers.math.text.marks import unemphasised, unmarked, without_end_of_proof
from hero_rl.verifiers.math.text.rows import stated_by_rows
from hero_rl.verifiers.math.text.touching import unit_behind
from hero_rl.verifiers.math.tree.number_words import number_in_words
from hero_rl.verifiers.math.tree.units import CHANGES, is_plain_noun

__all__ = ["closing_answer", "corrected", "is_prose", "leading_value", "statement"]

_FORMULA = re.compile(
    r"\$\$(?P<a>[^$]+)\$\$|\\\[(?P<b>(?:[^\\]|\\(?![\[\]]))+)\\\]|(?<!\\)\$(?P<c>[^$\n]+)(?<!\\)\$"
    r"|\\\((?P<d>(?:[^\\\n]|\\(?![()]))+)\\\)"
)
_DISPLAY = re.compile(
    r"\$\$(?P<a>[^$]+)\$\$|\\\[(?P<b>(?:[^\\]|\\(?![\[\]]))+)\\\]"
    r"|\\begin\{(?:equation|align|gather|multline)\*?\}(?P<c>(?:[^\\]|\\(?!(?:begin|end)\b))+)\\end\{(?:equation|align|gather|multline)\*?\}"
)
_PARAGRAPH = re.compile(r"\n\s*\n")
_COPULA = re.compile(r"(?:\b(?:is|are|equals|becomes|be|it's)|=|:)\s+", re.IGNORECASE)
_ENDS_SENTENCE = re.compile(r"[.!?](?=\s|$)|\s?(?:です|である|だ|となります|になります|입니다|이다|है|হয়)?[。！？।]")
_NUMBER = re.compile(r"(?<![\w.,])(?<!\d[:/])[-−$€£]?\d(?:[\d.,/:]*\d)?\s*(?:%|°|[aApP]\.?\s?[mM]\b\.?)?(?![\w])")
_IS_UNIT = re.compile(r"%|\\%|[A-Za-z]{2,12}")
_IS_FORMULA = re.compile(r"[\\\w{}^_./*+()\[\]|,$€£%°²³ -]+")
_IS_RELATION = re.compile(_IS_FORMULA.pattern[:-2] + "=<>≤≥]+")
_PLAIN_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}")
_SHORT = 100
_LONGEST_TAIL = 40
_LONGEST_STATEMENT = 2000
_STOPS = ".!。！। "
_COPULA_BEHIND = re.compile(r"(?<=[\w$)}\]])\s?(?:です|である|だ|となります|になります|입니다|이다|है|হয়)$")
_BECAUSE = re.compile(r",?\s{1,4}(?:because|since)\s")
_QUOTED = re.compile(r"\\?[\"“']([^\"”'\n]+?)\\?[\"”'][.!]?$")
_TICKED = re.compile(r"(`{1,3})([^`\n]+)\1")

_TAKES_BACK = re.compile(
    r"\b(?:not|never|cannot|neither|nor|no|except|but|impossible|false|wrong|incorrect|suppose|supposing|assume|assuming"
    r"|unless|contradiction|guess|maybe|perhaps|(?:answer|value|result|it)\s+might|mistake\s+(?:gives|is|would)"
    r"|(?:must|should|can|we)\s+(?:exclude|eliminate|reject|rule\s+out)|is\s+(?:excluded|eliminated|rejected|ruled\s+out)"
    r"|(?:reals?|numbers?|values?|integers?)\s+excluding)\b|n't\b|\bcould be(?=\s+\S+$)",
    re.IGNORECASE,
)
_CHANGES = re.compile(
    r"\b(?:square|root|cube|squared|cubed|factorial|reciprocal|inverse|more|less|fewer|than|multiple|hundred|thousand|million|billion"
    r"|twice|double|triple|half|third|quarter|factor|power|negative|minus|plus|opposite|least|most|over|under|any|between"
    r"|times|or)s?\b",
    re.IGNORECASE,
)
_WE_GET = r"(?:(?:we|I)\s+(?:get|obtain|have|find)\s+(?:that\s+)?)?"
_IT_IS = r"(?:(?:it|that)['’]s\s+(?=[\d\\$-]))?"
_OPENING_WORD = re.compile(
    rf"^(?:(?:so|thus|hence|therefore|then|answer|ans)\b[\s,:]*|∴\s*)?{_WE_GET}{_IT_IS}", re.IGNORECASE
)
_JOINS_FORMULAS = re.compile(r"\s*(?:,|;|and|or|,\s*and|,\s*or)\s*")


def closing_answer(text: str) -> str | None:
    """The value in the last sentence; a short text by itself."""
    text = without_end_of_proof(_without_farewell(text[-_LONGEST_ENDING:]).strip())
    written = _PARAGRAPH.split(text)[-1].strip()
    last = unmarked(written)
    if _SUM_OF_MONEY.search(last):
        last = _MONEY.sub("", last)
    if is_chinese(last) and (said := stated_in_chinese(last)):
        return said
    if verdict := _VERDICT.fullmatch(last):
        return verdict[1]
    if chosen := _CHOSEN.search(last):
        return chosen["a"] or chosen["b"]
    if _is_bare(last):
        if "\n" in last and all("=" in line for line in last.splitlines()):
            return stated_by_rows(r"\\".join(last.splitlines()))
        prose = re.search(r"(?<![\\A-Za-z])[A-Za-z]{4,}\s*:", last)
        return (_only_number(last) if prose else None) or _OPENING_WORD.sub("", last).rstrip(_STOPS) or None
    display = _last(_DISPLAY, last)
    if display and last[display.end() :].strip(" ."):
        last = last[display.end() :].strip()
    elif display:
        return stated_by_rows(_content(display))
    hidden = _FORMULA.sub(lambda formula: "x" * len(formula.group()), last)  # a factorial ends no sentence
    ends = [match.end() for match in _ENDS_SENTENCE.finditer(hidden)]
    sentence = last[[0, *(end for end in ends if last[end:].strip())][-1] :].strip()
    return _value(sentence) or _with_reason(sentence.rpartition("\n")[2]) or _bold_words(written, sentence)


def _with_reason(sentence: str) -> str | None:
    """The value of a sentence that goes on with nothing but its reason."""
    stated, *reason = _BECAUSE.split(sentence, maxsplit=1)
    return _value(stated) if reason and not _CONCLUDES_WITH.search(reason[0]) else None


# Dollars that are no marks of a formula: "$40 + $24 = $64".
_MONEY = re.compile(r"(?<!\\)\$(?=\d)")
_SUM_OF_MONEY = re.compile(r"(?<![\\$])\$\d[\d,.]*[^$\n]{0,80}[-+*/×=]\s*\$\d")

# A short text that opens with its verdict, or says it of the statement; what else it says is for the rules to judge.
_VERDICT = re.compile(
    r"(?:(?:so|thus|hence|therefore)\b,?\s*)?((?:yes|no|true|false)\b[\s*]*[,.:;–—-]\s*[^\s\d$\\][^\n\d$\\]{0,300}"
    r"|(?:the|this|that|given)\s+(?:given\s+)?(?:statement|claim|assertion|proposition|conjecture)\s+is\s+(?:true|false)\.?)",
    re.IGNORECASE,
)
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
    return found[1] if found and not (_TAKES_BACK.search(sentence) or _DOUBTS.search(sentence)) else None


_DOUBTS = re.compile(r"\b(?:if|whether|unclear|hard|depends|could|may)\b", re.IGNORECASE)


def is_prose(text: str) -> bool:
    """Whether a text is words that may hold an answer, rather than an answer that may hold words."""
    words = _PLAIN_WORD.findall(_MARKED_WORDS.sub("", text))
    return len(words) > _FEW_WORDS or not _VERBS.isdisjoint(words) or bool(_PARAGRAPH.search(text))


_MARKED_WORDS = re.compile(r"\\[A-Za-z]+\s*\{[^{}]*\}|\\[A-Za-z]+")
_FEW_WORDS = 3
_VERBS = frozenset({"is", "are", "equals", "gives"})
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
    r"\b(?:wait|actually|oops|sorry|hmm+|correction|instead|hold\s+on|re-?check|should\s+be|guess|but|or|however|incorrect|wrong"
    r"|rather|second|could|might|maybe|perhaps)\b|(?<![\d.])2\.\s[A-Z]",
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
    words = _PLAIN_WORD.findall(value) if "$" not in value[1:] else []
    if _CONCLUDES_WITH.search(rest) or not _VERBS.isdisjoint(words) or _CHANGES.search(" ".join(words)):
        return None
    whole = _FORMULA.fullmatch(value)
    if whole and _STATES_MORE.match(_content(whole)):
        return None
    return _content(whole) if whole else value


# Who admits an error has another answer; "let me check" is no admission.
_ADMITS = re.compile(
    r"\b(?:oops|(?<!if )I\s+forgot|I\s+made\s+an?\s+(?:mistake|error)"
    r"|(?:that|this|it)(?:\s+is|'s)\s+(?:not\s+(?:correct|right)|wrong|incorrect))\b",
    re.IGNORECASE,
)
_CHECKS = re.compile(r"\b(?:check|verify|first\s+attempt)", re.IGNORECASE)
_OTHER_VALUE = re.compile(
    r"(?:^|[.!?,]\s+)(?:so\s+|thus\s+|therefore,?\s+|hence\s+)?(?:it's|it\s+is|it\s+should\s+be"
    r"|the\s+(?:(?:correct|right|actual)\s+)?(?:answer|result|total|sum|value)\s+(?:is|should\s+(?:be|have\s+been)))"
    r"\s+[\\(*$€£-]{0,4}\d[^\n]{0,40}$",
    re.IGNORECASE,
)


def corrected(behind: str) -> str | None:
    """The value with which a text ends that admits an error in the answer before it; None where it admits none."""
    behind = behind[-_LONGEST_ADMISSION:].rstrip()
    last = _PARAGRAPH.split(behind)[-1]
    if not _OTHER_VALUE.search(last) or not _ADMITS.search(behind) or _CHECKS.search(behind):
        return None
    return closing_answer(last)


_LONGEST_ADMISSION = 1000


def _is_bare(text: str) -> bool:
    """Whether a text is short, of two words at most, and holds no formula: an answer and nothing else."""
    return (
        len(text) <= _SHORT
        and len(words := _PLAIN_WORD.findall(text)) <= 2
        and _VERBS.isdisjoint(words)
        and not re.search(r"\$.*\$|\\[(\[]", text, re.DOTALL)
        and not _TAKES_BACK.search(text)
        and not text.endswith("?")
    )


_NAMED_CHOICE = re.compile(r"(?:[Oo]ption|[Cc]hoice|[Aa]lternative)\s+(\(?[A-J]\)?)\s*[.!]?\s*(?:\n|$)")


def statement(text: str) -> str | None:
    """The value of a text that begins where "the answer is" ends: up to the end of its sentence or formula."""
    text = unemphasised(text[:_LONGEST_STATEMENT]).strip()
    ticked = _TICKED.match(text)
    if ticked:
        return ticked[2].strip()
    if chosen := _NAMED_CHOICE.match(text):
        return chosen[1]
    formula = _FORMULA.match(text)
    if formula is None:
        line = text.split("\n", 1)[0]
        if quoted := _QUOTED.match(line):
            return quoted[1].strip(" .")
        line = _BECAUSE.split(line, maxsplit=1)[0]
        end = _ENDS_SENTENCE.search(line)
        return _value(line[: end.end()] if end else line)
    # A unit, or more of a list, may follow the formula in its sentence.
    line = text[formula.end() :].split("\n", 1)[0]
    end = _ENDS_SENTENCE.search(line)
    tail = _BECAUSE.split(line[: end.start()] if end else line, maxsplit=1)[0]
    tail = tail if tail.isascii() else _COPULA_BEHIND.sub("", "$" + tail)[1:]
    if (end and end.group() == "?") or _TAKES_BACK.search(tail):
        return None
    whole = text[: formula.end()] + (tail if len(tail) <= _LONGEST_TAIL else "")
    return whole.strip().rstrip(".\"'*_").strip().removesuffix("\\").strip()


def _value(sentence: str) -> str | None:
    """The value that a sentence states; the whole sentence if it is short."""
    if is_chinese(sentence):
        return stated_in_chinese(sentence)
    said = sentence.strip().rstrip(_STOPS).strip("*_ ")
    said = _ARTICLE.sub("", _CONCLUDES.sub("", said) or said)
    if not said.isascii():
        said = _COPULA_BEHIND.sub("", said)
    if said.endswith("?") or _UNFINISHED.search(sentence):
        return None
    if whole := _FORMULA.fullmatch(said):
        return _content(whole)
    is_short = len(said.split()) <= 3 and "=" not in said and _VERBS.isdisjoint(said.split())
    if is_short and not (_PLAIN_WORD.search(said) and _FORMULA.search(said)):
        return said if not _TAKES_BACK.search(said) and (_is_value(said) or len(said.split()) == 1) else None
    if not _PLAIN_WORD.search(said) and _IS_RELATION.fullmatch(said):
        return said
    copula, formulas = _last(_COPULA, said), list(_FORMULA.finditer(said))
    if copula and (not formulas or copula.start() >= formulas[-1].end()):
        value = _ARTICLE.sub("", said[copula.end() :].strip())
        behind_equals = copula.group().startswith("=")
        counted = _EQUALS_AND_WORDS.match(value) if behind_equals else None
        is_plain = counted is not None and counted["word"] in _BEHIND_A_RESULT
        result = counted[1] if counted and is_plain else value
        left = left_side(said[: copula.start()], result) if behind_equals else None
        if counted and not left and (is_plain or is_plain_noun(counted["word"])):
            takes_back = _TAKES_BACK.search(said) or _CHANGES.search(counted[2]) or _ON_THE_WAY.search(said)
            return None if takes_back else counted[1] + unit_behind(counted[2])
        if _is_value(value):
            if _SHARE.match(said, 0, copula.start()):
                return None
            label = None if left else _EXTREME.match(said, 0, copula.start())
            value = f"{left or (label and label[1])} = {value}" if left or label else value
            return None if _TAKES_BACK.search(_clause(said, copula.start())) else value
    if formulas:
        return _of_formulas(said, formulas)
    number = _only_number(said)
    if number is None:
        return None
    start = said.index(number)
    behind = said[start + len(number) :]
    around = _clause(said, start) + " " + _COUNTED.sub("", behind, count=1)
    if _GOES_ON.search(behind) or _ON_THE_WAY.search(said, 0, start):
        return None
    if _TAKES_BACK.search(around) or _CHANGES.search(around) or _is_part(said[:start], behind):
        return None
    if change := _CHANGE.match(behind):
        return f"{number} {change[1]}"
    change = _CHANGE_OF.search(said, 0, start)
    return (change[0] if change else "") + number + unit_behind(behind)


# A text that breaks off, by its last word, which no full stop follows.
_UNFINISHED = re.compile(r"\s(?:the|an|and|or|by|that|which|as|their|its|so|but|if)\s*$")
# What follows the number of a sentence and goes on with the calculation.
_GOES_ON = re.compile(r"\band\s+then\b|\bof\s+which\b", re.IGNORECASE)
# What stands before it and says that it is no result.
_ON_THE_WAY = re.compile(
    r"\b(?:multipl(?:y|ied|ies)|divid(?:e|ed|es))\b[^,;]{0,30}\bby\s*$|\bdepends\s+on\b", re.IGNORECASE
)
_CONCLUDES = re.compile(rf"^(?:(?:so|thus|hence|therefore|then)\b[\s,:]*)?{_WE_GET}{_IT_IS}", re.IGNORECASE)
# "4 more apples" and "4 times a day" count as they stand; "4 more than" and "4 times as many" do not.
_COUNTED = re.compile(
    r"^\s*(?:(?:more|fewer)\b(?!.*\bthan\b)|times(?=\s*$|\s+(?:in|per|a|each|every)\b))", re.IGNORECASE
)
_ARTICLE = re.compile(r"^(?:an?|the)\s+(?=[\d\\$])", re.IGNORECASE)
# A subject that is a share or a multiple of what is asked for; said of the double, a value is another answer.
_SHARE = re.compile(
    r"(?:the\s+)?(?:half|twice|double|triple|thrice|(?:a|one|two)[\s-](?:third|quarter|fourth)s?"
    r"|(?:\d+(?:\.\d+)?|two|three|four|five|six|seven|eight|nine|ten)\s+times)"
    r"\s+(?:of\s+)?(?:the|its|this|that|these|his|her|their|our)\b",
    re.IGNORECASE,
)
_CHANGE = re.compile(rf"\s*({'|'.join(sorted(CHANGES))})\b", re.IGNORECASE)
_CHANGE_OF = re.compile(rf"\b(?:{'|'.join(sorted(CHANGES))})\s+of\s+\\?$", re.IGNORECASE)


# A result, and what it counts: "= 64 for the glasses". One word may be its unit.
_EQUALS_AND_WORDS = re.compile(r"([-−]?\d[\d,]*(?:\.\d+)?)(\s+(?P<word>[a-z][a-z']*)(?:\s+[a-z][a-z']*){1,11})$")
_BEHIND_A_RESULT = frozenset({"for", "per", "every", "each", "in", "altogether"})
# Which of two ends a value is; said of the other end, it is another answer.
_END_OF_RANGE = r"[^\n]*\b((?:max|min)(?:imum)?)(?:\s+value)?(?:\s+of\s[^.,;:\n]{1,40}?)?"
_EXTREME = re.compile(rf"{_END_OF_RANGE}\s*$", re.IGNORECASE)
_EXTREME_BEFORE = re.compile(rf"{_END_OF_RANGE}\s*(?:is|equals|=|:)[\s$]*$", re.IGNORECASE)
_OPERATES_BEFORE = re.compile(r"[<>≤≥≠^*/+×÷±√]\s*$")
_OPERATES_BEHIND = re.compile(
    r"\s*[<>≤≥≠^*/+×÷±√!]|['′″\"]|\s*\\(?!text|mathrm|mbox|q?quad|circ)[A-Za-z]|\s*(?:past|noon|midnight|o'clock)\b"
)
_OPENING_QUOTES = frozenset("\"'")


def _is_part(before: str, behind: str) -> bool:
    """Whether signs at a number make another value of it: `> 5`, `5^2`, `12!`, `60'`."""
    is_quoted = before[-1:] in _OPENING_QUOTES and behind[:1] == before[-1:]
    return bool(_OPERATES_BEFORE.search(before) or (not is_quoted and _OPERATES_BEHIND.match(behind)))


def _of_formulas(said: str, formulas: list[re.Match[str]]) -> str | None:
    """The last formula of a sentence, with those before it that "and", "or" or a comma join to it."""
    first = len(formulas) - 1
    while first and _JOINS_FORMULAS.fullmatch(said[formulas[first - 1].end() : formulas[first].start()]):
        first -= 1
    behind = said[formulas[-1].end() :].strip()
    before = _clause(said, formulas[first].start())
    if _TAKES_BACK.search(before + " " + behind) or _CHANGES.search(before):
        return None
    if first < len(formulas) - 1:
        return ", ".join(_content(formula) for formula in formulas[first:])
    extreme = _EXTREME_BEFORE.match(before)
    label = f"{extreme[1]} = " if extreme and not _NAMES_VALUE.search(_content(formulas[-1])) else ""
    return label + _content(formulas[-1]) + (" " + behind if _IS_UNIT.fullmatch(behind) else "")


_NAMES_VALUE = re.compile(r"[=<>]|\\(?:[lg]eq?|approx|in)(?![A-Za-z])")


def _clause(said: str, end: int) -> str:
    """The words before a place, back to the number or formula before it."""
    before = said[:end]
    starts = [match.end() for pattern in (_NUMBER, _FORMULA) for match in pattern.finditer(before)]
    return before[max(starts, default=0) :]


def _only_number(text: str) -> str | None:
    """The number of a text that has one and no formula."""
    if text.count("$") > 1 or r"\(" in text or r"\[" in text:
        return None
    numbers = _NUMBER.findall(text)
    return numbers[0] if len(numbers) == 1 and not _LISTED.search(numbers[0]) else None


_LISTED = re.compile(r",\d*,(?!\d{3}(?!\d))|^[^,]*,(?!\d{3}(?!\d))\d*,")  # two commas part no decimals


def _is_value(text: str) -> bool:
    """Whether a text can be a value: a formula, a number with a unit; no more than two words."""
    if text.replace("-", " ").replace(" ", "").isalpha():
        return number_in_words(text.lower().replace("-", " ").split()) is not None or len(text.strip(" -")) == 1
    return (
        bool(_IS_FORMULA.fullmatch(text))
        and len(words := _PLAIN_WORD.findall(text)) <= 2
        and _VERBS.isdisjoint(words)
        and bool(re.search(r"\d|\\|^\W*\w\W*$", text))
    )


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    found = None
    for match in pattern.finditer(text):
        found = match
    return found


def _content(match: re.Match[str]) -> str:
    return next(group for group in match.groups() if group is not None).strip()
