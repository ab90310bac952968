"""Lettered choices: where the letter is read, and where there is none."""

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hero_rl.verifiers import MultipleChoiceVerifier, Reason


@pytest.mark.parametrize(
    ("completion", "letter"),
    [
        (r"So \boxed{C}", "C"),
        (r"\boxed{\text{(C)}}", "C"),
        (r"\boxed{C. Mercury}", "C"),
        (r"\boxed{B} no, \boxed{C}", "C"),
        ("A is wrong, B is too. The answer is C.", "C"),
        ("The correct answer is (C) Mercury", "C"),
        ("**Answer: C**", "C"),
        ("**Answer:** C", "C"),
        ("The best choice is option C, since A is absurd", "C"),
        ("the answer is c", "C"),
        ("First I thought the answer was A.\nC", "C"),
        ("<think>The answer is B</think>The answer is C", "C"),
        ("(C)", "C"),
        ("I cannot tell.", None),
        ("A cat is an animal", None),
        ("The answer is a cat", None),
        ("The answer is Mercury", None),
        ("<think>The answer is C", None),
        (r"\boxed{7}", None),
        ("", None),
    ],
)
def test_the_letter_that_is_chosen(completion, letter):
    said = MultipleChoiceVerifier().verify("C", completion)
    assert said.answer == letter
    assert said.value == (letter == "C")
    assert said.reason == (Reason.NO_ANSWER if letter is None else Reason.MATCHED_EXACTLY)


@pytest.mark.parametrize("reference", ["", "Mercury", "CD", "7", "Z"])
def test_a_reference_that_is_no_choice_is_no_verdict(reference):
    said = MultipleChoiceVerifier().verify(reference, "The answer is C")
    assert math.isnan(said.value) and said.reason is Reason.REFERENCE_UNREADABLE


def test_letters_beyond_the_choices_are_no_answer():
    assert MultipleChoiceVerifier(choices=4).verify("D", "The answer is E").reason is Reason.NO_ANSWER
    assert MultipleChoiceVerifier(choices=4).verify("(d)", "The answer is D").value == 1


@given(st.text())
def test_no_completion_raises(text):
    assert MultipleChoiceVerifier().verify("A", text).value in (0, 1)


@pytest.mark.parametrize("piece", ["answer is ", "**", r"\boxed{", "(", "answer: (", r"\text{"])
def test_hostile_completions_take_no_time(piece):
    start = time.perf_counter()
    MultipleChoiceVerifier().verify("A", piece * 200_000)
    assert time.perf_counter() - start < 5
