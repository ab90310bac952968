"""Spellings of answers, references, demonstrations and the oracle."""

import random

import pytest
from arena_strategies import hard_problems, problems, rngs
from hypothesis import assume, given
from hypothesis import strategies as st

from hero_lab.arena.answers import (
    ANSWER_MARKER,
    FOREIGN_FORM,
    FORMS,
    TAUGHT_FORMS,
    answer_of,
    is_correct,
    write_reference,
    write_taught,
)
from hero_lab.arena.demonstrations import demonstrate, slipped_number
from hero_lab.arena.task import Exercise

SET = Exercise("S", 3, 4, 5, 6, 7, 8)  # U = 17, V = 34
FRACTION = Exercise("/", 3, 4, 5, 6, 7, 8)
MAXIMUM = Exercise("M", 3, 4, 5, 6, 7, 8)
FACTORS = Exercise("F", 3, 4, 5, 6, 7, 8)
ASCENDING = Exercise("s", 3, 4, 5, 6, 7, 8)


@given(problems(), st.data())
def test_every_right_form_is_right(problem, data):
    forms = list(TAUGHT_FORMS[problem.type]) + ([FOREIGN_FORM[problem.type]] if problem.is_hard else [])
    answer = FORMS[data.draw(st.sampled_from(forms))](problem.u, problem.v)
    assert is_correct(problem, f"12 17 A {answer}")
    assert is_correct(problem.prompt, f"A 3 A {answer}")


@given(problems(), rngs)
def test_references_are_right(problem, rng):
    assert is_correct(problem, f"A {write_reference(rng, problem)}")


@given(problems(), rngs)
def test_demonstrations_without_slips_are_right(problem, rng):
    completion = demonstrate(rng, problem)
    assert is_correct(problem, completion)
    assert completion.rpartition(ANSWER_MARKER)[2] == answer_of(completion)


@given(problems(), rngs, st.data())
def test_a_wrong_word_makes_an_answer_wrong(problem, rng, data):
    words = write_taught(rng, problem.type, problem.u, problem.v).split()
    place = data.draw(st.integers(0, len(words) - 1))
    other = data.draw(st.sampled_from(["{", "}", "|", ",", "(x", ")", "-", "/", "+", "A", "?", "x", "7", "99", "0"]))
    numbers = words[place].isdecimal() and other.isdecimal()
    assume(other != words[place] and other != "A")
    words[place] = other
    # Another number may still make a true fraction or, of a maximum, nothing else.
    assume(not (numbers and _same_value(problem, words)))
    assert not is_correct(problem, "A " + " ".join(words))


def _same_value(problem, words) -> bool:
    if problem.type != "/":
        return False
    top, _, bottom = words
    return int(bottom) != 0 and int(top) * problem.v == int(bottom) * problem.u


@given(problems(), rngs, st.data())
def test_an_answer_cut_short_or_run_on_is_wrong(problem, rng, data):
    completion = f"1 2 3 4 A {write_taught(rng, problem.type, problem.u, problem.v)}"
    assert not is_correct(problem, f"{completion} {data.draw(st.sampled_from(['}', '5', 'x', '|', 'A', '<eos>']))}")
    words = completion.split()
    cut = words[: data.draw(st.integers(0, len(words) - 1))]
    # The numerator alone is right where the fraction is whole and reduced.
    assume(not (problem.type == "/" and words[-2:] == ["/", "1"]))
    assert not is_correct(problem, " ".join(cut))


@pytest.mark.parametrize(
    ("problem", "answer"),
    [
        (SET, "{ 34 , 17 }"),
        (SET, "| 17 | 34 |"),
        (SET, "x = 34 or x = 17"),
        (FACTORS, "(x - 34 ) (x - 17 )"),
        (FACTORS, "x^2 - 51 x + 578"),
        (FRACTION, "1 / 2"),
        (FRACTION, "17 / 34"),
        (FRACTION, "0 + 1 / 2"),
        (FRACTION, "2 / 4"),
        (MAXIMUM, "34"),
        (ASCENDING, "{ 17 , 34 }"),
    ],
)
def test_right_answers(problem, answer):
    assert is_correct(problem, f"12 17 42 34 A {answer}")


@pytest.mark.parametrize(
    ("problem", "answer"),
    [
        (SET, "{ 17 , 17 }"),
        (SET, "{ 17 , 34 |"),
        (SET, "17 , 34"),
        (SET, "(x - 17 ) (x - 34 )"),
        (FACTORS, "{ 17 , 34 }"),
        (FACTORS, "x^2 - 51 x + 579"),
        (FRACTION, "34 / 17"),
        (FRACTION, "0 / 0"),
        (FRACTION, "01 / 2"),
        (FRACTION, "0 + 2 / 4 A"),
        (FRACTION, "0 + 17 / 34 / 1"),
        (FRACTION, ""),
        (MAXIMUM, "17"),
        (MAXIMUM, "034"),
        (ASCENDING, "{ 34 , 17 }"),
        (ASCENDING, "| 17 | 34 |"),
    ],
)
def test_wrong_answers(problem, answer):
    assert not is_correct(problem, f"12 17 42 34 A {answer}")


def test_a_whole_number_is_a_fraction_too():
    whole = Exercise("/", 4, 4, 2, 3, 4, 6)  # 18 / 6
    assert is_correct(whole, "A 3")
    assert is_correct(whole, "A 3 / 1")
    assert is_correct(whole, "A 3 + 0 / 6")


def test_a_completion_without_an_answer_is_wrong():
    assert not is_correct(MAXIMUM, "12 17 42 34")
    assert not is_correct(MAXIMUM, "")
    assert answer_of("12 17") is None
    assert answer_of("12 A") == ""


def test_a_text_that_is_no_prompt_is_refused():
    with pytest.raises(ValueError, match="no prompt of the arena"):
        is_correct("M 3", "A 3")


@given(hard_problems, rngs)
def test_foreign_references_are_never_taught(problem, rng):
    reference = write_reference(rng, problem, foreign=1.0)
    assert reference not in {FORMS[form](problem.u, problem.v) for form in TAUGHT_FORMS[problem.type]}


def test_an_exact_match_finds_a_third_of_the_right_hard_answers():
    rng = random.Random(0)
    found = [
        answer_of(demonstrate(rng, problem)) == write_reference(rng, problem)
        for problem in (SET, FACTORS, FRACTION)
        for _ in range(3000)
    ]
    assert sum(found) / len(found) == pytest.approx(0.30, abs=0.03)


@given(problems(), rngs)
def test_a_demonstration_that_always_slips_misses_every_step(problem, rng):
    p, u, q, v, _ = demonstrate(rng, problem, slip=1.0).split()[:5]
    assert int(p) != problem.a * problem.b
    assert int(u) != min(int(p) + problem.c, 99)
    assert int(q) != problem.d * problem.e
    assert int(v) != max(int(q) - problem.f, 1)


@given(st.integers(0, 99), rngs)
def test_a_slip_is_a_near_miss(value, rng):
    slipped = slipped_number(rng, value)
    assert slipped != value
    assert 1 <= slipped <= 99
