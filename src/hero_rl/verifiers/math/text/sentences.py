"""What one sentence states: "the answer is $5$", "so we get 12 cm", "7".

A number is the answer only if its sentence says so and nothing in it takes that back: not "the answer is not 7", not
"the square root of 7", and no question.
"""

from __future__ import annotations

import re

from hero_rl.verifiers.math.text.chinese import is_chinese, stated_in_chinese
from hero_rl.verifiers.math.text.doubts import TAKES_BACK
from hero_rl.verifiers.math.text.equations import left_side
from hero_rl.verifiers.math.text.marks import unemphasised
from hero_rl.verifiers.math.text.touching import sign_behind, unit_behind
from hero_rl.verifiers.math.tree.number_words import number_in_words
from hero_rl.verifiers.math.tree.units import CHANGES, is_plain_noun

__all__ = [
    "BECAUSE",
    "CHANGES_VALUE",
    "ENDS_SENTENCE",
    "FORMULA",
    "OPENING_WORD",
    "PLAIN_WORD",
    "STOPS",
    "VERBS",
    "content",
    "last_match",
    "only_number",
    "statement",
    "value_of",
]

FORMULA = re.compile(
    r"\$\$(?P<a>[^$]+)\$\$|\\\[(?P<b>(?:[^\\]|\\(?![\[\]]))+)\\\]|(?<!\\)\$(?P<c>[^$\n]+)(?<!\\)\$"
    r"|\\\((?P<d>(?:[^\\\n]|\\(?![()]))+)\\\)"
)
PLAIN_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}")
VERBS = frozenset({"is", "are", "equals", "gives"})
STOPS = ".!。！। "
ENDS_SENTENCE = re.compile(r"[.!?](?=\s|$)|\s?(?:です|である|だ|となります|になります|입니다|이다|है|হয়)?[。！？।]")
BECAUSE = re.compile(r",?\s{1,4}(?:because|since)\s")
# Words that make another value of the number in their sentence.
CHANGES_VALUE = re.compile(
    r"\b(?:square|root|cube|squared|cubed|factorial|reciprocal|inverse|more|less|fewer|than|multiple|hundred|thousand|million|billion"
    r"|twice|double|triple|half|third|quarter|factor|power|negative|minus|plus|opposite|least|most|over|under|any|between"
    r"|times|or)s?\b",
    re.IGNORECASE,
)
_WE_GET = r"(?:(?:we|I)\s+(?:get|obtain|have|find)\s+(?:that\s+)?)?"
_IT_IS = r"(?:(?:it|that)['’]s\s+(?=[\d\\$-]))?"
OPENING_WORD = re.compile(
    rf"^(?:(?:so|thus|hence|therefore|then|answer|ans)\b[\s,:]*|∴\s*)?{_WE_GET}{_IT_IS}", re.IGNORECASE
)


# ---- What follows "the answer is"

_NAMED_CHOICE = re.compile(r"(?:[Oo]ption|[Cc]hoice|[Aa]lternative)\s+(\(?[A-J]\)?)\s*[.!]?\s*(?:\n|$)")
_QUOTED = re.compile(r"\\?[\"“']([^\"”'\n]+?)\\?[\"”'][.!]?$")
_TICKED = re.compile(r"(`{1,3})([^`\n]+)\1")
_LONGEST_TAIL = 40
_LONGEST_STATEMENT = 2000
_COPULA_BEHIND = re.compile(r"(?<=[\w$)}\]])\s?(?:です|である|だ|となります|になります|입니다|이다|है|হয়)$")


def statement(text: str) -> str | None:
    """The value of a text that begins where "the answer is" ends: up to the end of its sentence or formula."""
    text = unemphasised(text[:_LONGEST_STATEMENT]).strip()
    if ticked := _TICKED.match(text):
        return ticked[2].strip()
    if chosen := _NAMED_CHOICE.match(text):
        return chosen[1]
    formula = FORMULA.match(text)
    if formula is None:
        line = text.split("\n", 1)[0]
        if quoted := _QUOTED.match(line):
            return quoted[1].strip(" .")
        line = BECAUSE.split(line, maxsplit=1)[0]
        end = ENDS_SENTENCE.search(line)
        return value_of(line[: end.end()] if end else line)
    # A unit, or more of a list, may follow the formula in its sentence.
    line = text[formula.end() :].split("\n", 1)[0]
    end = ENDS_SENTENCE.search(line)
    tail = BECAUSE.split(line[: end.start()] if end else line, maxsplit=1)[0]
    tail = tail if tail.isascii() else _COPULA_BEHIND.sub("", "$" + tail)[1:]
    tail = without_condition("0" + _SPACES.sub(" ", tail))[1:]  # behind the formula, which is the value
    if (end and end.group() == "?") or TAKES_BACK.search(tail):
        return None
    whole = text[: formula.end()] + (tail if len(tail) <= _LONGEST_TAIL else "")
    return whole.strip().rstrip(".\"'*_").strip().removesuffix("\\").strip()


# ---- A sentence

_CONCLUDES = re.compile(rf"^(?:(?:so|thus|hence|therefore|then)\b[\s,:]*)?{_WE_GET}{_IT_IS}", re.IGNORECASE)
_ARTICLE = re.compile(r"^(?:an?|the)\s+(?=[\d\\$])", re.IGNORECASE)
# A text that breaks off, by its last word, which no full stop follows.
_UNFINISHED = re.compile(r"\s(?:the|an|and|or|by|that|which|as|their|its|so|but|if)\s*$")
# What sets a value, or says what is still to do, in place of a result.
_SETS_OUT = re.compile(
    r"(?![^\n]*\b(?:so|thus|hence|therefore|answer)\b)"
    r"(?:(?:next|let|let's|set(?=\s+\S{1,4}\s*=)|try|take|choose|recall|so\s+far|for\s+example|for\s+instance"
    r"|we\s+are\s+given)\b|[^\n]*\bto\s+(?:consider|check|try|examine)$)",
    re.IGNORECASE,
)
_SPACES = re.compile(r"[^\S\n]+")
_NOTHING = ""
"""What a reader of a form says of a sentence that has the form and states no value: others need not try."""


def value_of(sentence: str) -> str | None:
    """The value that a sentence states; the whole sentence if it is short."""
    if is_chinese(sentence):
        return stated_in_chinese(sentence)
    said = _SPACES.sub(" ", sentence.strip().rstrip(STOPS)).strip("*_ ")
    said = without_condition(_ARTICLE.sub("", _CONCLUDES.sub("", said) or said))
    if not said.isascii():
        said = _COPULA_BEHIND.sub("", said)
    if said.endswith("?") or _UNFINISHED.search(sentence) or _SETS_OUT.match(said):
        return None
    for form in (_listed, _all_of_it, _behind_copula, _formulas_in, _number_in):
        value = form(said)
        if value is not None:
            return value or None
    return None


# Where a value is taken, said right behind it: "42, which occurs when x = 3", "$42$ at $x=3$".
_NO_UNIT = r"(?!(?:is|has|are|does|attained|achieved|reached|obtained|occurring|which|with|when|where|at|for)\b)"
_VALUE_SAID = (
    r"(?:\$[^$\n]+\$|\\\((?:[^\\\n]|\\(?![()]))+\\\)"
    rf"|[-−]?\d+(?:[.,/]\d+)*(?:\s{_NO_UNIT}[A-Za-z]{{1,12}})?)"
)
_TAKEN = (
    r"(?:attained|achieved|reached|obtained|occurring|which\s(?:occurs|happens|is\s(?:attained|achieved|reached)))\s"
)
_CONDITION = re.compile(
    rf"(?P<stated>(?:[^\n]*(?:\b(?:is|are|be|equals|get|answer)|[=:])\s)?{_VALUE_SAID}),?\s(?:{_TAKEN})?(?:with\sequality\s)?"
    r"(?:when|where|at|for)\s(?:\$|\\\()?\s?\(?[A-Za-z](?:_\{?\w+\}?)?\s?(?:=|≥|≤|>|<|\\[lg]eq?|\\in)\s?[^=<>≤≥,;\n]{1,40}"
)


def without_condition(said: str) -> str:
    """Without where the value that is stated is taken; all of it where there is none, or more than one."""
    found = _CONDITION.fullmatch(said)
    if found is None or re.search(r"\b(?:when|where|if|only)\b", found["stated"]):
        return said
    return found["stated"].rstrip(",")


_NAME_AND_VALUE = r"[A-Za-z](?:_\{?\w+\}?)?\s?=\s?[^\s=,;][^=,;\n]{0,30}?"
_NAMED_VALUES = re.compile(
    rf"(?:^|[\s:])(?P<list>(?:{_NAME_AND_VALUE}(?:,(?:\s(?:and|or))?|;|\s(?:and|or))\s)+{_NAME_AND_VALUE})$"
)


def _listed(said: str) -> str | None:
    """Several named values of a sentence without formulas: "x = 2 and x = 3"."""
    named = None if FORMULA.search(said) else _NAMED_VALUES.search(said)
    if named is None:
        return None
    return _NOTHING if TAKES_BACK.search(said[: named.start()]) else re.sub(r",?\s+and\s+", ", ", named["list"])


def _all_of_it(said: str) -> str | None:
    """A sentence that is a formula, three words at most, or a relation."""
    if whole := FORMULA.fullmatch(said):
        return content(whole)
    words = said.split()
    is_short = len(words) <= 3 and "=" not in said and VERBS.isdisjoint(words)
    if said.lower() == "no":
        return said  # a verdict, which takes nothing back
    if is_short and not (PLAIN_WORD.search(said) and FORMULA.search(said)):
        return said if not TAKES_BACK.search(said) and (_is_value(said) or len(words) == 1) else _NOTHING
    return said if not PLAIN_WORD.search(said) and _IS_RELATION.fullmatch(said) else None


_COPULA = re.compile(r"(?:\b(?:is|are|equals|becomes|be|it's)|=|:)\s+", re.IGNORECASE)
# A result, and what it counts: "= 64 for the glasses". One word may be its unit.
_EQUALS_AND_WORDS = re.compile(r"([-−]?\d[\d,]*(?:\.\d+)?)(\s+(?P<word>[a-z][a-z']*)(?:\s+[a-z][a-z']*){1,11})$")
_BEHIND_A_RESULT = frozenset({"for", "per", "every", "each", "in", "altogether"})
# A subject that is a share or a multiple of what is asked for; said of the double, a value is another answer.
_SHARE = re.compile(
    r"(?:the\s+)?(?:half|twice|double|triple|thrice|(?:a|one|two)[\s-](?:third|quarter|fourth)s?"
    r"|(?:\d+(?:\.\d+)?|two|three|four|five|six|seven|eight|nine|ten)\s+times)"
    r"\s+(?:of\s+)?(?:the|its|this|that|these|his|her|their|our)\b",
    re.IGNORECASE,
)
# Which of two ends a value is; said of the other end, it is another answer.
_END_OF_RANGE = r"[^\n]*\b((?:max|min)(?:imum)?)(?:\s+value)?(?:\s+of\s[^.,;:\n]{1,40}?)?"
_EXTREME = re.compile(rf"{_END_OF_RANGE}\s*$", re.IGNORECASE)


def _behind_copula(said: str) -> str | None:
    """The value behind the last "is", "=" or colon, with what stands before it where that names the value."""
    copula, formula = last_match(_COPULA, said), last_match(FORMULA, said)
    if copula is None or (formula and copula.start() < formula.end()):
        return None
    value = _ARTICLE.sub("", said[copula.end() :].strip())
    left = None
    if copula.group().startswith("="):
        counted = _EQUALS_AND_WORDS.match(value)
        is_plain = counted is not None and counted["word"] in _BEHIND_A_RESULT
        left = left_side(said[: copula.start()], counted[1] if counted and is_plain else value)
        if counted and not left and (is_plain or is_plain_noun(counted["word"])):
            takes_back = TAKES_BACK.search(said) or CHANGES_VALUE.search(counted[2]) or _ON_THE_WAY.search(said)
            return _NOTHING if takes_back else counted[1] + unit_behind(counted[2])
    if not _is_value(value):
        return None
    if _SHARE.match(said, 0, copula.start()) or TAKES_BACK.search(_clause(said, copula.start())):
        return _NOTHING
    extreme = None if left else _EXTREME.match(said, 0, copula.start())
    return f"{left or (extreme and extreme[1])} = {value}" if left or extreme else value


_JOINS_FORMULAS = re.compile(r"\s*(?:,|;|and|or|,\s*and|,\s*or)\s*")
_IS_UNIT = re.compile(r"%|\\%|[A-Za-z]{2,12}")
_EXTREME_BEFORE = re.compile(rf"{_END_OF_RANGE}\s*(?:is|equals|=|:)[\s$]*$", re.IGNORECASE)
_NAMES_VALUE = re.compile(r"[=<>]|\\(?:[lg]eq?|approx|in)(?![A-Za-z])")


def _formulas_in(said: str) -> str | None:
    """The last formula, with those before it that "and", "or" or a comma join to it."""
    formulas = list(FORMULA.finditer(said))
    if not formulas:
        return None
    first = len(formulas) - 1
    while first and _JOINS_FORMULAS.fullmatch(said[formulas[first - 1].end() : formulas[first].start()]):
        first -= 1
    behind = said[formulas[-1].end() :].strip()
    before = _clause(said, formulas[first].start())
    if TAKES_BACK.search(before + " " + behind) or CHANGES_VALUE.search(before):
        return _NOTHING
    if first < len(formulas) - 1:
        return ", ".join(content(formula) for formula in formulas[first:])
    last = content(formulas[-1])
    extreme = None if _NAMES_VALUE.search(last) else _EXTREME_BEFORE.match(before)
    label = f"{extreme[1]} = " if extreme else ""
    return label + last + (" " + behind if _IS_UNIT.fullmatch(behind) else "")


# What follows a number and goes on with the calculation.
_GOES_ON = re.compile(r"\band\s+then\b|\bof\s+which\b", re.IGNORECASE)
# What stands before it and says that it is no result.
_ON_THE_WAY = re.compile(
    r"\b(?:multipl(?:y|ied|ies)|divid(?:e|ed|es))\b[^,;]{0,30}\bby\s*$|\bdepends\s+on\b", re.IGNORECASE
)
# "4 more apples" and "4 times a day" count as they stand; "4 more than" and "4 times as many" do not.
_COUNTED = re.compile(
    r"^\s*(?:(?:more|fewer)\b(?!.*\bthan\b)|times(?=\s*$|\s+(?:in|per|a|each|every)\b))", re.IGNORECASE
)
_CHANGE = re.compile(rf"\s*({'|'.join(sorted(CHANGES))})\b", re.IGNORECASE)
_CHANGE_OF = re.compile(rf"\b(?:{'|'.join(sorted(CHANGES))})\s+of\s+\\?$", re.IGNORECASE)


def _number_in(said: str) -> str | None:
    """The only number, with the unit behind it and the words that change its value."""
    number = only_number(said)
    if number is None:
        return None
    start = said.index(number)
    before, behind = said[:start], said[start + len(number) :]
    around = _clause(said, start) + " " + _COUNTED.sub("", behind, count=1)
    if _GOES_ON.search(behind) or _ON_THE_WAY.search(before) or _is_part(before, behind):
        return None
    if TAKES_BACK.search(around) or CHANGES_VALUE.search(around):
        return None
    if change := _CHANGE.match(behind):
        return f"{number} {change[1]}"
    change = _CHANGE_OF.search(before)
    return (change[0] if change else "") + number + (sign_behind(behind) or unit_behind(behind))


_OPERATES_BEFORE = re.compile(r"[<>≤≥≠^*/+×÷±√]\s*$")
_OPERATES_BEHIND = re.compile(
    r"\s*[<>≤≥≠^*/+×÷±√!]|['′″\"]|\s*\\(?!text|mathrm|mbox|q?quad|circ)[A-Za-z]|\s*(?:past|noon|midnight|o'clock)\b"
)
_OPENING_QUOTES = frozenset("\"'")


def _is_part(before: str, behind: str) -> bool:
    """Whether signs at a number make another value of it: `> 5`, `5^2`, `12!`, `60'`."""
    is_quoted = before[-1:] in _OPENING_QUOTES and behind[:1] == before[-1:]
    return bool(_OPERATES_BEFORE.search(before) or (not is_quoted and _OPERATES_BEHIND.match(behind)))


# ---- Its parts

_NUMBER = re.compile(r"(?<![\w.,])(?<!\d[:/])[-−$€£]?\d(?:[\d.,/:]*\d)?\s*(?:%|°|[aApP]\.?\s?[mM]\b\.?)?(?![\w])")
_LISTED = re.compile(r",\d*,(?!\d{3}(?!\d))|^[^,]*,(?!\d{3}(?!\d))\d*,")  # two commas part no decimals


def only_number(text: str) -> str | None:
    """The number of a text that has one and no formula."""
    if text.count("$") > 1 or r"\(" in text or r"\[" in text:
        return None
    numbers = _NUMBER.findall(text)
    return numbers[0] if len(numbers) == 1 and not _LISTED.search(numbers[0]) else None


def _clause(said: str, end: int) -> str:
    """The words before a place, back to the number or formula before it."""
    before = said[:end]
    starts = [match.end() for pattern in (_NUMBER, FORMULA) for match in pattern.finditer(before)]
    return before[max(starts, default=0) :]


_IS_FORMULA = re.compile(r"[\\\w{}^_./*+()\[\]|,$€£%°²³ -]+")
_IS_RELATION = re.compile(_IS_FORMULA.pattern[:-2] + "=<>≤≥]+")


def _is_value(text: str) -> bool:
    """Whether a text can be a value: a formula, a number with a unit; no more than two words."""
    if text.replace("-", " ").replace(" ", "").isalpha():
        return number_in_words(text.lower().replace("-", " ").split()) is not None or len(text.strip(" -")) == 1
    return (
        bool(_IS_FORMULA.fullmatch(text))
        and len(words := PLAIN_WORD.findall(text)) <= 2
        and VERBS.isdisjoint(words)
        and bool(re.search(r"\d|\\|^\W*\w\W*$", text))
    )


def last_match(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    """The last place where a pattern matches."""
    found = None
    for match in pattern.finditer(text):
        found = match
    return found


def content(formula: re.Match[str]) -> str:
    """What a formula's delimiters hold."""
    return next(group for group in formula.groups() if group is not None).strip()
