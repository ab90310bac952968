"""The oracle of word problems: the value, whatever stands around it."""

import pytest

from hero_lab.words.oracle import ByValue, by_value, is_bare


@pytest.mark.parametrize(
    "said",
    [
        "17",
        "17 new shirts",
        "new shirts: 17",
        "$17",
        "17.",
        "17.0 m",
        "(17)",
        "plums - 17",
        "plums not eaten: 17",
        "-5 + 22 = ?\nThe answer is 17 glue sticks",
    ],
)
def test_the_value_counts_whatever_its_unit(said):
    assert by_value("17", f"20-3=17\nThe answer is {said}") == 1.0


@pytest.mark.parametrize(
    "response",
    [
        "The answer is 18 new shirts",
        "The answer is -17",
        "The answer is 17 of 18",
        "The answer is 17/2",
        "The answer is x17",
        "The answer is minus 17 m",
        "The answer is \u221217",
        "The answer is not 17 m",
        "The answer is no 17",
        "The answer is 1,7",
        "The answer is",
        "17 is no answer. The answer is 16",
        "The answer is 17. The answer is 16.",
        "",
    ],
)
def test_another_value_is_wrong(response):
    assert by_value("17", response) == 0.0


def test_thousands_decimals_and_other_forms():
    assert by_value("1200", "The answer is 1,200 cards") == 1.0
    assert by_value("0.5", "The answer is 0.50 kg") == 1.0
    assert by_value("0.5", "The answer is 1/2") == 1.0
    assert by_value("17", "\\boxed{17}") == 1.0
    assert by_value("1234567", "The answer is 1,234,567 m") == 1.0
    assert by_value("12", "The answer is 1,2 m") == 0.0


@pytest.mark.parametrize("said", ["-5", "\u22125 degrees", "- 5", "degrees: - 5", "minus 5 degrees", "negative 5"])
def test_a_minus_is_read_in_all_its_forms(said):
    assert by_value("-5", f"The answer is {said}") == 1.0
    assert by_value("5", f"The answer is {said}") == 0.0


def test_a_bare_number_has_no_unit():
    bare = ["The answer is 17", "3+4=7\nThe answer is 1,200.50.", "The answer is $5"]
    assert [is_bare(response) for response in bare] == [1.0] * 3
    other = ["The answer is 17 m", "The answer is m: 17", "17", "The answer is", "The answer is 1 or 2"]
    assert [is_bare(response) for response in other] == [0.0] * 5


def test_as_an_auditor_it_takes_the_number_in_front_of_a_reference():
    said = ["The answer is 17 new shirts", "The answer is 18 shirts", "17"]
    verdicts = ByValue().verify_batch([("17 shirts", text) for text in said] + [("17", said[0])])
    assert [verdict.value for verdict in verdicts] == [1.0, 0.0, 1.0, 1.0]
