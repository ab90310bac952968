import math
import pickle

import pytest
from pydantic import TypeAdapter, ValidationError

from hero_rl.verifiers import AnyVerifier, ExactVerifier, MathVerify, Reason, Verdict, Verifier
from hero_rl.verifiers.base import best_of


@pytest.mark.parametrize("reason", Reason)
def test_each_reason_has_one_value(reason):
    verdict = Verdict.of(reason)
    assert verdict.value in (0.0, 1.0) or math.isnan(verdict.value)
    assert verdict.abstained == math.isnan(verdict.value)
    for other in {0.0, 1.0, math.nan} - {verdict.value}:
        if not (math.isnan(other) and verdict.abstained):
            with pytest.raises(ValueError, match=reason.name):
                Verdict(other, reason)


@pytest.mark.parametrize("reason", [Reason.TIMED_OUT, Reason.CRASHED, Reason.REFERENCE_UNREADABLE])
def test_infrastructure_failures_are_abstentions(reason):
    assert Verdict.of(reason).abstained


@pytest.mark.parametrize("reason", [Reason.NO_ANSWER, Reason.UNREADABLE_ANSWER, Reason.ANSWER_TOO_LONG])
def test_the_policys_failures_are_incorrect(reason):
    assert Verdict.of(reason).value == 0.0


@pytest.mark.parametrize("verifier", [ExactVerifier(marker=" A "), MathVerify(seconds=1)])
def test_verifiers_are_picklable_configuration_blocks(verifier):
    assert isinstance(verifier, Verifier)
    assert pickle.loads(pickle.dumps(verifier)) == verifier
    assert TypeAdapter(AnyVerifier).validate_python(verifier.model_dump()) == verifier
    with pytest.raises(ValidationError, match="frozen"):
        verifier.type = "other"


def test_a_misspelt_setting_is_refused():
    with pytest.raises(ValidationError, match="markr"):
        TypeAdapter(AnyVerifier).validate_python({"type": "exact", "markr": "A"})


@pytest.mark.parametrize(
    ("reasons", "best"),
    [
        ([Reason.MISMATCH, Reason.MATCHED_BY_VALUE], Reason.MATCHED_BY_VALUE),
        ([Reason.TIMED_OUT, Reason.MATCHED_EXACTLY], Reason.MATCHED_EXACTLY),
        ([Reason.MISMATCH, Reason.TIMED_OUT], Reason.TIMED_OUT),
        ([Reason.REFERENCE_UNREADABLE, Reason.MISMATCH], Reason.MISMATCH),
        ([Reason.REFERENCE_UNREADABLE, Reason.REFERENCE_UNREADABLE], Reason.REFERENCE_UNREADABLE),
    ],
)
def test_the_best_word_of_several_references(reasons, best):
    verdicts = [Verdict.of(reason, "7", seconds=0.25) for reason in reasons]
    for order in (verdicts, verdicts[::-1]):
        assert best_of(order) == Verdict.of(best, "7", seconds=0.5)
