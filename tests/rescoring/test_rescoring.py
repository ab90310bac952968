import json
import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hostile_verifiers import Broken
from pydantic import BaseModel

import hero_rl
from hero_rl.errors import ConfigError, DataError, UnscorableError
from hero_rl.rescoring import Rescoring, batches, rescore
from hero_rl.rescoring.judging import Judge
from hero_rl.rollouts import Columns, Place, Rollout, RolloutReader, read_rollouts, write_rollouts
from hero_rl.rules import Gdpo, Hero, RewardModelOnly, VerifierOnly, WeightedSum
from hero_rl.signals import Signals
from hero_rl.verifiers import ExactVerifier, MathVerifier

RULES = [
    Hero(),
    Hero(sigma="relative", scale="batch"),
    VerifierOnly(),
    RewardModelOnly(),
    WeightedSum(weight=0.9),
    Gdpo(),
]


def rollout(n, **changes):
    """The n-th of some rollouts that differ: four to a group, two groups to a step."""
    made = {
        "prompt": f"p{n // 4}",
        "completion": f"text {n % 3}",
        "reference": f"text {n // 4 % 3}",
        "verdict": [1.0, 0.0, None, 1.0, 0.0][n % 5],
        "score": None if n % 11 == 7 else math.sin(n) * (1 + n // 8),
        "step": n // 8,
        "extra": {"kept": n},
    }
    return Rollout(**(made | changes))


@pytest.fixture
def path(tmp_path):
    write_rollouts(tmp_path / "in.jsonl", [rollout(n) for n in range(48)])
    return tmp_path / "in.jsonl"


def placed(file, prompt="p", **fields):
    return Rollout(prompt, "c", place=Place(Path(file), 1), **fields)


def sizes(rollouts, groups):
    return [len(batch) for batch in batches(rollouts, groups)]


def test_a_step_is_a_batch_and_else_so_many_groups():
    assert sizes([rollout(n) for n in range(20)], groups=1) == [8, 8, 4]
    unstepped = [placed("a", group=n // 4) for n in range(20)]
    assert sizes(unstepped, groups=2) == [8, 8, 4]
    assert sizes(unstepped, groups=99) == [20]
    assert sizes([], groups=2) == []


def test_no_batch_spans_files():
    for step in (None, 1):
        assert sizes([placed(file, prompt=file, step=step, group=0) for file in "aabb"], groups=9) == [2, 2]


def test_a_group_stands_in_one_file():
    for step in (None, 1):
        with pytest.raises(DataError, match="b:1: group 0 has rows in another file of the folder"):
            list(batches([placed(file, step=step, group=0) for file in "aabb"], groups=9))
    # The same prompt in another step is another group.
    assert sizes([placed(file, step=ord(file), group=0) for file in "aabb"], groups=9) == [2, 2]


def test_groups_whose_hashes_are_equal_are_told_apart():
    assert hash(-1) == hash(-2)
    assert sizes([placed("a", group=group) for group in (-1, -2)], groups=1) == [1, 1]


def test_a_group_may_be_scattered_within_its_batch_only():
    assert sizes([placed("a", group=g) for g in (0, 1, 0, 1, 2)], groups=2) == [4, 1]
    with pytest.raises(DataError, match=r"a:1: group 0 goes on here, after the 2 groups of its batch"):
        list(batches([placed("a", group=g) for g in (0, 1, 2, 0)], groups=2))
    with pytest.raises(DataError, match=r"a:1: step 1 goes on here; rows of one step must stand together"):
        list(batches([placed("a", group=0, step=s) for s in (1, 2, 1)], groups=2))


def test_batches_are_handed_on_before_the_file_is_read():
    def endless():
        n = 0
        while True:
            assert n < 30, "read on without need"
            yield placed("a", group=n // 4)
            n += 1

    found = batches(endless(), groups=2)
    assert len(next(found)) == len(next(found)) == 8


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.type)
def test_one_batch_is_what_shape_makes_of_it(path, tmp_path, rule):
    one = tmp_path / "one.jsonl"
    write_rollouts(one, [rollout(n, step=None) for n in range(48)])
    rescore(RolloutReader(one), tmp_path / "out.jsonl", Rescoring(rule=rule))
    found = list(read_rollouts(tmp_path / "out.jsonl"))
    shaped = hero_rl.shape([r.verdict for r in found], [r.score for r in found], [n // 4 for n in range(48)], rule=rule)
    assert [r.advantage for r in found] == shaped.advantage.tolist()
    assert [r.reward for r in found] == [None if math.isnan(r) else r for r in shaped.reward.tolist()]
    assert [r.extra["weight"] for r in found] == shaped.weight.tolist()
    assert [r.extra["sigma"] for r in found] == shaped.sigma.tolist()
    assert [r.extra["kept"] for r in found] == list(range(48))


def test_the_state_passes_from_step_to_step(path, tmp_path):
    done = rescore(RolloutReader(path), tmp_path / "out.parquet", Rescoring())
    found, state = list(read_rollouts(tmp_path / "out.parquet")), Hero().init()
    for step in range(6):
        batch = [r for r in found if r.step == step]
        verdict, score = (_column([getattr(r, name) for r in batch]) for name in ("verdict", "score"))
        shaped, state = Hero().update(Signals(verdict, score, torch.arange(8) // 4), state)
        assert [r.advantage for r in batch] == shaped.advantage.tolist()
    assert done.state == state and state.sigma_bar is not None


def _column(values):
    return torch.tensor([math.nan if value is None else value for value in values], dtype=torch.float64)


class Loud(BaseModel):
    """A reward model of a test: scores by length, and stops the work after some calls."""

    calls: int = 0
    stop_after: int = 10**9
    counters: dict = Counter(truncated=0)

    def score(self, conversations):
        if self.calls >= self.stop_after:
            raise KeyboardInterrupt
        self.calls += 1
        self.counters["truncated"] += 1
        return torch.tensor([float(len(c[-1]["content"]) + 0.1 * n) for n, c in enumerate(conversations)])


@pytest.fixture
def loud(monkeypatch):
    """Rescoring with a reward model of the test, in chunks of three rollouts."""
    model = Loud()
    monkeypatch.setattr("hero_rl.rescoring.run.judge_of", lambda settings, verifier, stack: Judge(verifier, model))
    monkeypatch.setattr("hero_rl.rescoring.run.AT_A_TIME", 3)
    return model


def test_every_place_of_a_kill_ends_in_the_same_bytes(path, tmp_path, loud, monkeypatch):
    settings = Rescoring(verifier=ExactVerifier())
    whole = rescore(RolloutReader(path), tmp_path / "whole.jsonl", settings)
    assert whole.summary["truncated"] == 18, "three chunks in each of six batches"
    out, partial = tmp_path / "out.jsonl", tmp_path / "out.jsonl.partial"
    with monkeypatch.context() as patch:
        patch.setattr("hero_rl.rescoring.run.write_lines", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            rescore(RolloutReader(path), out, settings)
    everything = partial.read_bytes()
    calls = []
    for cut in [*range(0, len(everything), 211), len(everything)]:
        partial.write_bytes(everything[:cut])
        before = loud.calls
        again = rescore(RolloutReader(path), out, settings)
        calls.append(loud.calls - before)
        assert out.read_bytes() == (tmp_path / "whole.jsonl").read_bytes(), f"cut at {cut}"
        assert (again.summary, again.state) == (whole.summary, whole.state)
        assert not partial.exists()
    assert calls[0] == 18 and calls[-1] == 0 and sorted(calls, reverse=True) == calls, "nothing kept is done again"


def test_an_interruption_keeps_what_was_judged(path, tmp_path, loud):
    loud.stop_after = 7  # in the third batch
    with pytest.raises(KeyboardInterrupt):
        rescore(RolloutReader(path), tmp_path / "out.jsonl", Rescoring(verifier=ExactVerifier()))
    assert not (tmp_path / "out.jsonl").exists()
    loud.stop_after = 10**9
    done = rescore(RolloutReader(path), tmp_path / "out.jsonl", Rescoring(verifier=ExactVerifier()))
    assert (done.resumed, loud.calls) == (16, 18)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl"]


def test_other_settings_or_another_input_do_not_go_on(path, tmp_path, loud):
    settings, out = Rescoring(verifier=ExactVerifier()), tmp_path / "out.jsonl"
    loud.stop_after = 7
    with pytest.raises(KeyboardInterrupt):
        rescore(RolloutReader(path), out, settings)
    loud.stop_after = 10**9
    for other in ({"rule": Hero(alpha=0.2)}, {"batch_groups": 3}):
        with pytest.raises(ConfigError, match=f"it had another {next(iter(other))}; give the same, or begin anew with"):
            rescore(RolloutReader(path), out, settings.model_copy(update=other))
    kept = (tmp_path / "out.jsonl.partial").read_bytes()
    write_rollouts(path, read_rollouts(path))
    with pytest.raises(ConfigError, match="it had another input; give the same"):
        rescore(RolloutReader(path), out, settings)
    assert (tmp_path / "out.jsonl.partial").read_bytes() == kept
    assert rescore(RolloutReader(path), out, settings, restart=True).resumed == 0
    assert not (tmp_path / "out.jsonl.partial").exists()


def test_two_processes_do_not_write_one_file(path, tmp_path):
    from hero_rl.files.partial import Partial

    with (
        Partial(tmp_path / "out.jsonl", {}, restart=False),
        pytest.raises(ConfigError, match="another process is writ"),
    ):
        rescore(RolloutReader(path), tmp_path / "out.jsonl", Rescoring())


def test_a_bad_row_leaves_nothing(path, tmp_path):
    path.write_text(path.read_text() + '{"prompt": 1}\n')
    with pytest.raises(DataError, match=r"in.jsonl:49: no column"):
        rescore(RolloutReader(path), tmp_path / "out.jsonl", Rescoring())
    assert [file.name for file in tmp_path.iterdir()] == ["in.jsonl"]


def test_a_result_can_be_rescored_and_stays_what_it_is(path, tmp_path):
    rescore(RolloutReader(path), tmp_path / "a.jsonl", Rescoring())
    rescore(RolloutReader(tmp_path / "a.jsonl"), tmp_path / "b.jsonl", Rescoring())
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()


def test_verdicts_come_from_the_file_or_from_a_verifier(path, tmp_path):
    def run(columns=None, **settings):
        reader = RolloutReader(path, columns or Columns())
        done = rescore(reader, tmp_path / "out.jsonl", Rescoring(**settings))
        return done, list(read_rollouts(tmp_path / "out.jsonl"))

    kept, found = run()
    assert kept.verdicts_from == "column verdict" and "verdict_reason" not in found[0].extra
    fresh, found = run(verifier=ExactVerifier())
    assert fresh.verdicts_from == "verifier exact"
    assert [r.verdict for r in found] == [float(r.completion == r.reference) for r in found]
    assert found[0].extra["verdict_reason"] == "matched_exactly"
    write_rollouts(path, [replace(rollout(n), verdict=None) for n in range(48)])
    usual, found = run()
    assert usual.verdicts_from == "verifier math" and found[0].extra["verdict_reason"]
    path.write_text(path.read_text().replace('"reference"', '"answer"').replace('"verdict"', '"judged"'))
    with pytest.raises(
        ConfigError, match="there are neither verdicts nor references to verify against; name their col"
    ):
        run()
    with pytest.raises(ConfigError, match="there are no references to verify against"):
        run(verifier=MathVerifier())
    named, _ = run(Columns(reference="answer"))
    assert named.verdicts_from == "verifier math"
    alone, found = run(rule=RewardModelOnly())
    assert alone.verdicts_from == "nothing" and {r.verdict for r in found} == {None}
    assert alone.summary["groups"]["unjudged"] == 12 and alone.summary["unscorable"]["reasons"] == {"no_score": 4}


def test_a_thought_that_was_cut_off_has_no_answer():
    cut_off = "Maybe \\boxed{7}. Wait, let me check that once more: 3 + 4 is"
    rows = [
        rollout(0, completion=cut_off, reference="7", prompt="<|Assistant|><think>\n"),
        rollout(0, completion=cut_off, reference="7", extra={"in_thought": True}),
        rollout(0, completion=cut_off, reference="7", extra={"finish_reason": "length"}),
        rollout(0, completion=cut_off + "</think>\\boxed{7}", reference="7", extra={"in_thought": True}),
        rollout(0, completion="It is \\boxed{7}.\n\nProblem 2", reference="7", extra={"finish_reason": "length"}),
        rollout(0, completion=cut_off, reference="7", extra={"finish_reason": "stop", "in_thought": False}),
    ]
    judged = Judge(MathVerifier(), None).judge(rows)["rows"]
    assert [row.verdict for row in judged] == [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]
    assert {row.reason for row in judged[:3]} == {"no_answer"}


def test_the_account_of_a_file(path, tmp_path):
    summary = rescore(RolloutReader(path), tmp_path / "out.jsonl", Rescoring()).summary
    found = list(read_rollouts(tmp_path / "out.jsonl"))
    by_group = {}
    for r in found:
        by_group.setdefault(r.prompt, []).append(r)
    kinds = Counter(frozenset(r.verdict for r in rs if r.verdict is not None) for rs in by_group.values())
    assert summary["groups"] == {
        "total": 12,
        "mixed": kinds[frozenset({0.0, 1.0})],
        "all_correct": kinds[frozenset({1.0})],
        "all_incorrect": kinds[frozenset({0.0})],
        "all_partial": 0,
        "unjudged": 0,
    }
    uniform = [rs for rs in by_group.values() if len({r.verdict for r in rs} - {None}) == 1]
    assert summary["starved"] == len(uniform)
    assert summary["rescued"] == sum(any(r.advantage for r in rs) for rs in uniform)
    judged = [r.verdict for r in found if r.verdict is not None]
    scored = [r.score for r in found if r.score is not None]
    assert summary["verdict_mean"] == sum(judged) / len(judged)
    assert summary["score_mean"] == pytest.approx(sum(scored) / len(scored))
    assert summary["missing_scores"] == 48 - len(scored)
    assert summary["unscorable"] == {"rows": 48 - len(judged), "reasons": {"no_verdict": 48 - len(judged)}}
    assert (summary["rows"], summary["batches"]) == (48, 6)
    assert 0 <= summary["auroc"] <= 1


def test_wrong_outputs(path, tmp_path):
    with pytest.raises(ConfigError, match="must end in one of"):
        rescore(RolloutReader(path), tmp_path / "out.txt", Rescoring())
    with pytest.raises(ConfigError, match="is the input"):
        rescore(RolloutReader(path), path, Rescoring())
    with pytest.raises(ConfigError, match="there is no folder"):
        rescore(RolloutReader(path), tmp_path / "none" / "out.jsonl", Rescoring())
    with pytest.raises(ConfigError, match="is a folder"):
        (tmp_path / "a.jsonl").mkdir()
        rescore(RolloutReader(path), tmp_path / "a.jsonl", Rescoring())
    with pytest.raises(ConfigError, match="lies in its folder"):
        rescore(RolloutReader(tmp_path), tmp_path / "b.jsonl", Rescoring())


def test_a_bad_row_is_found_before_any_is_judged(path, tmp_path, loud):
    path.write_text(path.read_text() + '{"prompt": 1}\n')
    with pytest.raises(DataError, match=r"in.jsonl:49"):
        rescore(RolloutReader(path), tmp_path / "out.jsonl", Rescoring(verifier=ExactVerifier()))
    assert loud.calls == 0


def test_a_file_of_others_is_not_taken_for_a_partial_one(path, tmp_path):
    strange = tmp_path / "out.jsonl.partial"
    strange.write_text("my thesis")
    for restart in (False, True):
        with pytest.raises(ConfigError, match="is in the way"):
            rescore(RolloutReader(path), tmp_path / "out.jsonl", Rescoring(), restart=restart)
    assert strange.read_text() == "my thesis"


def test_what_is_made_anew_leaves_the_old_beside_it(path, tmp_path):
    write_rollouts(path, [replace(rollout(n), verdict=1.0, reward=7.0, advantage=None) for n in range(48)])
    rescore(RolloutReader(path), tmp_path / "out.jsonl", Rescoring(verifier=ExactVerifier()))
    for r in read_rollouts(tmp_path / "out.jsonl"):
        assert r.extra["input_reward"] == 7.0 and "input_advantage" not in r.extra
        assert ("input_verdict" in r.extra) == (r.verdict == 0.0)


def test_no_column_is_lost_to_another_of_its_name(tmp_path):
    row = {"prompt": "p", "completion": "c", "verdict": 1, "score": 1.0, "rm2": 2.0, "input_score": 3.0}
    (tmp_path / "in.jsonl").write_text(json.dumps(row) + "\n")
    (r,) = read_rollouts(tmp_path / "in.jsonl", Columns(score="rm2"))
    assert r.score == 2.0 and r.extra == {"input_score": 3.0, "input_input_score": 1.0}


class Failing:
    """Has no score from the n-th conversation on."""

    def __init__(self, start):
        self.start, self.asked, self.counters = start, 0, {"missing": 0, "timeouts": 3}

    def score(self, conversations):
        numbers = torch.arange(self.asked, self.asked + len(conversations))
        self.asked += len(conversations)
        return torch.where(numbers < self.start, 1.0, torch.nan)


def test_too_many_failures_end_the_call_and_what_was_judged_is_kept(tmp_path, monkeypatch):
    path, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    write_rollouts(path, [rollout(n, step=None) for n in range(512)])
    model = Failing(start=256)
    monkeypatch.setattr(
        "hero_rl.rescoring.run.judge_of", lambda settings, verifier, stack: Judge(verifier, model, settings.max_missing)
    )
    said = r"gave no score to 128 of 128 rollouts, more than --max_missing 0.1 allows \(timeouts 3\); what was judged"
    with pytest.raises(UnscorableError, match=said):
        rescore(RolloutReader(path), out, Rescoring())
    assert not out.exists() and model.asked == 3 * 128
    model.start = 10**9
    rescore(RolloutReader(path), out, Rescoring())
    assert model.asked == 3 * 128 + 256, "the first two chunks are kept, the failed one is asked again"
    assert all(r.score == 1.0 for r in read_rollouts(out))


def test_a_verifier_that_fails_is_named_with_what_it_raised(path, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "hero_rl.rescoring.run.judge_of", lambda said, verifier, stack: Judge(Broken(), None, said.max_missing)
    )
    with pytest.raises(UnscorableError, match=r"verifier failed on 8 of 8 .*that crashed: KeyError: 'answer'"):
        rescore(RolloutReader(path), tmp_path / "out.jsonl", Rescoring())


def test_a_few_that_have_nothing_to_score_do_not_end_the_call(path, tmp_path, monkeypatch):
    def run(model, **settings):
        monkeypatch.setattr(
            "hero_rl.rescoring.run.judge_of", lambda said, verifier, stack: Judge(verifier, model, said.max_missing)
        )
        return rescore(RolloutReader(path), tmp_path / "out.jsonl", Rescoring(**settings)).summary["missing_scores"]

    assert run(Failing(start=40)) == 8
    with pytest.raises(UnscorableError, match="no score to 8 of 8"):
        run(Failing(start=0))
    assert run(Failing(start=0), max_missing=1.0) == 48
