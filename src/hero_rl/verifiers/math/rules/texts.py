"""Answers that are words or letters of choices, compared as texts."""

from __future__ import annotations

import re
from typing import NamedTuple

from hero_rl.verifiers.math.text.spelling import gist, words_only

__all__ = ["denies_another", "is_choice", "is_predicate", "read_choice", "same_choices", "same_prose", "same_verdict"]


def same_prose(expected: str, said: str) -> bool:
    """Whether both are the same words; other capitals only where no unit or number is among them.

    Safe: signs count as they stand, and so does every word but an article.
    """
    if _phrased(words_only(expected)) != _phrased(words_only(said)) or not words_only(said):
        return False
    if not _is_prose(expected) and words_only(expected) != "no":
        return False
    if _NO_SIGN.sub("", expected) != _NO_SIGN.sub("", said):
        return False  # 36 dollars and 36% of a dollar
    return not re.search(r"\d", expected) or words_only(expected, fold=False) == words_only(said, fold=False)


_VERDICTS = frozenset({"yes", "no", "true", "false"})
_VERDICT = re.compile(
    r"(?P<verdict>yes|no|true|false)\s*(?P<joint>[,;:.]|-|\bsince\b|\bbecause\b)\s*(?P<rest>\S.*)",
    re.IGNORECASE | re.DOTALL,
)
_HEDGES = re.compile(
    r"\b(?:yes|no|true|false|but|if|unless|or|maybe|perhaps|possibly|except|however|only|when|sometimes|wrong)\b",
    re.IGNORECASE,
)
_DENIES = re.compile(r"\b(?:not|never|cannot|none|neither|impossible)\b|n't\b", re.IGNORECASE)


def same_verdict(expected: str, said: str) -> bool:
    """Whether an answer opens with the reference's yes, no, true or false and says why: "Yes, it is possible".

    Safe: no other verdict, condition or doubt may follow; what denies may not follow yes and true, and must follow
    "no,".
    """
    verdict = words_only(expected)
    if verdict not in _VERDICTS:
        return False
    match = _VERDICT.fullmatch(_MARKED.sub(" ", said).strip(" {}"))
    if match is None or match["verdict"].lower() != verdict or _HEDGES.search(match["rest"]):
        return False
    denies = bool(_DENIES.search(match["rest"]))
    return denies or match["joint"] != "," if verdict in ("no", "false") else not denies


_MARKED = re.compile(r"\\(?:text|math)[a-z]*\s*\{|[{}]")
_SAME_STATEMENTS = (
    ("does not exist", "dne", "doesnt exist", "doesn t exist"),
    ("diverges", "divergent", "is divergent", "it diverges", "it is divergent"),
    ("converges", "convergent", "is convergent", "it converges", "it is convergent"),
    ("impossible", "not possible", "it is impossible", "it is not possible"),
    ("cannot be determined", "it cannot be determined", "not enough information", "there is not enough information"),
    ("undefined", "not defined", "is undefined", "is not defined"),
)
_PHRASES = {phrase: phrases[0] for phrases in _SAME_STATEMENTS for phrase in phrases}
_OF_ALL = re.compile(r"^(?:set of all|set of|all|every) (?=\w+ ?\w* ?(?:numbers|integers|primes|squares|cubes)$)")


def _phrased(words: str) -> str:
    """One wording for statements that have several; without "all" before what is a set by itself.

    Safe: each of the wordings says the same of the same thing, and a set is all of its members.
    """
    words = gist(words)
    return _PHRASES.get(words) or _OF_ALL.sub("", words)


_NONE_OF = re.compile(r"(?:there (?:is|are) )?no (?P<kind>\w+) (?:solutions?|roots?|numbers?|zeros?)(?: exists?)?")


def denies_another(expected: str, said: str) -> bool:
    """Whether both say that there are none, of two different kinds: no real solutions, no integer solutions."""
    one, other = (_NONE_OF.fullmatch(gist(words_only(text))) for text in (expected, said))
    return one is not None and other is not None and one["kind"] != other["kind"] and "such" not in (one[1], other[1])


_NO_SIGN = re.compile(r"\\text\w*|[A-Za-z\s.,;:\"'{}-]")
_CHOICE = re.compile(r"(?:\\text\w*\s*\{)?\s*\(?([A-J])\)?\s*\}?")
_CALLED_CHOICE = re.compile(
    r"^\s*(?:\\text\w*\s*\{)?\s*(?:option|choice|answer|alternative)\s*:?\s*(?=\(?[A-J](?![A-Za-z]))", re.IGNORECASE
)
_BRACED_LETTER = re.compile(r"^\{\s*(\([A-J]\)|[A-J][).])\s*\}\s*")
_CHOSEN = re.compile(
    r"(?:\\(?:text|math)\w*\s*\{)?\s*(?:(?:option|choice)\s+)?\(?([A-J])[).:](?:\s*\}\s*|\s+)[\w\\$(.-].*",
    re.IGNORECASE | re.DOTALL,
)


def is_choice(expected: str, said: str) -> bool:
    """Whether the answer is the reference's letter, in lower case or with what stands behind it: `(B) 5`.

    Safe: no other choice may be named.
    """
    said = _CALLED_CHOICE.sub("", said)
    letter, chosen, alone = _CHOICE.fullmatch(expected), _CHOSEN.fullmatch(said), _CHOICE.fullmatch(said)
    if letter is not None and alone is not None and letter[1] == alone[1]:
        return True
    if letter is not None and letter[1] != "C" and said.strip("().") == letter[1].lower():
        return True  # "a" is a way to write choice A; C and c may be two constants
    if letter is None or chosen is None or letter[1] != chosen[1]:
        return False
    names_others = len(re.findall(r"(?<![A-Za-z\\])[A-J](?![A-Za-z])", said)) > 1
    return not names_others and not re.search(r"\b(?:or|and|not|no|wrong|false|incorrect)\b|=", said, re.IGNORECASE)


_UNPLAIN = re.compile(r"\b(?:no|none|neither|nor|not|never|false|or|and|if|unless|only|nobody|nothing)\b")
_COPULAS = (" is ", " are ")


def is_predicate(said: str, expected: str) -> bool:
    """Whether an answer in words is what a reference says of its subject: "odd" beside "the function f is odd".

    Safe: it must be the whole of what follows the reference's only "is", so that "odd" is not "not odd", and nothing
    in the reference may deny it or set a condition.
    """
    words, sentence = words_only(said), words_only(expected)
    if not words or not _is_prose(said) or _UNPLAIN.search(sentence):
        return False
    if sum(sentence.count(copula) for copula in _COPULAS) != 1:
        return False
    predicates = {sentence.rpartition(copula)[2] for copula in _COPULAS if copula in sentence}
    return words in predicates


def _is_prose(text: str) -> bool:
    words, rest = re.sub(r"\\text\w*", "", text), re.sub(r"\\text\{[^{}]*\}", "", text)
    return bool(re.search(r"[A-Za-z]{3,}", words)) and not re.search(r"[\\^_=<>{}+*/]", rest)


_LETTERS = re.compile(r"(?:\\text\w*|\band\b|[\s,;.(){}$])*")


def same_choices(expected: str, said: str) -> bool:
    """Whether both are the same two or more letters of choices: `A, B, D` and `ABD`.

    Safe: nothing but letters, commas, brackets and "and" stands on either side, and no letter may be missing.
    """
    if (romans := _romans(expected)) and romans == _romans(said):
        return True
    one, other = (_LETTERS.sub("", text) for text in (expected, said))
    plain = all(re.fullmatch(r"[A-J]{2,10}", letters) for letters in (one, other))
    return plain and sorted(one) == sorted(other) and len(set(one)) == len(one)


_IN_TEXT = re.compile(r"\\(?:text\w*|mathrm)\s*\{([^{}]*)\}")
_SMALL = r"(?:i{1,3}|iv|vi{0,3})"
_NUMERAL = rf"(?:{_SMALL.upper()}|\((?:{_SMALL.upper()}|{_SMALL})\))"
_ROMAN_LIST = re.compile(rf"(?:only )?(?P<list>{_NUMERAL}(?:(?: ?, ?(?:and )?| and ){_NUMERAL}){{1,5}})(?: only)?")


def _romans(text: str) -> tuple[str, ...]:
    """The numerals of `I and III only` in order; nothing where a text is no list of them, or leaves a choice.

    Safe: they are capitals, or each has brackets of its own, so that no interval and no pair of letters is such a list.
    """
    match = _ROMAN_LIST.fullmatch(" ".join(_IN_TEXT.sub(r"\1", text).split()))
    return tuple(sorted(re.findall("[iv]+", match["list"].lower()))) if match else ()


class LetteredChoice(NamedTuple):
    """A choice's letter, and its text where one stands behind it."""

    letter: str
    text: str


_LETTERED = re.compile(
    r"\\(?:text\w*|math\w*)\s*\{\s*(?:\((?P<a>[A-J])\)|(?P<b>[A-J])[).])\s*\}\s*(?P<ab>.*)"
    r"|(?P<open>\\text\w*\s*\{\s*)?(?:\((?P<c>[A-J])\)|(?P<d>[A-J])[).])\s+(?P<cd>\S.*)"
    r"|(?:\\text\w*\s*\{)?\s*\(?(?P<e>[A-J])\)?\s*\}?",
    re.DOTALL,
)


def read_choice(text: str) -> LetteredChoice | None:
    """`(B) 12`, `B) 12`, `B. Alina` or a letter alone; None for anything else.

    Safe: the letter must be marked as one, so B = 12 and 12B are none.
    """
    match = _LETTERED.fullmatch(_BRACED_LETTER.sub(r"\1 ", text))
    if match is None:
        return None
    letter = next(found for name in "abcde" if (found := match[name]))
    said = (match["ab"] or match["cd"] or "").strip()
    if match["open"]:
        said = match["open"] + said
    return LetteredChoice(letter, "" if said.startswith("=") else said)
