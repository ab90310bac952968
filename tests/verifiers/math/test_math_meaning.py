"""What words and signs around numbers mean: laws that hold for any numbers, not for single pairs."""

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
