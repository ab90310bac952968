"""References before a run: as text, and judged by themselves."""

import math

import pytest
from hostile_verifiers import Runner

from hero_rl.errors import ConfigError
from hero_rl.verifiers import (
    Cascade,
    ExactVerifier,
    MathVerifier,
    Reason,
    Supervised,
    Verdict,
    check_references,
    reference_text,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("72", "72"),
        (72, "72"),
        (-3, "-3"),
        (0.5, "0.5"),
        (True, "true"),
        (["7", "seven"], '["7", "seven"]'),
        ([1, 2], "[1, 2]"),
        ({"ground_truth": "3", "style": "rule"}, "3"),
        ({"answer": {"ground_truth": 5}}, "5"),
        ({"value": "é"}, '{"value": "é"}'),
    ],
)
def test_a_reference_as_text(value, text):
    assert reference_text(value) == text


@pytest.mark.parametrize("value", [None, b"7", object()])
def test_what_is_no_reference_is_refused(value):
    with pytest.raises(TypeError, match=type(value).__name__):
        reference_text(value)


READABLE = ["72", r"\frac{1}{2}", 5, r"x = \boxed{3}", "(1, 2)"]
UNREADABLE = ["", "see the figure on page 3, part (b) of the text; it is left to the reader", None]


def test_what_cannot_be_read_is_found_and_named():
    found = check_references([*READABLE, *UNREADABLE, *READABLE], MathVerifier())
    assert found.checked == len(READABLE) + 2  # None and the blank one are the same
    assert found.unreadable == ("", UNREADABLE[1])
    assert found.share == pytest.approx(2 / 7)
    assert "28.6% of 7" in str(found) and "see the figure" in str(found) and "verifier.type" in str(found)


def test_what_the_verifier_fails_on_is_told_apart_from_what_it_cannot_read():
    with Supervised(Runner(), workers=1) as supervised:
        some = check_references(["5", "", "do:nonsense", "do:abstain"], supervised)
        every = check_references(["do:fail 1", "do:nonsense 2"], supervised)
    assert (some.crashed, some.unreadable, some.share) == (("do:nonsense",), ("", "do:abstain"), 0.75) and some.works
    assert "TypeError: the verifier returned a float, not a Verdict" in str(some)
    assert "25.0% of 4 references make the verifier fail" in str(some) and "50.0% of 4 references cannot be" in str(
        some
    )
    assert every.crashed == ("do:fail 1", "do:nonsense 2") and not every.works
    assert "cannot be read" not in str(every)


def test_a_verifier_that_fails_on_the_first_few_is_asked_no_more():
    asked = []

    class Broken:
        def verify(self, reference, completion):
            asked.append(reference)
            raise ValueError("no")

    found = check_references(range(100), Broken())
    assert (found.checked, found.works, len(set(asked))) == (4, False, 4) and found.crashed[-1] == "75"


def test_a_verifier_in_this_process_may_fail_too():
    found = check_references(["do:fail", "5"], Runner())
    assert found.crashed == ("do:fail",) and found.failure == "ValueError: no"
    with pytest.raises(ConfigError, match="verifier: the verifier returned a float, not a Verdict"):
        check_references(["do:nonsense"], Runner())


def test_all_is_well():
    found = check_references(READABLE, MathVerifier())
    assert (found.share, found.unreadable) == (0, ()) and "all of 5" in str(found)
    assert check_references([], MathVerifier()).share == 0


def test_supervised_says_the_same():
    with Supervised(MathVerifier(), workers=1) as supervised:
        assert check_references([*READABLE, *UNREADABLE], supervised) == check_references(
            [*READABLE, *UNREADABLE], MathVerifier()
        )


def test_a_sample_is_spread_over_all():
    found = check_references([*range(100), *([""] * 5)], MathVerifier(), most=10)
    assert found.checked == 10
    assert check_references([*["1"] * 50, ""], MathVerifier(), most=10).unreadable == ("",)


class NeverRight:
    def verify(self, reference, completion):
        return Verdict.of(Reason.MISMATCH)


def test_a_reference_that_is_wrong_by_itself_counts():
    assert check_references(["1", "2"], NeverRight()).share == 1


def test_where_a_judge_decides_nothing_is_asked():
    class Judge:
        def verify(self, reference, completion):
            raise AssertionError

    found = check_references(["1", ""], Cascade(ExactVerifier(), Judge()))
    assert (found.checked, found.share) == (0, 0) and not math.isnan(found.share)


def test_a_verifier_with_a_form_of_its_own_is_asked_whether_it_abstains():
    from hero_rl.verifiers import ExactVerifier

    check = check_references(["4", "", "6"], ExactVerifier(marker="####"))
    assert check.unreadable == ("",)
