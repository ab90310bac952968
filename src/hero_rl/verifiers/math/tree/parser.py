r"""Reads an answer into the nodes of `formulas`. A recursive descent over a closed grammar: nothing is evaluated.

    >>> parse(r"x \in (0, 1]")
    Relation(members=(Symbol(name='x'), Sequence(kind='tuple', ...)), operators=('in',))

From the outside in: a list of relations between set expressions of ratios of sums of products of powers of atoms. What
the grammar does not know raises `Unreadable`; nothing is guessed and nothing is left over.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TypeGuard

from hero_rl.verifiers.math.text.spelling import words_only
from hero_rl.verifiers.math.tree.formulas import (
    Based,
    Builder,
    Call,
    Degrees,
    Matrix,
    Negative,
    Node,
    Number,
    Percent,
    PlusMinus,
    Power,
    Product,
    Quantity,
    Quotient,
    Ratio,
    Relation,
    Repeated,
    Sequence,
    SetOperation,
    Sum,
    Symbol,
    Words,
    symbols,
)
from hero_rl.verifiers.math.tree.functions import FUNCTIONS, LOGARITHMS, TRIGONOMETRIC
from hero_rl.verifiers.math.tree.tokens import Token, Unreadable, tokenize
from hero_rl.verifiers.math.tree.units import is_plain_noun, is_unit, unit_name

__all__ = ["parse", "read_number"]

MAX_DEPTH = 40
MAX_SIGNS = 4
MAX_NUMBER_CHARACTERS = 1000

_RELATIONS = {
    "=": "=", "<": "<", ">": ">", "<=": "<=", ">=": ">=", "!=": "!=", "le": "<=", "ge": ">=", "ne": "!=", "in": "in",
    "approx": "~",
    "simeq": "~", "sim": "~", "doteq": "~", ":=": "=",
}  # fmt: skip
_SET_OPERATIONS = {"cup": "union", "cap": "intersection", "setminus": "difference"}
_CONSTANTS = {"pi": "pi", "infty": "infinity", "emptyset": "empty", "imath": "i"}
_GREEK_LETTERS = """
alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho sigma tau upsilon phi chi psi
omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega ell hbar
"""
_GREEK = frozenset(_GREEK_LETTERS.split())
_NUMBER_SETS = {"reals", "integers", "naturals", "rationals", "complexes"}
_QUALIFIERS = frozenset({"for", "where", "with", "respectively"})
# Words that a qualifier may be made of without narrowing what it qualifies: "where k is an arbitrary integer".
_SAYING_NOTHING = """
for where with respectively all any every each some integer integers real reals number numbers arbitrary
constant constants is are be being an a the and in of to
"""
_SAYS_NOTHING = frozenset(_SAYING_NOTHING.split())
_OTHER_THAN_REAL = frozenset({"integer", "integers", "naturals", "rationals", "complexes"})
_SIGNS_OF_QUALIFIERS = frozenset({"(", ")", "[", "]", "{", "}", "in", "_", *_NUMBER_SETS})
_CONNECTORS = {"and": "and", "or": "or", "wedge": "and", "vee": "or", "text&": "and"}
_FAMILY_LETTERS = frozenset({"k", "n", "m", "l", "j", "t"})
_TO_TWELVE = "zero one two three four five six seven eight nine ten eleven twelve"
_NUMBER_WORDS = {word: value for value, word in enumerate(_TO_TWELVE.split())}
_SETS_IN_WORDS = {
    "infinity": "infinity",
    **dict.fromkeys(["all real numbers", "all reals", "all real number"], "reals"),
    **dict.fromkeys(["no solution", "no solutions", "no real solution", "no real solutions", "empty set"], "empty"),
}
_CLOSING = {"(": ")", "[": "]"}
_SPELLED_SCALE = {"hundred": 2, "thousand": 3, "million": 6, "billion": 9, "trillion": 12}
_FUNCTION_LETTERS = frozenset("fghFGHPQW")
_MARKS = frozenset({"overline", "bar", "hat", "widehat", "tilde", "overrightarrow", "vec"})
_MATRICES = frozenset({"pmatrix", "bmatrix", "matrix", "Bmatrix", "smallmatrix", "array"})
_END = Token("end", "")


def parse(text: str, thousands: bool = True) -> Node:
    """The reading of a respelled text (see `spelling.respell`).

    Args:
        text: respelled.
        thousands: whether 1,234 outside of brackets is one number rather than a list of two.

    Raises:
        Unreadable: the grammar has no place for it, or it is nested more than `MAX_DEPTH` deep.
    """
    tokens = tokenize(text, thousands)
    if not tokens:
        raise Unreadable("nothing to read")
    parser = _Parser(tokens)
    node = parser.answer()
    if parser.here is not _END:
        raise Unreadable(f"{parser.here.text!r} is left over")
    return node


def read_number(text: str) -> Number:
    """A numeral: an integer, a decimal, a repeating decimal `0.1(6)`, or any with an exponent `2.5e-6`."""
    if len(text) > MAX_NUMBER_CHARACTERS:
        raise Unreadable("a numeral too long")
    mantissa, _, exponent = text.lower().partition("e")
    shift = int(exponent or 0)
    if abs(shift) > MAX_NUMBER_CHARACTERS:
        raise Unreadable("an exponent too large")
    whole, point, rest = mantissa.partition(".")
    fixed, _, repeating = rest.rstrip(")").partition("(")
    scale = Fraction(10) ** shift
    if repeating:
        period = 10 ** len(fixed) * (10 ** len(repeating) - 1)
        return Number((Fraction(int(whole + fixed or 0), 10 ** len(fixed)) + Fraction(int(repeating), period)) * scale)
    value = Fraction(int((whole + fixed) or 0), 10 ** len(fixed)) * scale
    if point and fixed:
        return Number(value, digits=len((whole + fixed).lstrip("0")), places=len(fixed) - shift)
    return Number(value)


class _Parser:
    """A position in a list of tokens. Each method reads one level of the grammar, and what binds tighter below it."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.position = 0
        self.depth = 0
        self.bars = 0  # |...| that are open here

    # Tokens

    @property
    def here(self) -> Token:
        return self.tokens[self.position] if self.position < len(self.tokens) else _END

    def ahead(self, distance: int = 1) -> Token:
        place = self.position + distance
        return self.tokens[place] if place < len(self.tokens) else _END

    def take(self) -> Token:
        token = self.here
        self.position += 1
        return token

    def at(self, *texts: str) -> bool:
        """Whether the next token is one of these signs or commands."""
        return self.here.text in texts and self.here.kind in ("sign", "command")

    def accept(self, *texts: str) -> bool:
        if self.at(*texts):
            self.position += 1
            return True
        return False

    def expect(self, text: str) -> None:
        if not self.accept(text):
            raise Unreadable(f"{text!r} is missing")

    # Lists

    def answer(self) -> Node:
        """Everything: groups parted by semicolons, each a list parted by commas."""
        groups = [self.listing()]
        while self.at(";"):
            self.take()
            if self.here is not _END:
                groups.append(self.listing())
        if len(groups) == 1:
            return groups[0]
        # Semicolons part solutions, the commas inside of each its components.
        return Sequence("list", tuple(_as_tuple(group) for group in groups))

    def listing(self) -> Node:
        """Items parted by commas, "and" or "or"."""
        items, joint = [], ""
        while True:
            item = self.item()
            if item is not None:
                items.append(item)
            connector = self.connector()
            if connector is None:
                break
            joint = joint or connector
            if self.here is _END or self.at(")", "]", "}", "rbrace", ";"):
                break
        items = _without_qualifiers(items)
        if not items:
            raise Unreadable("no item")
        items = _spread_labels(items)
        if len(items) == 1:
            return items[0]
        return Sequence("list", tuple(items), opening=joint if joint in ("and", "or") else "")

    def connector(self) -> str | None:
        found = None
        while True:
            if self.at(","):
                self.take()
                found = found or ","
            elif self.here.text.lower() in _CONNECTORS and self.here.kind in ("word", "command"):
                found = _CONNECTORS[self.take().text.lower()]
            elif self.at("&"):
                self.take()
                found = "and"
            else:
                return found

    def item(self) -> Node | None:
        """One item without its label's colon and without what qualifies it; None where only a qualifier stands."""
        if self.here.kind == "word" and self.here.text.lower() in _QUALIFIERS:
            self.skip_qualifier()
            return None
        node = self.labelled()
        if self.here.kind == "word" and self.here.text.lower() in _QUALIFIERS and not isinstance(node, Words):
            start = self.position
            self.skip_qualifier()
            said = {token.text.lower() for token in self.tokens[start : self.position]}
            if _is_condition(node) and said & _OTHER_THAN_REAL:
                raise Unreadable("a set of integers")
        return node

    def skip_qualifier(self) -> None:
        """Pass over "for all x in Z", "where k is an integer", up to the next comma outside of brackets.

        Only words and signs that do not narrow a solution are passed over; a number or a condition is none of them.
        """
        depth = 0
        while self.here is not _END:
            if self.at("(", "[", "{", "lbrace"):
                depth += 1
            elif self.at(")", "]", "}", "rbrace"):
                depth -= 1
                if depth < 0:
                    return
            elif depth == 0 and self.at(",", ";"):
                return
            token = self.take()
            if (token.kind == "word" and token.text.lower() not in _SAYS_NOTHING) or token.kind == "number":
                raise Unreadable(f"a condition: {token.text!r}")
            if (
                token.kind in ("sign", "command")
                and token.text not in _SIGNS_OF_QUALIFIERS
                and token.text not in _GREEK
            ):
                raise Unreadable(f"a condition: {token.text!r}")

    def labelled(self) -> Node:
        """A relation, maybe behind a label in words: `Minimum: 1`, `Sequence 1: ...`, `maximum = 2`."""
        words = self.words_before(":", "=")
        if words is None:
            return self.relation()
        self.take()
        return Relation((Words(words), self.relation()), ("=",))

    def words_before(self, *ends: str) -> str | None:
        """The words from here to one of these signs, passed over; None where anything else stands between."""
        place, words = self.position, []
        while place < len(self.tokens) and self.tokens[place].kind in ("word", "number"):
            words.append(self.tokens[place].text.lower())
            place += 1
        end = self.tokens[place] if place < len(self.tokens) else _END
        if words and not words[0][0].isdigit() and end.kind == "sign" and end.text in ends:
            self.position = place
            return " ".join(words)
        return None

    # Relations and sets

    def relation(self) -> Node:
        if self.at("approx", "sim"):
            self.take()
        members, operators = [self.sets()], []
        while self.here.kind in ("sign", "command") and self.here.text in _RELATIONS:
            operators.append(_RELATIONS[self.take().text])
            members.append(self.sets())
        return Relation(tuple(members), tuple(operators)) if operators else members[0]

    def sets(self) -> Node:
        node = self.ratio()
        while self.here.kind == "command" and self.here.text in _SET_OPERATIONS:
            node = SetOperation(_SET_OPERATIONS[self.take().text], node, self.ratio())
        return node

    def ratio(self) -> Node:
        terms = [self.sum()]
        while self.at(":") and not self.bars:
            self.take()
            terms.append(self.sum())
        return Ratio(tuple(terms)) if len(terms) > 1 else terms[0]

    # Arithmetic

    def sum(self) -> Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Unreadable("nested too deep")
        terms = [self.signed()]
        while self.at("+", "-", "pm", "mp"):
            terms.append(self.signed())
        self.depth -= 1
        if len(terms) == 1:
            return terms[0]
        return _lift_unit(terms)

    def signed(self) -> Node:
        signs = []
        while self.at("+", "-", "pm", "mp"):
            signs.append(self.take().text)
        if len(signs) > MAX_SIGNS:
            raise Unreadable("too many signs")
        node = self.product()
        for sign in reversed(signs):
            if sign == "-":
                node = _negative(node)
            elif sign != "+":
                node = PlusMinus(node, flipped=sign == "mp")
        return node

    def product(self) -> Node:
        node = self.factor()
        while True:
            if self.accept("*", "times", "cdot"):
                node = _times(node, self.signed_factor())
            elif self.accept("/", "div"):
                node = Quotient(node, self.signed_factor())
            elif self.accept("bmod", "mod"):
                node = Call("mod", (node, self.signed_factor()))
            elif self.starts_factor():
                node = self.adjacent(node)
            elif self.at_unit(node):
                return self.unit(node)
            else:
                return node

    def signed_factor(self) -> Node:
        """A factor that may have one sign: 2 * -3."""
        if self.accept("-"):
            return _negative(self.factor())
        self.accept("+")
        return self.factor()

    def starts_factor(self) -> bool:
        token = self.here
        if token.kind in ("number", "letter"):
            return True
        if token.kind == "word":
            return token.prose and token.text in ("e", "i")
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
                return self.mixed(left, Quotient(self.numeral(), self.after_slash()))
            if not isinstance(left, (Symbol, Call, Power)) and self.ahead(-1).text != ")":
                raise Unreadable("two numbers side by side")
        right = self.factor()
        if isinstance(left, Number) and isinstance(right, Quotient):
            return self.mixed(left, right)
        if isinstance(left, Number) and isinstance(right, Degrees) and isinstance(right.value, Quotient):
            return Degrees(self.mixed(left, right.value))
        if isinstance(left, Number) and isinstance(right, Number):
            raise Unreadable("two numbers side by side")
        return _times(left, right)

    def after_slash(self) -> Node:
        self.take()
        return self.numeral()

    def mixed(self, whole: Number, fraction: Quotient) -> Node:
        top, bottom = fraction.top, fraction.bottom
        if _is_whole(whole) and _is_whole(top) and _is_whole(bottom) and 0 < top.value < bottom.value:
            return Number(whole.value + top.value / bottom.value)
        return _times(whole, fraction)

    def factor(self) -> Node:
        base = self.postfix(self.atom())
        if self.accept("^", "**"):
            if self.at("prime") or (self.at("{") and self.ahead().text == "prime"):
                return self.postfix(self.primed(base))
            exponent = self.script()
            if exponent == Symbol("circ"):
                return self.degrees(base)
            return self.postfix(Power(base, exponent))
        return base

    def postfix(self, node: Node) -> Node:
        while True:
            if self.at("!"):
                self.take()
                if self.at("!"):
                    raise Unreadable("double factorial")
                node = Call("factorial", (node,))
            elif self.accept("%") or self.percent_word():
                node = Percent(node)
            elif self.at("circ") and isinstance(node, Number):
                self.take()
                node = Degrees(node)
            elif self.at("'"):
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
        if self.here.text in ("C", "F") and self.here.kind in ("letter", "word") and self.ahead() is _END:
            return Quantity(node, f"degree {self.take().text}")
        return self.postfix(Degrees(node))

    def percent_word(self) -> bool:
        if self.here.kind == "word" and self.here.text.lower() in ("percent", "pct", "percentage"):
            self.take()
            return True
        return False

    def script(self) -> Node:
        """What stands after ^ or _: a group, or a single token; a sign may stand before it."""
        if self.accept("-"):
            return _negative(self.script_without_sign())
        return self.script_without_sign()

    def script_without_sign(self) -> Node:
        if self.at("{"):
            return self.group()
        if self.here.kind == "number":
            return self.numeral()
        if self.accept("circ"):
            return Symbol("circ")
        return self.atom()

    def group(self) -> Node:
        """The content of braces that only group."""
        self.expect("{")
        if self.at("circ") and self.ahead().text == "}":
            self.position += 2
            return Symbol("circ")
        bars, self.bars = self.bars, 0
        node = self.listing()
        self.bars = bars
        self.expect("}")
        return node

    # Atoms

    def atom(self) -> Node:
        token = self.here
        if token.kind == "number":
            return self.numeral()
        if token.kind == "letter":
            self.take()
            return self.named(token.text)
        if token.kind == "word":
            return self.word()
        if self.at("{"):
            return self.group()
        if self.at("(", "["):
            return self.bracketed()
        if self.at("|"):
            return self.absolute()
        if token.kind == "command":
            return self.command()
        raise Unreadable(
            f"{token.text!r} where a value should stand" if token is not _END else "the end where a value should stand"
        )

    def numeral(self) -> Node:
        token = self.here
        if token.kind != "number":
            raise Unreadable("no number")
        self.take()
        if self.at("_") and token.text.isdigit():
            return self.based(token.text)
        if self.here.kind == "word" and self.here.text.lower() in ("st", "nd", "rd", "th") and not self.here.spaced:
            self.take()
        return read_number(token.text)

    def based(self, digits: str) -> Node:
        self.take()
        base = self.script()
        if not isinstance(base, Number) or not _is_whole(base) or not 2 <= base.value <= 36:
            raise Unreadable("no base")
        return Based(digits.lstrip("0") or "0", int(base.value))

    def named(self, name: str) -> Node:
        """A variable with its subscript, or an unknown function with its arguments."""
        if self.accept("_"):
            return self.subscripted(name)
        if name in ("e", "i"):
            return Symbol(name)
        if self.at("(") and name in _FUNCTION_LETTERS:
            return self.call(name)
        if self.at("(") and name.isalpha() and self.is_label_call():
            return self.call(name)
        return Symbol(name)

    def call(self, name: str) -> Node:
        arguments = self.bracketed()
        items = arguments.items if isinstance(arguments, Sequence) and arguments.kind == "tuple" else (arguments,)
        return Call(name, items)

    def is_label_call(self) -> bool:
        """Whether a bracket here holds one number, or one letter with an equals sign behind: `I(0)`, `W(n) = ...`."""
        if self.ahead(2).text != ")":
            return False
        return self.ahead().kind == "number" or (self.ahead().kind == "letter" and self.ahead(3).text == "=")

    def subscripted(self, name: str) -> Node:
        place = self.position
        braced = self.at("{")
        first = self.ahead() if braced else self.here
        if first.kind == "word" or first.text in ("max", "min"):
            self.position += braced
            words = [self.take().text]
            while braced and not self.accept("}"):
                words.append(self.take().text)
                if self.here is _END:
                    raise Unreadable("an index that does not end")
            return Symbol(f"{name}_{' '.join(words)}")
        index = self.script()
        if isinstance(index, Number) and _is_whole(index):
            return Symbol(f"{name}_{index.value}")
        if isinstance(index, Symbol) and (index.name.isupper() or len(index.name) > 1):
            return Symbol(f"{name}_{index.name}")
        if isinstance(index, Sequence) or self.position == place:
            raise Unreadable("an index that is none")
        # A sequence at an index: a function of integers.
        return Call(f"{name}_", (index,))

    def word(self) -> Node:
        token = self.take()
        name = token.text
        if name in ("e", "i") and token.prose:
            return Symbol(name)
        if len(name) == 1 and self.here.kind != "word":
            return self.named(name)
        words = [name]
        while (
            self.here.kind == "word"
            and self.here.text.lower() not in _CONNECTORS
            and self.here.text.lower() not in _QUALIFIERS
        ):
            words.append(self.take().text)
        text = words_only(" ".join(words))
        if not text:
            raise Unreadable("words that are none")
        if text in _NUMBER_WORDS:
            return Number(Fraction(_NUMBER_WORDS[text]))
        return Symbol(_SETS_IN_WORDS[text]) if text in _SETS_IN_WORDS else Words(text)

    def bracketed(self) -> Node:
        """Round or square brackets: grouping around one thing, a tuple or an interval around several."""
        opening = self.take().text
        bars, self.bars = self.bars, 0
        content = self.answer_inside()
        self.bars = bars
        if not self.at(")", "]"):
            raise Unreadable("a bracket that does not close")
        closing = self.take().text
        if isinstance(content, Sequence) and content.kind == "list":
            return Sequence("tuple", content.items, opening, closing)
        if closing != _CLOSING[opening]:
            raise Unreadable("brackets that do not match")
        if self.at("_") and _is_whole(content):
            return self.based(str(content.value))
        return content

    def answer_inside(self) -> Node:
        """A list inside brackets, where comma and semicolon both part components."""
        items = [self.listing()]
        while self.accept(";"):
            items.append(self.listing())
        return items[0] if len(items) == 1 else Sequence("list", tuple(items))

    def absolute(self) -> Node:
        self.expect("|")
        self.bars += 1
        node = self.listing()
        self.bars -= 1
        self.expect("|")
        return Call("abs", (node,))

    def command(self) -> Node:
        name = self.take().text
        if name in _CONSTANTS:
            return Symbol(_CONSTANTS[name])
        if name in _NUMBER_SETS:
            return self.number_set(name)
        if name in _GREEK:
            return self.named(name)
        if name in FUNCTIONS:
            return self.function(name)
        reader = _READERS.get(name)
        if reader is not None:
            return reader(self)
        if name in _MARKS or name in ("angle", "triangle"):
            return self.marked(name)
        raise Unreadable(f"\\{name}")

    def number_set(self, name: str) -> Node:
        """R, R^+, R_{>0} and the like; only the plain ones and the positive and negative reals have a meaning here."""
        if self.accept("^"):
            sign = self.script_sign()
            return Symbol(f"{name}{sign}")
        if self.at("_"):
            raise Unreadable("a part of a number set")
        return Symbol(name)

    def script_sign(self) -> str:
        braced = self.accept("{")
        if not self.at("+", "-", "*"):
            raise Unreadable("a power of a number set")
        sign = self.take().text
        if braced:
            self.expect("}")
        return sign

    def marked(self, name: str) -> Node:
        """A letter, or a segment of two, under a mark: the mark is part of the name."""
        group = self.script() if name in _MARKS or self.at("{") else self.points()
        letters = [
            part.name
            for part in (group.factors if isinstance(group, Product) else (group,))
            if isinstance(part, Symbol)
        ]
        count = len(group.factors) if isinstance(group, Product) else 1
        if len(letters) != count:
            raise Unreadable(f"\\{name} over a formula")
        mark = "vec" if name == "overrightarrow" else name
        return Symbol(f"{mark} {''.join(letters)}")

    def points(self) -> Node:
        """The letters of an angle or a triangle: ABC."""
        letters = []
        while self.here.kind == "letter" and (self.here.text.isupper() or not letters):
            letters.append(Symbol(self.take().text))
        if not letters:
            raise Unreadable("an angle without its letters")
        return Product(tuple(letters)) if len(letters) > 1 else letters[0]

    def function(self, name: str) -> Node:
        """A named function with its base or power, and its argument."""
        exponent = base = None
        while self.at("^", "_"):
            if self.take().text == "_":
                base = self.script()
            else:
                exponent = self.script()
        argument = self.argument()
        if name in LOGARITHMS and base is not None:
            node = Call("log", (argument, base))
        elif base is not None:
            raise Unreadable(f"\\{name} with an index")
        elif isinstance(argument, Sequence) and argument.kind != "tuple":
            raise Unreadable("a function of a set")
        elif isinstance(argument, Sequence):
            node = Call(name, argument.items)
        else:
            node = Call(name, (argument,))
        if exponent is None:
            return node
        if exponent == Number(Fraction(-1)):
            if name not in TRIGONOMETRIC:
                raise Unreadable("an inverse function")
            return Call("arc" + name, node.arguments)
        return Power(node, exponent)

    def argument(self) -> Node:
        """What a function without brackets applies to: the factors up to a sign or the next function."""
        if self.at("(", "["):
            return self.postfix(self.bracketed())
        if self.at("{"):
            return self.group()
        if self.at("-"):
            self.take()
            return _negative(self.argument())
        node = self.factor()
        while True:
            if self.at("/") and isinstance(node, (Symbol, Number)) and self.ahead().kind == "number":
                self.take()
                node = Quotient(node, self.factor())
            elif self.at("cdot", "times") and self.ahead().kind in ("letter", "number"):
                self.take()
                node = _times(node, self.factor())
            elif self.starts_factor() and not self.at("(", "[", "|") and not self.starts_function():
                node = self.adjacent(node)
            else:
                return node

    def starts_function(self) -> bool:
        return self.here.kind == "command" and self.here.text in FUNCTIONS

    # Commands with arguments

    def fraction(self) -> Node:
        top = self.fraction_part()
        return Quotient(top, self.fraction_part())

    def fraction_part(self) -> Node:
        """A group, or one digit or letter, as in frac12."""
        if self.at("{"):
            return self.group()
        token = self.here
        if token.kind == "number" and len(token.text) > 1 and token.text.isdigit():
            self.tokens[self.position : self.position + 1] = [Token("number", digit) for digit in token.text]
            return read_number(self.take().text)
        if token.kind == "letter":
            return Symbol(self.take().text)
        return self.atom()

    def root(self) -> Node:
        degree: Node = Number(Fraction(2))
        if self.at("["):
            degree = self.bracketed()
        radicand = self.group() if self.at("{") else self.bracketed() if self.at("(") else self.atom()
        return Call("root", (radicand, degree))

    def binomial(self) -> Node:
        return Call("binomial", (self.group(), self.group()))

    def floor(self) -> Node:
        return self.enclosed("floor", "rfloor")

    def ceiling(self) -> Node:
        return self.enclosed("ceil", "rceil")

    def enclosed(self, name: str, end: str) -> Node:
        bars, self.bars = self.bars, 0
        node = self.sum()
        self.bars = bars
        self.expect(end)
        return Call(name, (node,))

    def angled(self) -> Node:
        content = self.answer_inside()
        self.expect("rangle")
        if not isinstance(content, Sequence):
            raise Unreadable("a vector of one component")
        return Sequence("tuple", content.items, "(", ")")

    def curly(self) -> Node:
        """A set by its elements, or by a condition."""
        if self.accept("rbrace"):
            return Symbol("empty")
        self.bars += 1  # a bar here parts form and condition
        first = self.answer_inside()
        self.bars -= 1
        if self.accept("|", "mid", ":"):
            condition = self.listing()
            self.expect("rbrace")
            return Builder(first, condition)
        self.expect("rbrace")
        items = first.items if isinstance(first, Sequence) and first.kind == "list" else (first,)
        return Sequence("set", items, "{", "}")

    def sum_over(self) -> Node:
        return self.repeated("sum")

    def product_over(self) -> Node:
        return self.repeated("product")

    def repeated(self, kind: str) -> Node:
        self.expect("_")
        low = self.group()
        self.expect("^")
        high = self.script()
        if not (isinstance(low, Relation) and low.operators == ("=",) and isinstance(low.members[0], Symbol)):
            raise Unreadable("a sum without its variable")
        return Repeated(kind, low.members[0], low.members[1], high, self.product())

    def environment(self) -> Node:
        name = "".join(self.take().text for _ in iter(lambda: self.at("}") or self.here is _END, True))
        name = name.lstrip("{")
        self.expect("}")
        if name not in _MATRICES and name != "cases":
            raise Unreadable(f"environment {name}")
        if name == "array":
            self.skip_columns()
        rows = self.rows()
        for text in ("end", "{"):
            self.expect(text)
        while not self.at("}") and self.here is not _END:
            self.take()
        self.expect("}")
        if name == "cases":
            if len(next(iter(rows))) > 1:
                raise Unreadable("cases with conditions")
            return Sequence("list", tuple(row[0] for row in rows))
        return Matrix(rows)

    def skip_columns(self) -> None:
        self.expect("{")
        while not self.accept("}"):
            if self.take() is _END:
                raise Unreadable("an array without columns")

    def rows(self) -> tuple[tuple[Node, ...], ...]:
        rows: list[tuple[Node, ...]] = []
        bars, self.bars = self.bars, 0
        while not self.at("end"):
            cells = [self.relation()]
            while self.accept("&"):
                cells.append(self.relation())
            rows.append(tuple(cells))
            if not self.accept("\\"):
                break
        self.bars = bars
        if not rows or len({len(row) for row in rows}) > 1:
            raise Unreadable("rows of different lengths")
        return tuple(rows)

    # Units

    def at_unit(self, node: Node) -> bool:
        """Whether a unit, or what is counted, stands behind a number."""
        token = self.here
        if token.kind != "word" or token.text.lower() in _CONNECTORS or token.text.lower() in _QUALIFIERS:
            return False
        if symbols(node):
            return token.prose or is_unit(token.text)
        return True

    def unit(self, node: Node) -> Node:
        words: list[str] = []
        if self.here.text.lower() in _SPELLED_SCALE:
            node = _times(node, Number(Fraction(10 ** _SPELLED_SCALE[self.take().text.lower()])))
            if not self.at_unit(node):
                return node
        while (
            self.here.kind == "word"
            and self.here.text.lower() not in _CONNECTORS
            and self.here.text.lower() not in _QUALIFIERS
        ):
            word = self.take().text
            modifies = word.lower() in ("per", "squared", "cubed") and words
            if not is_plain_noun(word) and not modifies and word.lower() != "square":
                raise Unreadable(f"{word!r} behind a number")
            words.append("/" if word.lower() == "per" else word)
            if self.at("^"):
                self.take()
                power = self.script()
                if not isinstance(power, Number):
                    raise Unreadable("a unit's power")
                words.append(f"^{power.value}")
            if self.at("/", "cdot", "times") and self.ahead().kind == "word":
                words.append("/" if self.take().text == "/" else ".")
        if len([word for word in words if word.isalpha()]) > 4:
            raise Unreadable("too many words behind a number")
        name = unit_name(words)
        if name == "degree":
            return Degrees(node)
        return Quantity(node, name)


_NO_FACTOR = (
    frozenset(_RELATIONS)
    | frozenset(_SET_OPERATIONS)
    | frozenset(_CONNECTORS)
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
        ]
    )
)

_READERS = {
    "frac": _Parser.fraction,
    "sqrt": _Parser.root,
    "binom": _Parser.binomial,
    "lfloor": _Parser.floor,
    "lceil": _Parser.ceiling,
    "langle": _Parser.angled,
    "lbrace": _Parser.curly,
    "sum": _Parser.sum_over,
    "prod": _Parser.product_over,
    "begin": _Parser.environment,
}


def _is_whole(node: Node) -> TypeGuard[Number]:
    return isinstance(node, Number) and node.places is None and node.value.denominator == 1


def _negative(node: Node) -> Node:
    """Minus a node; a number and a quantity take the sign in."""
    if isinstance(node, Number):
        return Number(-node.value, node.digits, node.places)
    if isinstance(node, (Quantity, Percent, Degrees)):
        changed = _negative(node.value)
        return Quantity(changed, node.unit) if isinstance(node, Quantity) else type(node)(changed)
    return Negative(node)


def _with_prime(node: Node) -> Node:
    if isinstance(node, Symbol):
        return Symbol(node.name + "'")
    if isinstance(node, Call) and node.name not in FUNCTIONS:
        return Call(node.name + "'", node.arguments)
    raise Unreadable("a prime on a formula")


def _times(left: Node, right: Node) -> Node:
    if isinstance(right, Sequence) or isinstance(left, Sequence):
        raise Unreadable("a product with a list")
    factors = (*left.factors, right) if isinstance(left, Product) else (left, right)
    return Product(factors)


def _lift_unit(terms: list[Node]) -> Node:
    """A sum; a unit behind its last term is the unit of the whole."""
    last = terms[-1]
    if isinstance(last, Quantity) and not any(isinstance(term, Quantity) for term in terms[:-1]):
        return Quantity(Sum((*terms[:-1], last.value)), last.unit)
    return Sum(tuple(terms))


def _as_tuple(group: Node) -> Node:
    if isinstance(group, Sequence) and group.kind == "list":
        return Sequence("tuple", group.items, "(", ")")
    return group


def _without_qualifiers(items: list[Node]) -> list[Node]:
    """Without memberships in the integers behind the first item: the k in Z of a family, which goes without saying."""
    if any(_is_condition(item) and not _is_membership(item) for item in items):
        return items
    return [item for index, item in enumerate(items) if index == 0 or not _is_membership(item)]


def _is_condition(node: Node) -> bool:
    """Whether it is an inequality or an interval, which a set of numbers would narrow."""
    if isinstance(node, Relation):
        return not set(node.operators) <= {"=", "~"}
    return isinstance(node, SetOperation) or (
        isinstance(node, Sequence) and node.kind == "tuple" and len(node.items) == 2
    )


def _is_membership(node: Node) -> bool:
    return (
        isinstance(node, Relation)
        and node.operators == ("in",)
        and isinstance(node.members[0], Symbol)
        and node.members[0].name in _FAMILY_LETTERS
        and node.members[1] == Symbol("integers")
    )


def _spread_labels(items: list[Node]) -> list[Node]:
    """In `x = 1, 2, 3` all three are values of x; the label stays with each, unless another follows."""
    first = items[0]
    if len(items) < 2 or not isinstance(first, Relation) or first.operators != ("=",):
        return items
    if any(isinstance(item, Relation) for item in items[1:]):
        return items
    return [first, *(Relation((first.members[0], item), ("=",)) for item in items[1:])]
