"""The small functions that the maths verifier is made of: spelling, reading, rounding, equality, regions."""

from fractions import Fraction

import pytest

from hero_rl.verifiers.math.rules.intervals import same_region
from hero_rl.verifiers.math.rules.regions import is_region, region
from hero_rl.verifiers.math.text.spelling import key, respell
from hero_rl.verifiers.math.tree.formulas import (
    Call,
    Matrix,
    Number,
    Percent,
    Power,
    Product,
    Quotient,
    Ratio,
    Relation,
    Sequence,
    Sum,
    Symbol,
    Words,
)
from hero_rl.verifiers.math.tree.parser import parse
from hero_rl.verifiers.math.tree.tokens import Unreadable
from hero_rl.verifiers.math.values.equality import same_formula
from hero_rl.verifiers.math.values.rounding import is_rounding


def number(*parts):
    return Number(Fraction(*parts))


X, Y = Symbol("x"), Symbol("y")

NODES = [
    ("12", number(12)),
    ("-12", number(-12)),
    ("0.50", Number(Fraction(1, 2), digits=2, places=2)),
    ("1,234", number(1234)),
    (r"1\frac{1}{2}", number(3, 2)),
    ("x", X),
    (r"\pi", Symbol("pi")),
    ("x+y", Sum((X, Y))),
    ("xy", Product((X, Y))),
    ("x^2", Power(X, number(2))),
    (r"\frac{x}{2}", Quotient(X, number(2))),
    ("x/2", Quotient(X, number(2))),
    (r"\sqrt{x}", Call("root", (X, number(2)))),
    (r"\sin x", Call("sin", (X,))),
    (r"5\%", Percent(number(5))),
    ("1:2", Ratio((number(1), number(2)))),
    ("x=1", Relation((X, number(1)), ("=",))),
    ("1<x<=2", Relation((number(1), X, number(2)), ("<", "<="))),
    ("1, 2", Sequence("list", (number(1), number(2)))),
    ("(1, 2]", Sequence("tuple", (number(1), number(2)), "(", "]")),
    (r"\{1, 2\}", Sequence("set", (number(1), number(2)), "{", "}")),
    (r"\begin{pmatrix}1&2\end{pmatrix}", Matrix(((number(1), number(2)),))),
    (r"\text{no solution}", Symbol("empty")),
    (r"\text{no change}", Words("no change")),
]


@pytest.mark.parametrize(("text", "node"), NODES)
def test_readings(text, node):
    assert parse(text) == node


def test_a_comma_between_digits_may_part_items():
    assert parse("1,234", thousands=False) == Sequence("list", (number(1), number(234)))
    assert parse("(1,234)") == Sequence("tuple", (number(1), number(234)), "(", ")")


UNREADABLE = [
    "",
    "+",
    "1 +",
    "(1",
    "1)",
    "2 2",
    "é",
    r"\unknown",
    "1 2 3",
    r"\frac{1}",
    "x^",
    "[1)2",
    "(" * 200 + ")" * 200,
]


@pytest.mark.parametrize("text", UNREADABLE)
def test_what_the_grammar_does_not_know_is_unreadable(text):
    with pytest.raises(Unreadable):
        parse(text)


SPELLINGS = [
    (r"\dfrac{1}{2}", r"\frac{1}{2}"),
    (r"\left( x \right)", "(x)"),
    ("$x$", "x"),
    ("x²", "x^{2}"),
    ("x₁", "x_{1}"),
    ("−1", "-1"),
    (r"x \leq 1", r"x \le 1"),
    ("x ≤ 1", r"x \le 1"),
    (r"10{,}000", "10000"),
    (r"a\quad b", "a b"),
    (r"\displaystyle x", "x"),
    ("5\u200b", "5"),
    (r"\$5", r"5 \text{dollar}"),
    ("5.", "5"),
]


@pytest.mark.parametrize(("one", "other"), SPELLINGS)
def test_spellings_of_one_formula_have_one_key(one, other):
    assert key(respell(one)) == key(respell(other))


@pytest.mark.parametrize(
    ("one", "other"), [("2 2", "22"), ("x", "X"), ("x^{12}", "x^12"), ("(1]", "[1]"), ("1.5", "15")]
)
def test_different_formulas_have_different_keys(one, other):
    assert key(respell(one)) != key(respell(other))


@pytest.mark.parametrize("text", [r"\left(\dfrac{1}{2}, x²\right]", r"\$1{,}000", "½°", r"\text{A} \quad 5\,\%"])
def test_a_respelled_text_stays_as_it_is(text):
    assert key(respell(respell(text))) == key(respell(text))


ROUNDINGS = [
    (r"\frac{2}{3}", "0.667", 3, True),
    (r"\frac{2}{3}", "0.666", 3, False),
    (r"\frac{2}{3}", "0.67", 3, False),
    (r"\frac{2}{3}", "0.67", 2, True),
    (r"\frac{1}{8}", "0.13", 2, True),
    (r"\frac{1}{8}", "0.12", 2, False),
    (r"-\frac{1}{8}", "-0.13", 2, True),
    (r"-\frac{1}{8}", "-0.12", 2, False),
    (r"0.125", "0.13", 2, True),
    (r"\pi", "3.14", 3, False),
    (r"\pi", "3.142", 3, True),
    (r"\pi", "3.142", 4, False),
    ("3.142", r"\pi", 3, True),
    ("1234.567", "1230", 3, False),
    (r"6.674\times 10^{-11}", r"6.67\times 10^{-11}", 3, True),
    (r"6.674\times 10^{-11}", r"6.67\times 10^{-12}", 3, False),
    ("7", "7.004", 3, False),
    ("x", "1.000", 3, False),
    ("2", "2", 3, False),
]


@pytest.mark.parametrize(("one", "other", "digits", "expected"), ROUNDINGS)
def test_is_rounding(one, other, digits, expected):
    assert is_rounding(parse(respell(one)), parse(respell(other)), digits) is expected


FORMULAS = [
    ("(a+b)^2", "a^2+2ab+b^2", True),
    ("(a+b)^2", "a^2+b^2", False),
    (r"\sqrt{x^2}", "x", False),
    (r"\frac{x}{x}", "1", True),
    ("x", "y", False),
    (r"\frac{1}{0}", r"\frac{1}{0} + 1", False),
    (r"\sqrt{2}+\sqrt{3}", r"\sqrt{5+2\sqrt{6}}", True),
    (r"\sqrt{2}+\sqrt{3}", r"\sqrt{5+2\sqrt{6}} + 10^{-40}", False),
    ("(-1)^n", "1", False),
    ("x^3 - x", "0", False),
]


@pytest.mark.parametrize(("one", "other", "expected"), FORMULAS)
def test_same_formula(one, other, expected):
    assert same_formula(parse(one), parse(other)) is expected
    assert same_formula(parse(other), parse(one)) is expected


REGIONS = [
    ("x < 2", r"x \le 2", False),
    ("(0, 1)", "0 < x < 1", True),
    ("(0, 1)", "0 < x < 2", False),
    (r"(0, 1) \cup (1, 2)", "(0, 2)", False),
    (r"(0, 1] \cup (1, 2)", "(0, 2)", True),
    (r"(0, 2) \setminus \{1\}", r"(0, 1) \cup (1, 2)", True),
    (r"x \ne 0", r"\mathbb{R} \setminus \{0\}", True),
    ("(a, b)", "a < x < b", True),
    ("(a, b)", "b < x < a", False),
    ("x < 2", "y < 2", False),
]


@pytest.mark.parametrize(("one", "other", "expected"), REGIONS)
def test_same_region(one, other, expected):
    left, right = (region(parse(respell(text))) for text in (one, other))
    assert same_region(left, right, lambda end, twin: same_formula(end, twin)) is expected


def test_what_a_region_is():
    for text in ("x < 2", "(1, 2]", r"\{x \mid x > 2\}", r"(0, 1) \cup (2, 3)", r"\mathbb{R}", r"x \ne 2"):
        assert is_region(parse(respell(text))), text
    # A pair may be a point as well.
    for text in ("(1, 2)", "2", "x = 2", "(1, 2, 3)", r"\{1, 2\}", r"\mathbb{Q}"):
        assert not is_region(parse(respell(text))), text
    assert region(parse("x = 2")) is None
    assert region(parse("(1, 2, 3)")) is None
