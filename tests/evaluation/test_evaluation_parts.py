"""The parts of an evaluation: the journal that survives a kill, the votes, the settings."""

import json
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hero_rl.errors import DataError
from hero_rl.evaluation import EvalConfig
from hero_rl.evaluation.grading import Grade, _judged_text
from hero_rl.evaluation.numbers import Response, benchmark_numbers
from hero_rl.evaluation.responses import Responses, Wanted, wanted
from hero_rl.evaluation.settings import judge_identity, verifier_identity
from hero_rl.evaluation.statistics import maj_at_k
from hero_rl.evaluation.votes import votes
from hero_rl.files.journal import Journal
from hero_rl.generation import Generated, OpenAIGeneratorConfig
from hero_rl.problems import Problem
from hero_rl.rollouts import read_rollouts
from hero_rl.verifiers import JudgeVerifier, MathVerifier, Reason, Verdict

PROBLEM = Problem("p", "q", "1/2", "s", "q")


@given(
    st.lists(st.dictionaries(st.text(max_size=3), st.text() | st.integers(), max_size=3), max_size=6),
    st.integers(0, 400),
    st.binary(max_size=5),
)
def test_a_journal_that_was_cut_anywhere_keeps_its_whole_lines(tmp_path_factory, rows, cut, junk):
    path = tmp_path_factory.mktemp("journal") / "a.jsonl"
    lines = [json.dumps(row).encode() + b"\n" for row in rows]
    journal = Journal(path)
    offsets = journal.append(lines)
    assert [journal.at(offset) for offset in offsets] == rows
    journal.close()
    text = path.read_bytes()[:cut]
    path.write_bytes(text + junk.replace(b"\n", b""))
    again = Journal(path)
    whole = text.count(b"\n")
    assert [row for _, row in again.items()] == rows[:whole]
    (place,) = again.append([b'{"more": 1}\n'])
    assert again.at(place) == {"more": 1} and place == len(b"".join(lines[:whole]))
    again.close()
    assert path.read_bytes() == b"".join(lines[:whole]) + b'{"more": 1}\n'


@pytest.mark.parametrize("line", [b"[2]", b'{"a": ', b"\xff", b'{"b": 2}'])
def test_a_damaged_line_is_named_and_nothing_is_cut(tmp_path, line):
    text = b'{"a": 1}\n' + line + b'\n{"a": 3}\n'
    (tmp_path / "a.jsonl").write_bytes(text)
    with closing(Journal(tmp_path / "a.jsonl")) as journal, pytest.raises(DataError, match=r"a.jsonl:2: "):
        list(journal.items(["a"]))
    assert (tmp_path / "a.jsonl").read_bytes() == text


def test_responses_keep_their_order_and_lose_none(tmp_path):
    path = tmp_path / "rollouts" / "b.jsonl"
    asked = wanted([PROBLEM], [0, 1], 2)
    responses = Responses(path)
    for each in reversed(asked):
        responses.add(each, Generated(each.id, f"said {each.id}", "stop", 3), step=7)
    assert [row["completion"] for row in map(responses.row, asked)] == [f"said {each.id}" for each in asked]
    assert not path.exists()
    responses.finish([])
    assert sorted(r.completion for r in read_rollouts(path)) == [f"said {each.id}" for each in asked]
    assert {(r.step, r.group, r.extra["seed"]) for r in read_rollouts(path)} == {(7, "p", 0), (7, "p", 1)}
    again = Responses(path)
    before = path.read_bytes()
    again.close()
    assert path.read_bytes() == before  # to look is not to touch
    empty = Responses(tmp_path / "none.jsonl")
    empty.close()
    assert list(tmp_path.glob("none*")) == []


def response(answer, verdict, sample=0):
    grade = Grade(verdict, "mismatch", answer)
    facts = {"seed": 0, "sample": sample, "finish_reason": "stop", "tokens": 1}
    return Response(wanted([PROBLEM], [0], 9)[sample], facts, {"verifier": grade}, answer, vote=answer)


def voted(*said):
    return votes([answer for answer, _ in said], [verdict for _, verdict in said], MathVerifier().judge)


def test_spellings_of_one_value_are_one_vote():
    right = [(r"\dfrac{1}{2}", 1.0), ("0.5", 1.0), (r"$\frac{1}{2}$", 1.0), ("0.5", None)]
    wrong = [("3", 0.0), (" 3.", 0.0), (None, 0.0), (r"\frac{6}{2}", 0.0), (r"\sqrt{9}", None), ("4", 0.0)]
    assert voted(*right, *wrong) == [*["right"] * 4, "=3", "=3", None, "=3", "=3", "=4"]
    # Wrong spellings together outvote the right one.
    answers = [("7", 1.0), ("7", 1.0), ("2/3", 0.0), (r"\frac{4}{6}", 0.0), (r"\dfrac23", 0.0)]
    assert maj_at_k([[verdict for _, verdict in answers]], [voted(*answers)]) == [0.0]


def test_a_wrong_answer_never_votes_with_a_right_one():
    assert voted(("1/2", 1.0), ("0.5", 0.0)) == ["right", "=0.5"]


def test_the_votes_cost_a_bounded_number_of_checks():
    asked = []

    def judge(reference, answer):
        asked.append((reference, answer))
        return Verdict.of(Reason.TOO_SLOW if "slow" in reference + answer else Reason.MISMATCH)

    many = [str(n) for n in range(200)]
    assert votes(many, [0.0] * 200, judge) == [f"={n}" for n in many]
    assert len(asked) <= 32 * 31 / 2
    asked.clear()
    votes([f"slow{n}" for n in range(200)], [0.0] * 200, judge)
    assert len(asked) <= 16


def test_numbers_of_few():
    config = EvalConfig(benchmarks={"a": {"dataset": "x.jsonl"}}, sampling={"samples": 3}, k=(2, 3, 50))
    groups = [[response("1", 1.0), response("2", 0.0, 1), response("1", 1.0, 2)], [response("5", None)] * 3]
    found = benchmark_numbers(config, config.benchmarks["a"], groups, {})
    assert found["pass@1"] == {"value": pytest.approx(2 / 3), "low": None, "high": None}
    assert found["pass@k"] == {"2": {"value": 1.0, "low": None, "high": None}, "3": found["pass@k"]["3"]}
    assert found["maj@k"] == {"k": 3, "value": 1.0, "low": None, "high": None}
    assert (found["unscored"], found["left_out"], found["failed"]) == (3, 1, 0)
    assert "1 problems of the share of a problem's 3 responses (3 with seed 0) that the verifier" in found["averaged"]
    missing = Response(wanted([PROBLEM], [0], 9)[0], None, {}, None, None)
    assert benchmark_numbers(config, config.benchmarks["a"], [[missing] * 3], {})["failed"] == 3


def test_the_papers_hard_benchmarks_have_one_response():
    hard = {"hardverify-math": {}, "textbookreasoning": {"samples": 3, "seeds": [7, 8]}}
    mine = {"math500": {}, "mine": {"dataset": "x.jsonl", "kind": "hard"}}
    config = EvalConfig(benchmarks=hard | mine, judge={"url": "http://x"}, seeds=[4, 5])
    counts = {name: (config.samples(b), config.seeds_of(b)) for name, b in config.benchmarks.items()}
    assert counts["hardverify-math"] == (1, (4,)) and counts["textbookreasoning"] == (3, (7, 8))
    assert counts["math500"] == counts["mine"] == (8, (4, 5))
    numbers = benchmark_numbers(config, config.benchmarks["hardverify-math"], [[response("1", 1.0)]] * 2, {})
    assert numbers["averaged"].startswith(
        "pass@1: the share of 2 problems whose one response, with seed 4, the judge finds correct. 95%"
    )


def test_who_grades():
    judge = {"url": "http://x"}
    config = EvalConfig(benchmarks={"math500": {}, "hardverify_math": {}, "mine": {"dataset": "x.jsonl"}}, judge=judge)
    assert list(config.benchmarks) == ["math500", "hardverify-math", "mine"]
    assert [config.graders(b) for b in config.benchmarks.values()] == [("verifier",), ("judge",), ("verifier",)]
    both = config.model_copy(update={"graded_by": "both"})
    assert [both.graders(b)[0] for b in both.benchmarks.values()] == ["verifier", "judge", "verifier"]
    with pytest.raises(ValidationError, match=r"graded by a judge: give judge.url"):
        EvalConfig(benchmarks={"hardverify-math": {}})
    assert EvalConfig(benchmarks={"hardverify-math": {"graded_by": "verifier"}}).judge is None
    for wrong in ({"../x": {"dataset": "y"}}, {}, {"mine": {}}):
        with pytest.raises(ValidationError):
            EvalConfig(benchmarks=wrong)
    with pytest.raises(ValidationError, match="twice"):
        EvalConfig(benchmarks={"math500": {}}, seeds=[1, 1])


def test_a_response_is_judged_in_the_thought_that_it_never_left():
    def judged(prompt, text, finish_reason):
        asked = Wanted(Problem("p", prompt, "7", "s", "3+4?"), seed=0, sample=0)
        return (
            MathVerifier().verify("7", _judged_text(asked, {"completion": text, "finish_reason": finish_reason})).value
        )

    thought = "Maybe \\boxed{7}. Wait, let me check"
    assert judged("3+4?<think>", thought, "stop") == 0.0
    assert judged([{"role": "user", "content": "3+4?"}], thought, "length") == 0.0
    assert judged("3+4?<think>", thought + "</think>\\boxed{7}", "length") == 1.0
    assert judged("3+4?", "\\boxed{7}.\n\nNow ", "length") == 1.0


def test_what_a_grade_and_a_response_depend_on():
    near, far = (JudgeVerifier(url=url, model="m", seconds=s) for url, s in (("http://a", 1), ("http://b", 2)))
    assert judge_identity(near) == judge_identity(far) != judge_identity(near.model_copy(update={"preset": "tinyv"}))
    unnamed = [judge_identity(JudgeVerifier(url=url)) for url in ("http://a", "http://b")]
    assert unnamed[0] != unnamed[1]
    config = EvalConfig(benchmarks={"math500": {}}, generator=OpenAIGeneratorConfig(url="http://a", model="m"))
    other = EvalConfig(benchmarks={"amc": {}}, generator={"url": "http://b", "model": "m"}, sampling={"samples": 1})
    assert config.write_identity() == other.write_identity()
    assert verifier_identity(config) == verifier_identity(other)
    strict = EvalConfig(benchmarks={"amc": {}}, verifier={"type": "math", "order": "kept"})
    assert verifier_identity(strict) != verifier_identity(other)
