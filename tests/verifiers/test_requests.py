"""Verifiers that read a whole request: reference of any JSON, prompt, messages, the row's columns."""

import math
from collections import Counter

import pytest
from hostile_verifiers import ShareOfTests

from hero_rl import Scorer
from hero_rl.verifiers import ExactVerifier, JudgeVerifier, MathVerifier, Reason, Request, Supervised, Verdict
from hero_rl.verifiers.base import best_of, split, takes_requests, verdicts_of

TESTS = {"tests": ["a", "b", "c", "d"]}


class Texts:
    def verify(self, reference, completion, strict=False):
        return Verdict.of(Reason.MATCHED_EXACTLY if reference == completion else Reason.MISMATCH)


class Nothing:
    def verify(self):
        return Verdict.of(Reason.MISMATCH)


class Three:
    def verify(self, reference, completion, question):
        return Verdict.of(Reason.MISMATCH)


def test_the_signature_says_what_a_verifier_reads():
    assert takes_requests(ShareOfTests())
    for verifier in (Texts(), ExactVerifier(), MathVerifier(), JudgeVerifier(url="http://localhost:1")):
        assert not takes_requests(verifier)
    for verifier, count in ((Nothing(), 0), (Three(), 3)):
        with pytest.raises(TypeError, match=f"{type(verifier).__name__}.verify takes {count} arguments"):
            takes_requests(verifier)


@pytest.mark.parametrize("value", [-0.1, 1.1, math.inf, True + 1])
def test_a_verdict_lies_between_0_and_1(value):
    with pytest.raises(ValueError, match="between 0 and 1"):
        Verdict(value, "half of it")


def test_a_reason_is_ours_or_a_short_text():
    assert Verdict(0.5, "3 of 6").reason == "3 of 6"
    assert Verdict(0.0, "mismatch").reason is Reason.MISMATCH
    assert str(Reason.MISMATCH) == f"{Reason.MISMATCH}" == "mismatch"
    with pytest.raises(ValueError, match="MISMATCH has value"):
        Verdict(0.5, "mismatch")
    for text in ("", " ", "x" * 201):
        with pytest.raises(ValueError, match="1 to 200 characters"):
            Verdict(0.5, text)
    with pytest.raises(TypeError, match="int"):
        Verdict(0.5, 3)  # pyright: ignore[reportArgumentType]


def test_the_best_of_several_is_the_highest_and_a_failure_might_have_said_so():
    low, high, failed = Verdict(0.25, "one"), Verdict(0.75, "three"), Verdict.of(Reason.TIMED_OUT)
    assert best_of([low, high]).reason == best_of([high, low]).reason == "three"
    assert best_of([high, failed]).reason is Reason.TIMED_OUT


def test_several_right_answers_are_split_for_texts_and_whole_in_requests():
    request = Request(["1", 2], "2")
    assert [each.reference for each in split(ExactVerifier(), request)] == ["1", "2"]
    assert split(ShareOfTests(), request) == [request]


@pytest.fixture(scope="module")
def supervised():
    with Supervised(ShareOfTests(), workers=1, seconds=30, memory_mb=512) as verifier:
        yield verifier


def test_a_request_goes_whole_through_a_process(supervised):
    said = [{"role": "assistant", "content": "ab"}]
    request = Request(TESTS, "ab", "why?", [{"role": "user", "content": "why?"}], said, {"unit": "cm", "n": [1, None]})
    (direct,) = verdicts_of(ShareOfTests(), [request])
    (verdict,) = verdicts_of(supervised, [request])
    assert (verdict.value, verdict.reason, verdict.answer) == (0.5, "2 of 4", "cm why? assistant")
    assert (direct.value, direct.reason, direct.answer) == (0.5, "2 of 4", "cm why? assistant")


def test_checks_are_equal_where_all_that_is_read_is(supervised):
    before = Counter(supervised.counters)
    rows = [Request(TESTS, "a", columns={"unit": unit}) for unit in ("cm", "m", "cm")]
    assert [verdict.answer for verdict in supervised.verify_batch(rows)] == ["cm", "m", "cm"]
    counted = {name: count - before[name] for name, count in supervised.counters.items()}
    assert (counted["judged"], counted["cache_hits"]) == (2, 1)


def test_an_answer_that_makes_a_verifier_of_requests_raise_is_wrong(supervised):
    row = Request(TESTS, "do it", columns={"unit": "cm", "raises": "do it"})
    for verifier in (supervised, ShareOfTests()):
        scored = Scorer(verifier).score(["?"], [row.completion], [row.reference], columns=[row.columns])
        assert (scored.verdict.tolist(), scored.reasons) == ([0.0], [Reason.UNREADABLE_ANSWER])


def test_a_row_on_which_the_verifier_never_works_abstains(supervised):
    for verifier in (supervised, ShareOfTests()):
        scored = Scorer(verifier).score(["?"], ["a"], [{"tests": []}], columns=[{"unit": "cm"}])
        assert scored.reasons == [Reason.CRASHED]
        assert scored.verdict.isnan().all()


def test_what_is_no_json_is_named(supervised):
    with pytest.raises(TypeError, match=r"requests\[1\] must hold JSON values"):
        supervised.verify_batch([Request(TESTS, "a"), Request(TESTS, "a", columns={"image": object()})])


def test_the_scorer_hands_over_columns_and_messages():
    seen = []

    class Seer:
        def verify(self, request):
            seen.append(request)
            return Verdict(0.5, "half")

    turns = [
        {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "add", "arguments": "{}"}}]},
        {"role": "tool", "content": "4"},
        {"role": "assistant", "content": "It is 4."},
    ]
    scored = Scorer(Seer()).score(["2 + 2?"], [turns], [[4, "four"]], columns=[{"level": 3}])
    (request,) = seen
    assert request.reference == [4, "four"]
    assert (request.completion, request.question, request.columns) == ("It is 4.", "2 + 2?", {"level": 3})
    assert [message["role"] for message in request.messages] == ["assistant", "tool", "assistant"]
    assert request.prompt == [{"role": "user", "content": "2 + 2?"}]
    assert (scored.verdict.tolist(), scored.reasons) == ([0.5], ["half"])
