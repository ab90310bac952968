"""Numerals, variables with their indices, unknown functions, marked letters, number sets and words."""

from __future__ import annotations

from hero_rl.verifiers.math.text.spelling import gist, words_only
from hero_rl.verifiers.math.tree.brackets import Brackets
from hero_rl.verifiers.math.tree.cursor import END
from hero_rl.verifiers.math.tree.formulas import Based, Call, Node, Number, Product, Sequence, Symbol, Words
from hero_rl.verifiers.math.tree.number_words import COUNTING, number_in_words
from hero_rl.verifiers.math.tree.numerals import is_whole, read_number
from hero_rl.verifiers.math.tree.spelled_sets import spelled_set
from hero_rl.verifiers.math.tree.tokens import Token, Unreadable
from hero_rl.verifiers.math.tree.units import is_plain_noun
from hero_rl.verifiers.math.tree.vocabulary import CONNECTORS, MARKS, QUALIFIERS, SETS_IN_WORDS

__all__ = ["Names"]

_FUNCTION_LETTERS = frozenset("fghFGHPQW")
_INVERSE_OF = ["^", "{", "-", "1", "}", "("]


class Names(Brackets):
    """What names something: a number, a letter, a word."""

    def numeral(self) -> Node:
        """A number, maybe with its base or as an ordinal."""
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
        """Digits with the base that follows them."""
        self.take()
        base = self.base()
        if not isinstance(base, Number) or not is_whole(base) or not 2 <= base.value <= 36:
            raise Unreadable("no base")
        if any(int(digit, 36) >= base.value for digit in digits):
            raise Unreadable("a digit that its base does not have")
        return Based(digits.lstrip("0") or "0", int(base.value))

    def base(self) -> Node:
        """What stands as a base: 5, {5}, (5), five, "base 5"."""
        if not self.at("{"):
            return self.script()
        place = self.position
        self.take()
        while self.here.kind == "word" and self.here.text.lower() in ("base", *COUNTING):
            word = self.take().text.lower()
            value = number_in_words([word])
            if value is not None and self.accept("}"):
                return Number(value)
        if self.here.kind == "number":
            node = self.numeral()
            self.expect("}")
            return node
        self.position = place
        return self.script()

    def named(self, name: str) -> Node:
        """A variable with its subscript, or an unknown function with its arguments."""
        if self.accept("_"):
            return self.subscripted(name)
        if name in ("e", "i"):
            return Symbol(name)
        if name in _FUNCTION_LETTERS and [self.ahead(step).text for step in range(6)] == _INVERSE_OF:
            self.position += len(_INVERSE_OF) - 1
            return self.call(f"{name}^{{-1}}")
        if name in _FUNCTION_LETTERS and (primes := self.primes_before_bracket()):
            self.position += primes
            return self.call(name + "'" * primes)
        if self.at("(") and (
            name in _FUNCTION_LETTERS or (name == "C" and self.ahead().kind == "number" and self.ahead(2).text == ",")
        ):
            return self.call(name)
        if self.at("(") and name.isalpha() and self.is_label_call():
            return self.call(name)
        return Symbol(name)

    def call(self, name: str) -> Node:
        """An unknown function at its arguments."""
        arguments = self.bracketed()
        items = arguments.items if isinstance(arguments, Sequence) and arguments.kind == "tuple" else (arguments,)
        if name in ("C", "P") and len(items) == 2 and all(is_whole(item) for item in items):
            return Call("binomial" if name == "C" else "permutations", items)
        return Call(name, items)

    def primes_before_bracket(self) -> int:
        """How many primes stand here with arguments behind them: f''(x)."""
        count = 0
        while self.ahead(count).text == "'":
            count += 1
        return count if count and self.ahead(count).text == "(" else 0

    def is_label_call(self) -> bool:
        """Whether a bracket here holds one number, or one letter with an equals sign behind: `I(0)`, `W(n) = ...`."""
        if self.ahead(2).text != ")":
            return False
        return self.ahead().kind == "number" or (self.ahead().kind == "letter" and self.ahead(3).text == "=")

    def subscripted(self, name: str) -> Node:
        """A variable with its index, or a sequence at an index that varies."""
        place = self.position
        braced = self.at("{")
        first = self.ahead() if braced else self.here
        if first.kind == "word" or first.text in ("max", "min"):
            self.position += braced
            words = [self.take().text]
            while braced and not self.accept("}"):
                words.append(self.take().text)
                if self.here is END:
                    raise Unreadable("an index that does not end")
            return Symbol(f"{name}_{' '.join(words)}")
        index = self.script()
        if isinstance(index, Sequence) and index.kind == "list" and all(is_whole(item) for item in index.items):
            return Symbol(f"{name}_{','.join(str(item.value) for item in index.items if isinstance(item, Number))}")
        if isinstance(index, Number) and is_whole(index):
            return Symbol(f"{name}_{index.value}")
        if isinstance(index, Symbol) and (index.name.isupper() or len(index.name) > 1):
            return Symbol(f"{name}_{index.name}")
        if isinstance(index, Sequence) or self.position == place:
            raise Unreadable("an index that is none")
        # A sequence at an index: a function of integers.
        return Call(f"{name}_", (index,))

    def word(self) -> Node:
        """A run of words: a number word, a set in words, or text."""
        token = self.take()
        name = token.text
        if name in ("e", "i") and token.prose:
            return Symbol(name)
        if len(name) == 1 and self.here.kind != "word":
            return self.named(name)
        words = [name]
        while (
            self.here.kind == "word"
            and self.here.text.lower() not in CONNECTORS
            and self.here.text.lower() not in QUALIFIERS
        ):
            words.append(self.take().text)
        number = self.spelled_number(words)
        if number is not None:
            return number
        text = gist(words_only(" ".join(words)))
        if not text:
            raise Unreadable("words that are none")
        if text in SETS_IN_WORDS:
            return Symbol(SETS_IN_WORDS[text])
        if text.removeprefix("all ") in ("prime numbers", "primes", "prime"):
            return Words("prime numbers")
        spelled = spelled_set(text)
        return spelled.node() if spelled else Words(text)

    def spelled_number(self, words: list[str]) -> Number | None:
        """The number that these words, just passed over, name; or their beginning, with what is counted behind it.

        Safe: behind a number of things only a noun in the plural, or a unit, may follow, as behind digits.
        """
        lower = [word.lower() for word in words]
        if lower[-1] in ("hundred", "thousand", "million") and self.here.text.lower() == "and":
            place = self.position
            self.take()
            rest: list[str] = []
            while self.here.kind == "word" and self.here.text.lower() in COUNTING:
                rest.append(self.take().text.lower())
            more = number_in_words([*lower, "and", *rest]) if rest else None
            if more is not None:
                return Number(more)
            self.position = place
        value = number_in_words(lower)
        if value is not None:
            return Number(value)
        count = next((index for index, word in enumerate(lower) if word not in COUNTING), len(lower))
        value = number_in_words(lower[:count]) if count else None
        if value is None or not all(is_plain_noun(word) for word in words[count:]):
            return None
        self.position -= len(words) - count
        return Number(value)

    def number_set(self, name: str) -> Node:
        """R, R^+, R_{>0} and the like; only the plain ones and the positive and negative reals have a meaning here."""
        if self.accept("^"):
            sign = self.script_sign()
            return Symbol(f"{name}{sign}")
        if not self.accept("_"):
            return Symbol(name)
        if name == "integers" and (modulus := self.modulus_of_group()):
            return Symbol(f"Z_{modulus}")
        return Symbol(name + self.part_of_set())

    def modulus_of_group(self) -> str:
        r"""Pass over the number of `\mathbb{Z}_4`, the whole numbers by their remainders; nothing where none stands."""
        braced = self.at("{")
        number = self.ahead() if braced else self.here
        if number.kind != "number" or (braced and self.ahead(2).text != "}"):
            return ""
        self.position += 3 if braced else 1
        return number.text

    def part_of_set(self) -> str:
        """The sign of the positive, negative, non-negative or non-zero numbers of a set: `_{>0}`, `_{+}`."""
        braced = self.accept("{")
        sign = self.take().text
        if sign in ("+", "-") or (self.here.kind == "number" and self.take().text == "0"):
            found = {"+": "+", "-": "-", ">": "+", "<": "-", ">=": "0", "ge": "0", "!=": "*", "ne": "*"}.get(sign)
            if found is not None:
                if braced:
                    self.expect("}")
                return found
        raise Unreadable("a part of a number set")

    def script_sign(self) -> str:
        """The sign of R^+."""
        braced = self.accept("{")
        if not self.at("+", "-", "*"):
            raise Unreadable("a power of a number set")
        sign = self.take().text
        if braced:
            self.expect("}")
        return sign

    def marked(self, name: str) -> Node:
        """A letter, or a segment of two, under a mark: the mark is part of the name."""
        if name == "overline" and (numeral := self.barred_digits()) is not None:
            return numeral
        group = self.script() if name in MARKS or self.at("{") else self.points()
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

    def barred_digits(self) -> Node | None:
        r"""Digits and letters under one bar, `\overline{1a2}`: a number, or the numeral that they make; else None."""
        place, inside = self.position, list[Token]()
        if not self.accept("{"):
            return None
        while self.here.kind in ("number", "letter"):
            inside.append(self.take())
        text = "".join(token.text for token in inside)
        if not self.accept("}") or not text.isalnum() or not any(token.kind == "number" for token in inside):
            self.position = place
            return None
        return read_number(text) if text.isdigit() else Symbol(f"overline {text}")

    def points(self) -> Node:
        """The letters of an angle or a triangle: ABC."""
        letters = []
        while self.here.kind == "letter" and (self.here.text.isupper() or not letters):
            letters.append(Symbol(self.take().text))
        if not letters:
            raise Unreadable("an angle without its letters")
        return Product(tuple(letters)) if len(letters) > 1 else letters[0]
