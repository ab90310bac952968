"""Sums of products of powers, and the units behind them."""

from __future__ import annotations

from fractions import Fraction

from hero_rl.verifiers.math.tree.cursor import END
from hero_rl.verifiers.math.tree.formulas import (
    Call,
    Degrees,
    Matrix,
    Node,
    Number,
    Percent,
    PlusMinus,
    Power,
    Product,
    Quantity,
    Quotient,
    Sequence,
    Sum,
    Symbol,
    Words,
    symbols,
    walk,
)
from hero_rl.verifiers.math.tree.functions import FUNCTIONS
from hero_rl.verifiers.math.tree.measures import Measures
from hero_rl.verifiers.math.tree.number_words import COUNTING
from hero_rl.verifiers.math.tree.numerals import is_whole, negative
from hero_rl.verifiers.math.tree.products import times, total
from hero_rl.verifiers.math.tree.tokens import Unreadable
from hero_rl.verifiers.math.tree.units import CHANGES, UNIT_LETTERS, is_plain_noun, is_unit, may_describe, unit_name
from hero_rl.verifiers.math.tree.vocabulary import CONNECTORS, QUALIFIERS, RELATIONS, SET_OPERATIONS

__all__ = ["Arithmetic"]

MAX_DEPTH = 40
MAX_SIGNS = 4

_SPELLED_SCALE = {"hundred": 2, "thousand": 3, "million": 6, "billion": 9, "trillion": 12}
_NO_FACTOR = (
    frozenset(RELATIONS)
    | frozenset(SET_OPERATIONS)
    | frozenset(CONNECTORS)
    | frozenset(
        [
            "times",
            "cdot",
            "div",
            "pm",
            "mp",
            "bmod",
            "mod",
            "pmod",
            "circ",
            "mid",
            "}",
            "rbrace",
            "norm",
            "rfloor",
            "rceil",
            "rangle",
            "end",
            "%",
            "\\",
            "|",
            "equiv",
            "to",
            "rightarrow",
            "Rightarrow",
            "implies",
            "iff",
            "&",
            "ldots",
            "choose",
        ]
    )
)


class Arithmetic(Measures):
    """From sums down to powers; each method reads one level, and what binds tighter below it."""

    def sum(self) -> Node:
        """Terms with signs between; where the depth of nesting is counted."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Unreadable("nested too deep")
        terms = [self.signed()]
        while self.at("+", "-", "pm", "mp"):
            terms.append(self.signed())
        self.depth -= 1
        node = terms[0] if len(terms) == 1 else _lift_unit(terms)
        return Call("binomial", (node, self.sum())) if self.accept("choose") else node

    def signed(self) -> Node:
        """A product with up to `MAX_SIGNS` signs before it."""
        signs = []
        while self.at("+", "-", "pm", "mp"):
            signs.append(self.take().text)
        if len(signs) > MAX_SIGNS:
            raise Unreadable("too many signs")
        node = self.product()
        for sign in reversed(signs):
            if sign == "-":
                node = negative(node)
            elif sign != "+":
                node = PlusMinus(node, flipped=sign == "mp")
        return node

    def product(self) -> Node:
        """Factors with or without signs between; a unit ends it."""
        node = self.factor()
        while True:
            if self.accept("*", "times", "cdot"):
                node = times(node, self.signed_factor())
            elif self.accept("/", "div"):
                node = Quotient(node, self.signed_factor())
            elif self.at("bmod", "mod") and not self.in_congruence():
                self.take()
                node = Call("mod", (node, self.signed_factor()))
            elif self.at_steps(node):
                return self.steps(node)
            elif isinstance(node, Degrees) and (angle := self.with_arcs(node)) is not None:
                return angle
            elif self.starts_factor():
                node = self.adjacent(node)
            elif self.at_unit(node):
                node = self.unit(node)
                if not self.starts_function():
                    return node
            else:
                return node

    def in_congruence(self) -> bool:
        """Whether a sign of congruence stands before: then "mod" belongs to it and takes no remainder."""
        return any(token.text == "equiv" for token in self.tokens[: self.position])

    def signed_factor(self) -> Node:
        """A factor that may have one sign: 2 * -3."""
        if self.accept("-"):
            return negative(self.factor())
        self.accept("+")
        return self.factor()

    def starts_factor(self) -> bool:
        """Whether a factor can start here."""
        token = self.here
        if token.kind in ("number", "letter"):
            return True
        if token.kind == "word":
            return token.prose and token.text in ("e", "i")
        if token.text == "(" and (
            self.ahead().text in _OPENING_REMARKS or self.ahead().text.lower() in COUNTING or self.holds_condition()
        ):
            return False
        if token.kind == "sign":
            return token.text in ("(", "[", "{") or (token.text == "|" and not self.bars)
        return token.kind == "command" and token.text not in _NO_FACTOR

    def adjacent(self, left: Node) -> Node:
        """A factor without a sign before it; a whole number and a fraction are a mixed number."""
        if self.here.kind == "number":
            if (
                isinstance(left, Number)
                and self.ahead().text == "/"
                and self.ahead(2).kind == "number"
                and self.here.spaced
            ):
                top = self.numeral()
                self.take()
                return self.mixed(left, Quotient(top, self.numeral()))
            last = left.factors[-1] if isinstance(left, Product) else left
            is_power = isinstance(left, Quotient) and self.ahead(-1).text == "}" and self.ahead().text == "^"
            if not isinstance(last, (Symbol, Call, Power)) and self.ahead(-1).text != ")" and not is_power:
                raise Unreadable("two numbers side by side")
        right = self.factor()
        if isinstance(right, Quotient) and not symbols(left) and (unit := _unit_fraction(right)):
            return Quantity(left, unit)
        if isinstance(left, Number) and isinstance(right, Quotient):
            return self.mixed(left, right)
        if isinstance(left, Number) and isinstance(right, Degrees) and isinstance(right.value, Quotient):
            return Degrees(self.mixed(left, right.value))
        if isinstance(left, Number) and isinstance(right, Percent) and isinstance(right.value, Quotient):
            return Percent(self.mixed(left, right.value))
        if isinstance(left, Number) and isinstance(right, Number):
            raise Unreadable("two numbers side by side")
        return times(left, right)

    def mixed(self, whole: Number, fraction: Quotient) -> Node:
        """A whole number and a proper fraction as one number, 2 1/3; a product where they are none."""
        top, bottom = fraction.top, fraction.bottom
        if is_whole(whole) and is_whole(top) and is_whole(bottom) and 0 < top.value < bottom.value:
            return Number(whole.value + top.value / bottom.value)
        return times(whole, fraction)

    def factor(self) -> Node:
        """An atom with its powers and the signs behind it."""
        base = self.postfix(self.atom())
        if self.accept("^", "**"):
            if self.at("prime") or (self.at("{") and self.ahead().text == "prime"):
                return self.postfix(self.primed(base))
            exponent = self.script()
            if isinstance(base, (Matrix, Sequence)) and exponent == Symbol("T"):
                return self.postfix(_transposed(base))
            if (counted := _counted(base, exponent)) is not None:
                return self.postfix(counted)
            if exponent == Symbol("circ"):
                return self.degrees(base)
            return self.postfix(Power(base, exponent))
        return base

    def postfix(self, node: Node) -> Node:
        """The node with the signs behind it: factorials, per cent, degrees, primes."""
        while True:
            if self.at("!"):
                self.take()
                name = "double factorial" if self.accept("!") else "factorial"
                if self.at("!"):
                    raise Unreadable("a factorial of three signs")
                node = Call(name, (node,))
            elif self.accept("%") or self.percent_word():
                node = Percent(node)
            elif self.at("circ") and isinstance(node, Number):
                self.take()
                node = Degrees(node)
            elif self.at("'") and not isinstance(node, Number):
                self.take()
                node = _with_prime(node)
            else:
                return node

    def primed(self, node: Node) -> Node:
        """One or more primes written as an exponent."""
        braced = self.accept("{")
        while self.accept("prime"):
            node = _with_prime(node)
        if braced:
            self.expect("}")
        return node

    def degrees(self, node: Node) -> Node:
        """An angle, or a temperature where C or F follows."""
        if self.here.text in ("C", "F") and self.here.kind in ("letter", "word") and self.ahead() is END:
            return Quantity(node, f"degree {self.take().text}")
        return self.postfix(Degrees(node))

    def percent_word(self) -> bool:
        """Pass over "percent" or "per cent"; whether it stood here."""
        if [self.here.text.lower(), self.ahead().text.lower()] == ["per", "cent"]:
            self.position += 2
            return True
        if self.here.kind == "word" and self.here.text.lower() in ("percent", "pct", "percentage"):
            self.take()
            return True
        return False

    # Units

    def at_unit(self, node: Node) -> bool:
        """Whether a unit, or what is counted, stands behind a number."""
        token = self.here
        if token.kind != "word" or token.text.lower() in CONNECTORS or token.text.lower() in QUALIFIERS:
            return False
        if token.text.lower() == "to" and self.ahead().kind == "number":
            return False
        if (
            token.text.lower() in ("only", "base")
            or (token.text.lower() == "in" and self.ahead().text == "base")
            or (isinstance(node, Symbol) and token.text.lower() in _OF_LETTERS)
        ):
            return False
        if symbols(node):
            return token.prose or is_unit(token.text)
        return True

    def at_unit_letter(self, distance: int = 0) -> bool:
        """Whether a letter, or the sign of the ohm, stands there that behind other units is one itself: kg m, km/h."""
        token = self.ahead(distance)
        return token.kind in ("letter", "command") and token.text in UNIT_LETTERS

    def unit(self, node: Node) -> Node:
        """A number with the unit, or the counted thing, behind it."""
        words: list[str] = []
        if isinstance(node, Percent) and self.here.text.lower() == "points":
            raise Unreadable("percentage points")
        if isinstance(node, Percent) and self.here.text.lower() in CHANGES:
            return Quantity(node, self.take().text.lower())
        if self.here.text.lower() in _SPELLED_SCALE:
            node = times(node, Number(Fraction(10 ** _SPELLED_SCALE[self.take().text.lower()])))
            if not self.at_unit(node):
                return node
        while (
            self.here.kind == "word"
            and self.here.text.lower() not in CONNECTORS
            and self.here.text.lower() not in QUALIFIERS
        ) or (words and _is_measure(words[-1]) and self.at_unit_letter()):
            if words and self.here.text.lower() in CHANGES:
                break
            word = self.take().text
            modifies = word.lower() in ("per", "squared", "cubed") and words
            following = self.here.text
            if self.is_idle(word, words):
                continue
            if words and word.lower() == "of" and self.here.kind == "word" and may_describe(following):
                self.take()  # slices of pizza
                continue
            if word.lower() in _COUNTED_ALONE and not words and self.here is END:
                words.append(word)
                continue
            if not is_plain_noun(word) and not modifies and word.lower() != "square":
                raise Unreadable(f"{word!r} behind a number")
            words.append("/" if word.lower() == "per" else word)
            if self.at("^"):
                self.take()
                power = self.script()
                if not isinstance(power, Number):
                    raise Unreadable("a unit's power")
                words.append(f"^{power.value}")
            if self.at("/", "cdot", "times") and (
                self.ahead().kind == "word" or (_is_measure(word) and self.at_unit_letter(1))
            ):
                words.append("/" if self.take().text == "/" else ".")
        if len([word for word in words if word.isalpha()]) > 4:
            raise Unreadable("too many words behind a number")
        name = unit_name(words)
        if name == "degree":
            return Degrees(node)
        change = self.here.text.lower()
        return Quantity(Quantity(node, name), self.take().text.lower()) if change in CHANGES else Quantity(node, name)

    def is_idle(self, word: str, words: list[str]) -> bool:
        """Whether a word before a noun in the plural, or behind what is counted, leaves the number alone."""
        if words and word.lower() in _BEHIND_NOUN:
            return self.here is END
        is_adjective = word.lower() == "more" or may_describe(word)
        if not is_adjective or words or self.here.kind != "word":
            return False
        noun = self.ahead() if may_describe(self.here.text) and self.ahead().kind == "word" else self.here
        return any(_is_counted(token.text) for token in (self.here, noun))


def _is_counted(noun: str) -> bool:
    """Whether a noun is what is counted, and no unit, of which another word may make another: metric tons."""
    return (is_plain_noun(noun) and not is_unit(noun)) or noun.lower() in _COUNTED_ALONE


_BEHIND_NOUN = frozenset(
    {"old", "left", "remaining", "long", "tall", "wide", "high", "deep", "away", "altogether", "total", "each"}
)
_COUNTED_ALONE = frozenset({"pairs", "times", "zeros", "zeroes", "roots"})
"""Behind a number and at the end they are what is counted; elsewhere they change it."""
_OPENING_REMARKS = frozenset({"mod", "bmod", "base", "about", "approximately", "approx", "roughly"})
_OF_LETTERS = frozenset({"is", "are", "odd", "even"})  # they say something of a letter before them
_COUNTS = {"C": "binomial", "A": "permutations", "P": "permutations"}


def _counted(base: Node, exponent: Node) -> Node | None:
    r"""The number of choices that `C_{10}^3`, `A_5^2` or `P_5^2` is.

    Safe: the index must be at least 2 and the exponent a whole number up to it, or both of them letters of which the
    index is n or m; a constant C_1 and its powers stay what they are.
    """
    above: Node
    if isinstance(base, Symbol) and base.name[:2] in ("C_", "A_", "P_") and base.name[2:].isdigit():
        above = Number(Fraction(int(base.name[2:])))
        if not (is_whole(exponent) and above.value >= 2 and 0 <= exponent.value <= above.value):
            return None
    elif isinstance(base, Call) and base.name in ("C_", "A_", "P_") and symbols(base.arguments[0]) & {"n", "m"}:
        (above,) = base.arguments
    else:
        return None
    return Call(_COUNTS[base.name[0]], (above, exponent))


def _unit_fraction(quotient: Quotient) -> str:
    r"""The unit that is a fraction behind a number, `60 \frac{\text{km}}{\text{h}}`; nothing where it is none.

    Safe: above and below stands one unit each, and one of them at least is a word.
    """
    names: list[str] = []
    for part in quotient.parts():
        unit, power = (part.base, part.exponent) if isinstance(part, Power) else (part, None)
        name = unit.text if isinstance(unit, Words) else unit.name if isinstance(unit, Symbol) else ""
        is_known = is_plain_noun(name) if isinstance(unit, Words) else name in UNIT_LETTERS
        if not is_known or not (power is None or is_whole(power)):
            return ""
        names += [name, f"^{power.value}"] if isinstance(power, Number) else [name]
        names.append("/")
    has_word = any(isinstance(part, Words) for side in quotient.parts() for part in walk(side))
    return unit_name(names[:-1]) if has_word else ""


def _transposed(node: Matrix | Sequence) -> Node:
    """Rows as columns; of a tuple, which is a row, the column."""
    if isinstance(node, Matrix):
        return Matrix(tuple(zip(*node.rows, strict=True)))
    if node.kind != "tuple":
        raise Unreadable("a list is not transposed")
    return Matrix(tuple((item,) for item in node.items))


def _is_measure(word: str) -> bool:
    """Whether a word, or what stands with it, is a unit of measure rather than what is counted."""
    return is_unit(word) or not word.isalpha() or word in UNIT_LETTERS


def _with_prime(node: Node) -> Node:
    if isinstance(node, Symbol):
        return Symbol(node.name + "'")
    if isinstance(node, Call) and node.name not in FUNCTIONS:
        return Call(node.name + "'", node.arguments)
    raise Unreadable("a prime on a formula")


def _lift_unit(terms: list[Node]) -> Node:
    """A sum; a unit behind its last term is the unit of the whole."""
    last = terms[-1]
    if isinstance(last, Quantity) and not any(isinstance(term, Quantity) for term in terms[:-1]):
        return Quantity(Sum((*terms[:-1], last.value)), last.unit)
    return total(terms)
