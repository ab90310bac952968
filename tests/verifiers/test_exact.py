import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hero_rl.verifiers import ExactVerifier, Reason

CASES = [
    (ExactVerifier(), "4", "4", Reason.MATCHED_EXACTLY),
    (ExactVerifier(), "4", "  4\n", Reason.MATCHED_EXACTLY),
    (ExactVerifier(), "a b", "a \t\n b", Reason.MATCHED_EXACTLY),
    (ExactVerifier(), "ab", "a b", Reason.MISMATCH),
    (ExactVerifier(), "4", "It is 4", Reason.MISMATCH),
    (ExactVerifier(), "4", "", Reason.NO_ANSWER),
    (ExactVerifier(), "", "4", Reason.REFERENCE_UNREADABLE),
    (ExactVerifier(), " \n", " ", Reason.REFERENCE_UNREADABLE),
    (ExactVerifier(marker=" A "), "1 7", "P 3 U 4 A 1 7 ", Reason.MATCHED_EXACTLY),
    (ExactVerifier(marker=" A "), "17", "P A 17 A 18", Reason.MISMATCH),
    (ExactVerifier(marker=" A "), "18", "P A 17 A 18", Reason.MATCHED_EXACTLY),
    (ExactVerifier(marker=" A "), "17", "17", Reason.NO_ANSWER),
    (ExactVerifier(marker=" A "), "17", "17 A ", Reason.NO_ANSWER),
    (ExactVerifier(), "Paris", "paris", Reason.MISMATCH),
    (ExactVerifier(case_sensitive=False), "Paris", "PARIS", Reason.MATCHED_EXACTLY),
    (ExactVerifier(max_characters=3), "1234", "1234", Reason.ANSWER_TOO_LONG),
    (ExactVerifier(max_characters=4), "1234", " 1234 ", Reason.MATCHED_EXACTLY),
]


@pytest.mark.parametrize(("verifier", "reference", "completion", "reason"), CASES)
def test_cases(verifier, reference, completion, reason):
    assert verifier.verify(reference, completion).reason is reason


def test_the_answer_is_what_follows_the_last_marker():
    verdict = ExactVerifier(marker="####").verify("72", "#### 71, no: #### 72 \n")
    assert verdict.answer == "72"
    assert verdict.seconds >= 0


def test_a_too_long_answer_is_reported_cut():
    assert ExactVerifier(max_characters=3).verify("1", "12345").answer == "123"


def test_an_empty_marker_is_refused():
    with pytest.raises(ValidationError, match="marker"):
        ExactVerifier(marker="")


@given(reference=st.text(), completion=st.text(), marker=st.none() | st.text(min_size=1), cased=st.booleans())
def test_never_raises_and_only_an_empty_reference_abstains(reference, completion, marker, cased):
    verdict = ExactVerifier(marker=marker, case_sensitive=cased).verify(reference, completion)
    assert math.isnan(verdict.value) == (not reference.split())


@given(text=st.text().filter(str.strip))
def test_every_reference_is_its_own_answer(text):
    assert ExactVerifier().verify(text, text).value == 1.0
    assert ExactVerifier(marker="\0#").verify(text, "\0#" + text).value == 1.0
