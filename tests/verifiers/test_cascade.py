import math
import pickle

import pytest
from misbehaving_server import Server, answers, says, waits
from pydantic import TypeAdapter, ValidationError

from hero_rl.errors import ConfigError
from hero_rl.verifiers import ExactVerifier, MathVerifier
from hero_rl.verifiers.base import BatchVerifier, Reason, Request, Verdict, Verifier
from hero_rl.verifiers.cascade import Cascade, CascadeVerifier
from hero_rl.verifiers.judge import JudgeVerifier

RULE = ExactVerifier(marker="####")


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    with Server() as server:
        yield server


@pytest.fixture
def judge(server):
    judge = JudgeVerifier(url=server.url, seconds=5, retries=0)
    yield judge
    judge.close()


class Timid:
    """A rule that reads no reference: it abstains, with or without an answer found."""

    def verify(self, reference, completion):
        return Verdict.of(Reason.TIMED_OUT, completion.partition("####")[2].strip() or None, 0.5)


class Listed:
    """A judge of one's own: says one reason of all pairs, and keeps them."""

    def __init__(self, reason=Reason.MATCHED_BY_JUDGE):
        self.reason = reason
        self.batches = []

    def verify_batch(self, pairs):
        self.batches.append([pair.completion for pair in pairs])
        return [Verdict.of(self.reason, seconds=0.25) for _ in pairs]


def test_a_cascade_is_a_verifier_in_both_ways(judge):
    for cascade in (Cascade(RULE, judge), CascadeVerifier(rule=RULE, judge=judge)):
        assert isinstance(cascade, Verifier)
        assert isinstance(cascade, BatchVerifier)


def test_the_rule_s_one_stands_and_is_not_asked_about(server, judge):
    server.script = [says("Verdict: incorrect")]
    (opinions,) = Cascade(RULE, judge).verify_batch_with_opinions([("4", "#### 4")])
    assert opinions.verdict is opinions.rule
    assert opinions.judge is None
    assert not server.posts


@pytest.mark.parametrize(
    ("reply", "reason", "counted"),
    [
        ("Verdict: correct", Reason.MATCHED_BY_JUDGE, "overturned"),
        ("Verdict: incorrect", Reason.REJECTED_BY_JUDGE, "upheld"),
        ("Perhaps.", Reason.JUDGE_UNREADABLE, "judge_abstained"),
    ],
)
def test_the_judge_s_word_counts_on_the_rule_s_zero(server, judge, reply, reason, counted):
    server.script = [says(reply)]
    cascade = Cascade(RULE, judge)
    (opinions,) = cascade.verify_batch_with_opinions([Request("1/2", "#### one half", "What is 2/4?")])
    assert opinions.rule.reason is Reason.MISMATCH
    assert opinions.judge.reason is opinions.verdict.reason is reason
    assert opinions.verdict.answer == "one half"
    assert "What is 2/4?" in server.prompts[0]
    assert {name for name, count in cascade.counters.items() if count} == {"asked", counted}


def test_a_judge_that_is_down_never_makes_a_zero(server, judge):
    server.script = [answers(500)]
    values = [verdict.value for verdict in Cascade(RULE, judge).verify_batch([("4", "#### 5"), ("4", "#### 4")])]
    assert math.isnan(values[0])
    assert values[1] == 1


@pytest.mark.parametrize(
    ("reason", "counted"),
    [
        (Reason.MATCHED_BY_JUDGE, "decided"),
        (Reason.REJECTED_BY_JUDGE, "decided"),
        (Reason.JUDGE_UNREACHABLE, "judge_abstained"),
    ],
)
def test_where_the_rule_abstains_the_judge_decides(reason, counted):
    cascade = Cascade(Timid(), Listed(reason))
    verdict = cascade.verify("4", "#### 4")
    assert verdict.reason is reason
    assert verdict.answer == "4"
    assert verdict.seconds == 0.75
    assert cascade.counters == dict.fromkeys(cascade.counters, 0) | {"asked": 1, counted: 1}


def test_nothing_to_compare_is_not_sent():
    judge = Listed()
    reasons = [verdict.reason for verdict in Cascade(RULE, judge).verify_batch([("4", "no mark"), (" ", "#### 4")])]
    assert reasons == [Reason.NO_ANSWER, Reason.REFERENCE_UNREADABLE]
    assert judge.batches == [[]]


def test_the_budget_goes_to_rows_with_an_answer_first():
    judge = Listed()
    cascade = Cascade(Timid(), judge, budget=3)
    completions = ["a", "#### b", "c", "#### d", "e"]
    verdicts = cascade.verify_batch([("4", completion) for completion in completions])
    assert judge.batches == [["#### b", "#### d", "a"]]
    assert [verdict.value == 1 for verdict in verdicts] == [True, True, False, True, False]
    assert verdicts[2].reason is verdicts[4].reason is Reason.TIMED_OUT
    assert cascade.counters["over_budget"] == 2
    assert cascade.counters["asked"] == 3


def test_over_budget_the_rule_s_zero_stands(server, judge):
    cascade = CascadeVerifier(rule=RULE, judge=judge, budget=1)
    verdicts = cascade.verify_batch([("4", "#### four"), ("4", "#### vier")])
    assert [verdict.value for verdict in verdicts] == [1, 0]
    assert verdicts[1].reason is Reason.MISMATCH
    assert len(server.posts) == 1
    assert CascadeVerifier(rule=RULE, judge=judge, budget=0).verify("4", "#### four").value == 0


def test_order_is_kept(server, judge):
    by_word = says(lambda prompt: f"Verdict: {'correct' if 'four' in prompt else 'incorrect'}")
    server.script = [waits(0.1, by_word), by_word]  # the first to be asked is the last to answer
    completions = ["#### 4", "#### four", "none", "#### 5", "#### four!", "#### 4"]
    verdicts = Cascade(RULE, judge).verify_batch([("4", completion) for completion in completions])
    assert [verdict.value for verdict in verdicts] == [1, 1, 0, 0, 1, 1]


def test_a_wrong_setting_of_the_judge_is_raised(server, judge):
    server.script = [answers(401)]
    with pytest.raises(ConfigError):
        Cascade(RULE, judge).verify("4", "#### 5")


def test_a_part_that_loses_rows_is_an_error():
    class Short:
        def verify_batch(self, pairs):
            return []

    with pytest.raises(ValueError, match="Short returned 0 verdicts for 1 requests"):
        Cascade(Short(), Listed()).verify("4", "4")
    with pytest.raises(ValueError, match="budget"):
        Cascade(RULE, Listed(), budget=-1)


def test_an_empty_batch(judge):
    assert Cascade(RULE, judge).verify_batch([]) == []


def test_as_a_configuration_block():
    block = {"type": "cascade", "rule": {"type": "exact", "marker": "####"}, "judge": {"url": "http://host/v1"}}
    cascade = TypeAdapter(CascadeVerifier).validate_python(block)
    assert cascade.rule == RULE
    assert cascade.judge == JudgeVerifier(url="http://host")
    assert CascadeVerifier.model_validate_json(cascade.model_dump_json()) == cascade
    assert CascadeVerifier(judge=cascade.judge).rule == MathVerifier()
    for wrong in ({"budget": -1}, {"rule": {"type": "cascade"}}, {"jugde": {}}):
        with pytest.raises(ValidationError):
            CascadeVerifier(**{**block, **wrong})


def test_copies_count_for_themselves_and_follow_their_settings(server, judge):
    cascade = CascadeVerifier(rule=RULE, judge=judge)
    cascade.verify("4", "#### four")
    assert cascade.counters["overturned"] == 1
    unpickled = pickle.loads(pickle.dumps(cascade))
    frugal = cascade.model_copy(update={"budget": 0})
    assert unpickled == cascade
    assert unpickled.verify("4", "#### vier").value == 1
    assert frugal.verify("4", "#### quatre").value == 0
    assert cascade.counters["asked"] == unpickled.counters["asked"] == frugal.counters["over_budget"] == 1
    unpickled.judge.close()
    plain = pickle.loads(pickle.dumps(Cascade(RULE, judge, budget=2)))
    assert plain.verify("4", "#### cinq").value == 1
    plain.judge.close()
