"""Mixed data: a verifier for each domain, from Python, files of settings and datasets."""

import math
import pickle

import pytest
from hostile_verifiers import Obedient, ShareOfTests
from pydantic import TypeAdapter, ValidationError

from hero_rl import Scorer
from hero_rl.errors import DataError
from hero_rl.verifiers import (
    AnyVerifier,
    ByDomain,
    ByDomainVerifier,
    Cascade,
    ExactVerifier,
    MathVerifier,
    Processes,
    Reason,
    Request,
    Supervised,
    Verdict,
    in_processes,
)

TWO = ByDomain({"math": MathVerifier(), "words": ShareOfTests()})
TESTS = {"tests": ["a", "b"]}


def test_each_request_goes_to_the_verifier_of_its_domain_and_order_is_kept():
    words = Request(TESTS, "a", columns={"unit": "m"}, domain="words")
    rows = [words, Request("1/2", r"\boxed{0.5}", domain="math"), words, Request("1/2", "none", domain="math")]
    verdicts = TWO.verify_batch(rows)
    assert [verdict.value for verdict in verdicts] == [0.5, 1.0, 0.5, 0.0]
    assert TWO.verify(rows[1]).reason is Reason.MATCHED_SYMBOLICALLY or TWO.verify(rows[1]).value == 1.0


def test_a_batch_is_one_call_of_each_verifier():
    calls = []

    class Batches:
        def __init__(self, name):
            self.name, self.counters = name, {"calls": 1}

        def verify_batch(self, requests):
            calls.append((self.name, len(requests)))
            return [Verdict(0.5, self.name)] * len(requests)

    both = ByDomain({"a": Batches("a"), "b": Batches("b")}, default=Batches("rest"))
    rows = [Request("1", "1", domain=domain) for domain in "abcab"] + [Request("1", "1")]
    assert [verdict.reason for verdict in both.verify_batch(rows)] == ["a", "b", "rest", "a", "b", "rest"]
    assert sorted(calls) == [("a", 2), ("b", 2), ("rest", 2)]
    assert both.counters == {"calls": 3}
    assert Scorer(both).score([], [], []).counters["verifier/calls"] == 0


def test_the_first_failure_of_any_domain_is_told():
    several = ByDomain({"math": MathVerifier(), "words": Cascade(Supervised(Obedient(), workers=1), ExactVerifier())})
    scorer = Scorer(several)
    assert scorer.first_crash([Reason.CRASHED]) == ""
    with several:
        several.verify(Request("do:fail", "do:fail", domain="words"))
    assert "ValueError: no" in scorer.first_crash([Reason.CRASHED])
    assert scorer.first_crash([Reason.TIMED_OUT]) == ""


@pytest.mark.parametrize("domain", ["code", ""])
def test_a_row_without_a_verifier_is_named(domain):
    with pytest.raises(DataError, match=r"requests\[1\].*known: 'math', 'words'"):
        TWO.verify_batch([Request("1", "1", domain="math"), Request("1", "1", domain=domain)])
    with pytest.raises(DataError, match="train row 3"):
        TWO.check(["math", domain], ["train row 2", "train row 3"])


def test_a_verifier_that_fails_costs_verdicts_in_its_domain_alone():
    class Broken:
        def verify_batch(self, requests):
            raise OSError("gone")

    both = ByDomain({"math": MathVerifier(), "broken": Broken()})
    rows = [Request("1", "1", domain="broken"), Request("1", r"\boxed{1}", domain="math")]
    verdicts = both.verify_batch(rows)
    assert [verdict.reason for verdict in verdicts] == [Reason.CRASHED, Reason.MATCHED_EXACTLY]


def test_of_several_right_answers_any_is_right_for_a_verifier_of_texts():
    scored = Scorer({"math": MathVerifier()}).score(["?"] * 2, [r"\boxed{2}"] * 2, [[1, "2"], 2], domains=["math"] * 2)
    assert scored.verdict.tolist() == [1.0, 1.0]


def test_a_mapping_of_settings_runs_as_it_would_alone():
    block = {"verifiers": {"math": {"type": "math"}, "word": {"type": "exact", "case_sensitive": False}}}
    settings = TypeAdapter(AnyVerifier).validate_python({"type": "by_domain"} | block)
    assert isinstance(settings, ByDomainVerifier) and pickle.loads(pickle.dumps(settings)) == settings
    assert settings.verify(Request("Yes", "yes", domain="word")).value == 1.0
    with in_processes(settings, Processes(workers=1)) as running:
        assert isinstance(running.verifiers["math"], Supervised)
        assert isinstance(running.verifiers["word"], ExactVerifier)
        rows = [Request("yes", "Yes", domain="word"), Request("7", r"\boxed{7.0}", domain="math")]
        assert [verdict.value for verdict in running.verify_batch(rows)] == [1.0, 1.0]
        assert running.counters["checks"] == 1


@pytest.mark.parametrize(("block", "place"), [({}, "verifiers"), ({"math": {"type": "mth"}}, "math"), ({"a": 1}, "a")])
def test_a_mapping_of_mistakes_is_refused(block, place):
    with pytest.raises(ValidationError, match=place):
        TypeAdapter(AnyVerifier).validate_python({"type": "by_domain", "verifiers": block})


def test_a_domain_may_have_no_verifier_on_purpose():
    class FormatOnly:
        needs_reference = False

        def verify(self, request):
            return Verdict(float(request.completion.isupper()), "upper case")

    both = ByDomain({"math": MathVerifier(), "chat": None, "shout": FormatOnly()})
    rows = [("1", "a", "chat"), (None, r"\boxed{1}", "math"), ("1", r"\boxed{1}", "math"), (None, "A", "shout")]
    requests = [Request(reference, said, domain=domain) for reference, said, domain in rows]
    verdicts = both.verify_batch(requests)
    assert [v.reason for v in verdicts[:2]] == [Reason.NO_VERIFIER] * 2
    assert [v.value for v in verdicts[2:]] == [1.0, 1.0]
    assert [both.applies(request) for request in requests] == [False, False, True, True]
    with pytest.raises(DataError, match="'code'"):
        both.verify_batch([Request("1", "1", domain="code")])
    with pytest.raises(ValueError, match="name one domain"):
        ByDomain({"chat": None})
    block = TypeAdapter(AnyVerifier).validate_python(
        {"type": "by_domain", "verifiers": {"m": {"type": "exact"}, "c": None}}
    )
    scored = Scorer(in_processes(block, Processes())).score(["p"] * 2, ["a"] * 2, ["a"] * 2, domains=["m", "c"])
    assert scored.unverified.tolist() == [False, True]
    assert (scored.counters["verifier/not_applied"], scored.counters["verifier/abstained"]) == (1, 0)


@pytest.mark.parametrize("reference", [None, "", " \n", math.nan, [], {}, [None, ""], [" "]])
def test_what_counts_as_no_reference(reference):
    said = Scorer(ExactVerifier()).score(["p"], ["a"], [reference])
    assert said.reasons == [Reason.NO_VERIFIER]


@pytest.mark.parametrize("reference", ["0", 0, 0.0, False, ["", "a"], {"a": None}])
def test_what_counts_as_a_reference(reference):
    assert Scorer(ExactVerifier()).score(["p"], ["a"], [reference]).reasons != [Reason.NO_VERIFIER]
