"""What words and signs around numbers mean: laws that hold for any numbers, not for single pairs."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hero_rl.verifiers import MathVerifier


def accepts(reference, answer):
    return MathVerifier().judge(reference, answer).value == 1.0


def accepts_text(reference, completion):
    return MathVerifier().verify(reference, completion).value == 1.0


# Division with a remainder

DIVISIONS = (
    "{0} R {1}",
    r"{0}\text{{ R }}{1}",
    "{0} remainder {1}",
    r"{0}\text{{ with a remainder of }}{1}",
    "quotient {0}, remainder {1}",
    r"\text{{quotient: }}{0},\ \text{{remainder: }}{1}",
    r"\text{{remainder }}{1} \text{{ and quotient }}{0}",
)
divisions = st.sampled_from(DIVISIONS)
small = st.integers(0, 60)


@settings(max_examples=60)
@given(divisions, divisions, small, small)
def test_a_division_is_its_quotient_and_its_remainder(one, other, quotient, remainder):
    reference = one.format(quotient, remainder)
    assert accepts(reference, other.format(quotient, remainder))
    assert not accepts(reference, other.format(quotient, remainder + 1))
    assert not accepts(reference, str(quotient))
    if quotient != remainder:
        assert not accepts(reference, other.format(remainder, quotient))


# Extremes

MAXIMA = (
    r"\text{{max}} = {}",
    "maximum: {}",
    r"\text{{maximum value }} {}",
    r"\text{{The greatest value is }} {}",
    "max {}",
)
MINIMA = (
    r"\text{{min}} = {}",
    "minimum: {}",
    r"\text{{minimum value }} {}",
    r"\text{{The least value is }} {}",
    "min {}",
)
CLOSINGS = (
    "So the function has {}: {}",
    "Therefore, the {} is {}.",
    "Hence the {} value is ${}$.",
    "The {} of it equals {}.",
)
numbers = st.integers(-50, 50)


@settings(max_examples=60)
@given(st.sampled_from(MAXIMA), st.sampled_from(MAXIMA), st.sampled_from(MINIMA), numbers)
def test_a_maximum_is_no_minimum(one, other, opposite, number):
    assert accepts(one.format(number), other.format(number))
    assert accepts(one.format(number), str(number))
    assert accepts(str(number), other.format(number))
    assert not accepts(one.format(number), opposite.format(number))
    assert not accepts(one.format(number), other.format(number + 1))


@settings(max_examples=40)
@given(st.sampled_from(MAXIMA), st.sampled_from(CLOSINGS), numbers)
def test_a_closing_sentence_says_which_end_its_value_is(maximum, closing, number):
    assert accepts_text(maximum.format(number), closing.format("maximum", number))
    assert accepts_text(str(number), closing.format("minimum", number))
    assert accepts_text(f"m = {number}", closing.format("minimum", number))
    assert not accepts_text(maximum.format(number), closing.format("minimum", number))


# And, or

letters = st.lists(st.sampled_from("pqrst"), min_size=2, max_size=4, unique=True)


@settings(max_examples=40)
@given(letters, st.randoms(use_true_random=False))
def test_and_is_not_or_between_letters(names, draw):
    other = draw.sample(names, len(names))
    for one, two in ((r" \wedge ", r" \vee "), (r"\text{ and }", r"\text{ or }")):
        assert accepts(one.join(names), one.join(other))
        assert not accepts(one.join(names), two.join(other))
        assert not accepts(two.join(names), one.join(other))


@pytest.mark.parametrize("join", [r"\text{ and }", r"\text{ or }", ", "])
def test_and_is_or_between_values_of_an_unknown(join):
    assert accepts(r"x = 1 \text{ or } x = 2", join.join(("x = 2", "x = 1")))


# Units

WORTH = [
    (r"\text{ km}", r"\text{ m}", 1000),
    ("m", "cm", 100),
    (r"\text{ ft}", r"\text{ in}", 12),
    (" yards", " feet", 3),
    (r"\text{ miles}", r"\text{ yards}", 1760),
    (r"\text{ m}^2", r"\text{ cm}^2", 10_000),
    (r"\text{ m}^3", r"\text{ L}", 1000),
    (r"\text{ kg}", " grams", 1000),
    (r"\text{ lb}", r"\text{ oz}", 16),
    (r"\text{ hours}", r"\text{ min}", 60),
    (r"\text{ m/s}", r"\,\mathrm{km/h}", Fraction(18, 5)),
    (r"\text{ g/cm}^3", r"\text{ kg/m}^3", 1000),
    (r"\text{ kN}", r"\text{ N}", 1000),
    (r"\text{ MW}", r"\text{ kW}", 1000),
    (r"\text{ W}", r"\text{ J/s}", 1),
    (r"\text{ A}", r"\text{ mA}", 1000),
    (r"\text{ k}\Omega", r"\ \Omega", 1000),
    (r"\text{ F}", r"\ \mu\text{F}", 10**6),
    (r"\text{ m}", r"\,\mathrm{\mu m}", 10**6),
    (" dollars", " cents", 100),
    (r"\text{ kWh}", r"\text{ MJ}", Fraction(18, 5)),
]


@pytest.mark.parametrize(("larger", "smaller", "worth"), WORTH)
@settings(max_examples=8)
@given(number=st.integers(2, 400))
def test_a_measure_is_the_same_in_another_unit_of_its_kind(larger, smaller, worth, number):
    one, other = f"{number}{larger}", f"{decimal(number * Fraction(worth))}{smaller}"
    assert accepts(one, other)
    assert accepts(other, one)
    assert not accepts(one, f"{decimal((number + 1) * Fraction(worth))}{smaller}")
    if worth != 1:
        assert not accepts(one, f"{number}{smaller}")
        assert not accepts(one, f"{decimal(number / Fraction(worth))}{smaller}")


def decimal(value):
    """The very value, as a decimal where that ends soon."""
    value = Fraction(value)
    text = f"{float(value):.9f}".rstrip("0").rstrip(".")
    return text if Fraction(text) == value else rf"\frac{{{value.numerator}}}{{{value.denominator}}}"


@pytest.mark.parametrize(("larger", "smaller", "worth"), WORTH)
@pytest.mark.parametrize("other", [r"\text{ K}", r"\text{ mol}", r"\text{ m}^4", " people"])
def test_measures_of_different_kinds_never_agree(larger, smaller, worth, other):
    for unit in (larger, smaller):
        for number in (1, worth, 7 * worth):
            assert not accepts(f"7{unit}", f"{decimal(number)}{other}")


@settings(max_examples=40)
@given(st.integers(1, 30), st.integers(0, 11))
def test_feet_and_inches_are_one_length(feet, inches):
    reference = f"{feet} feet {inches} inches"
    for said in (f"{feet}'{inches}\"", rf"{feet}\text{{ ft }}{inches}\text{{ in}}", f"{12 * feet + inches} inches"):
        assert accepts(reference, said)
        assert accepts(said, reference)
    if inches >= 5:  # 10 feet 1 inch are 10.1 feet, rounded
        assert not accepts(reference, f"{feet}.{inches} feet")
    assert not accepts(reference, f"{12 * feet + inches + 1} inches")
    assert not accepts(reference, f"{feet} inches")
