"""Texts as trees: each text respelled and read once, in every reading that its commas allow."""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

from hero_rl.verifiers.math.references import repaired
from hero_rl.verifiers.math.rules.comparison import compare
from hero_rl.verifiers.math.rules.matching import Strictness
from hero_rl.verifiers.math.text.parts import PART_LABELS, parts_of
from hero_rl.verifiers.math.text.spelling import respell
from hero_rl.verifiers.math.tree.formulas import Node, Number, Relation, Sequence, Words
from hero_rl.verifiers.math.tree.parser import parse
from hero_rl.verifiers.math.tree.tokens import Unreadable
from hero_rl.verifiers.math.values.evaluation import TooLarge

__all__ = ["is_computable", "plain_number", "readings", "reads", "respelled"]

_CACHED = 4096
_LONGEST_KEPT = 256  # characters


@lru_cache(maxsize=_CACHED)
def respelled(answer: str) -> str:
    """An answer in the one spelling."""
    return respell(repaired(answer))


def _reading(text: str, thousands: bool) -> Node | None:
    # A long text makes a tree of up to a quarter of a megabyte, and is hardly ever seen again: it is not kept.
    return (_kept if len(text) <= _LONGEST_KEPT else _read)(text, thousands)


def _read(text: str, thousands: bool) -> Node | None:
    if _SPACED_THOUSANDS.fullmatch(text):
        text = text.replace(" ", "")  # as `plain_number` has it, or 12 345 would be a number beside some answers only
    try:
        if parts := parts_of(text):
            labelled = zip(PART_LABELS, parts, strict=False)
            items = (Relation((Words(label), parse(part, thousands)), ("=",)) for label, part in labelled)
            return Sequence("list", tuple(items))
        return parse(text, thousands)
    except (Unreadable, RecursionError):
        return None


_kept = lru_cache(maxsize=_CACHED)(_read)


def readings(expected: str, said: str) -> list[tuple[Node, Node]]:
    """Both texts read; twice where a comma between digits may part thousands or items."""
    if _reading(expected, True) is None:
        expected = _last_statement(expected)
    if "=" not in expected:
        said = _named_quantity(said)
    if _reading(said, True) is None:
        said = _named_by_operator(said)
    found = []
    # A reference that is one number with its thousands parted is no list.
    ambiguous = ("," in expected or "," in said) and not _PLAIN_NUMBER.fullmatch(expected)
    for thousands in (True, False) if ambiguous else (True,):
        one, other = _reading(expected, thousands), _reading(said, thousands)
        if one is not None and other is not None:
            found.append((one, other))
    comma = _decimal_commas(expected, said)
    return [*found, comma] if comma else found


_LABELLED_ENDING = re.compile(r"=\s*(?P<statement>[A-Za-z](?:_\{?\w+\}?)?\s*=\s*[^=<>]+)$")


def _last_statement(reference: str) -> str:
    """`x = 0` at the end of a reference that derives it in signs that cannot be read, or the value that these name.

    Safe: a reference is trusted, and what it ends with is its statement; an answer is never read like that.
    """
    match = _LABELLED_ENDING.search(reference)
    if match:
        return match["statement"]
    named = _NAMED_VALUE.fullmatch(reference)
    return named["value"] if named and not _SEVERAL.search(reference) else reference


_OPERATOR = re.compile(
    r"(?:(?P<long>\\(?:int|iint|oint|lim|sum|prod)(?![A-Za-z]))|\\(?:det|dim|deg|ker)(?![A-Za-z])|\\?#"
    r"|\\(?:operatorname|mathrm|text) ?\{ ?(?:det|rank|dim|tr|Var|E) ?\})"
    r"(?P<of>[^=<>+]{0,200})=(?P<value>[^=<>]+)"
)
# One thing: a name, maybe with an index and what is in brackets behind it, or brackets or a matrix by themselves.
_ARGUMENT = re.compile(
    r" ?(?:_ ?\{?\w+\}? ?)?(?:\\ker ?)?(?:\\?[A-Za-z]+(?: ?\{[^{}]*\})?'*(?: ?_ ?\{?\w+\}?)?)?"
    r" ?(?:\([^()]*(?:\([^()]*\)[^()]*){0,5}\)|\[[^\[\]]*\]|\\?\{[^{}]*\})? ?"
    r"| ?\\begin ?\{(?P<name>\w+)\}(?:[^\\]|\\(?!(?:begin|end)\b))*\\end ?\{(?P=name)\} ?"
)
_LESS_OUTSIDE = re.compile(r"\{[^{}]*\}|\([^()]*\)")
_GOES_FURTHER = re.compile(
    r"[-/*!]|\\(?:cdot|times|div|int|iint|oint|lim|sum|prod|det|dim|deg|ker|operatorname)(?![A-Za-z])"
    r"|d ?[a-z] ?(?!d ?[a-z])\S"
)


def _named_by_operator(said: str) -> str:
    r"""The value of `\det A = 5` or `\int_0^1 f(x)\,dx = 5`, whose left side cannot be read; else the text as it is.

    Safe: the left side is one integral, limit or the like and nothing beside it, so that it names what is asked; of two
    terms, a multiple or a power the value would be another one's.
    """
    match = _OPERATOR.fullmatch(said)
    if match is None or _SEVERAL.search(match["value"]):
        return said
    if match["long"]:
        outside = _LESS_OUTSIDE.sub("", _LESS_OUTSIDE.sub("", match["of"])).replace("-\\infty", "").replace("^-", "")
        is_one = not _GOES_FURTHER.search(outside)
    else:
        is_one = _ARGUMENT.fullmatch(match["of"]) is not None
    return match["value"].strip() if is_one else said


_NAME = r"\\(?:mathbb|mathrm|mathbf|operatorname|text) ?\{ ?(?:Pr?|E|Var|Cov|SD|lcm|LCM|gcd|GCD|HCF) ?\}|Pr?|E|Var|Cov"
_INSIDE = r"[^()\[\]]{0,100}(?:\([^()]{0,50}\)[^()\[\]]{0,100}){0,3}"
_VECTOR = r"\\(?:vec|overrightarrow|mathbf|boldsymbol|overline) ?\{ ?[A-Za-z]{1,2} ?\}"
_MEASURE = r"\\(?:text|mathrm|operatorname) ?\{ ?(?:[Aa]rea|[Pp]erimeter|[Vv]olume|[Ll]ength)(?: of)? ?\}"
_POINTS = r"(?:\\triangle ?)?[A-Z]{1,8}"
_QUANTITY = re.compile(
    rf"(?:(?:{_NAME}) ?(?:\({_INSIDE}\)|\[{_INSIDE}\])|(?:\\\||\|) ?{_VECTOR} ?(?:\\\||\|)|\\\| ?[A-Za-z] ?\\\|"
    rf"|{_MEASURE} ?(?:\( ?{_POINTS} ?\)|{_POINTS})) ?= ?(?P<value>[^<>]+)"
)


def _named_quantity(said: str) -> str:
    r"""The value of `P(A|B) = 1/3`, `\text{lcm}(12,18) = 36`, `\|v\| = 5`; else the text as it is.

    Safe: the left side is one quantity by its usual name and nothing beside it, so that it names what is asked; where
    the reference has a label too, the two are compared instead.
    """
    match = _QUANTITY.fullmatch(said)
    return said if match is None or _SEVERAL.search(match["value"]) else match["value"].strip()


_NAMED_VALUE = re.compile(r"[^=<>,;]{1,200}=\s*(?P<value>[^=<>]+)")
_SEVERAL = re.compile(r"\b(?:and|or)\b|\\\\|\\begin")


def reads(reference: str) -> bool:
    """Whether a reference can be read in any way."""
    texts = (reference, _last_statement(reference))
    return any(_reading(text, thousands) is not None for text in texts for thousands in (True, False))


def is_computable(reference: str) -> bool:
    """Whether the reference itself is small enough to be worked out."""
    node = _reading(reference, True)
    try:
        if node is not None:
            compare(node, Number(Fraction(1, 7)), Strictness())
    except TooLarge:
        return False
    return True


_COMMA_DECIMAL = re.compile(r"-?\d+,\d{2,}")
_POINT_DECIMAL = re.compile(r"-?\d+\.\d+")


def _decimal_commas(expected: str, said: str) -> tuple[Node, Node] | None:
    """A number with a decimal comma beside the same digits with a point.

    Safe: two or more digits behind the comma, no space, and the other side is a decimal; no list looks like that
    beside a decimal of the very same digits.
    """
    for one, other in ((expected, said), (said, expected)):
        if _COMMA_DECIMAL.fullmatch(one) and _POINT_DECIMAL.fullmatch(other) and one.replace(",", ".") == other:
            same = parse(other)
            return same, same
    return None


_PLAIN_NUMBER = re.compile(
    r"(?P<sign>-?)\s*(?P<number>\d{1,400}(?:\.\d{1,400})?|\.\d{1,400}|[1-9]\d{0,2}(?:,\d{3}){1,100}(?:\.\d{1,400})?)"
)
_SPACED_THOUSANDS = re.compile(r"\d{1,3}(?: \d{3}){1,100}")
_PLAIN_FRACTION = re.compile(
    r"(?P<sign>-?)\s*(?:\\frac\s*\{\s*(?P<minus>-?)(?P<top>\d{1,400})\s*\}\s*\{\s*(?P<bottom>\d{1,400})\s*\}|(?P<over>\d{1,400})\s*/\s*(?P<under>\d{1,400}))"
)


@lru_cache(maxsize=_CACHED)
def plain_number(text: str) -> Number | None:
    """An integer, a decimal, or a fraction of two integers."""
    if _PLAIN_NUMBER.fullmatch(text) or _SPACED_THOUSANDS.fullmatch(text):
        found = _reading(text.replace(",", "").replace(" ", ""), True)
        return found if isinstance(found, Number) else None
    match = _PLAIN_FRACTION.fullmatch(text)
    if match is None:
        return None
    top, bottom = int(match["top"] or match["over"]), int(match["bottom"] or match["under"])
    if bottom == 0:
        return None
    value = Fraction(top, bottom)
    return Number(-value if (match["sign"] == "-") != (match["minus"] == "-") else value)
