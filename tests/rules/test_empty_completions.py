"""An empty completion is last wherever a missing score of another is neutral."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hero_rl import Hero, shape
from hero_rl.rescoring.judging import Judge
from hero_rl.rollouts import Rollout
from hero_rl.rules import GatedHero, Gdpo, RewardModelOnly, VerifierOnly, WeightedSum
from hero_rl.scoring import Scorer
from hero_rl.signals import Signals
from hero_rl.verifiers import ExactVerifier

EMPTY, MISSING = -math.inf, math.nan


def test_it_gets_the_bottom_of_its_band_and_a_missing_score_the_middle():
    shaped = shape([0, 0, 0, 0, 1, 1], [2.0, 4.0, EMPTY, MISSING, EMPTY, MISSING], [1] * 6, Hero(w_min=1, w_max=1))
    assert shaped.reward.tolist() == pytest.approx([-0.1, 0.1, -0.1, 0.0, 0.9, 1.0], abs=1e-6)


def test_signals_hold_no_infinity_and_say_who_is_to_blame():
    signals = Signals(torch.zeros(3), torch.tensor([EMPTY, MISSING, 1.0]), torch.zeros(3, dtype=torch.long))
    assert signals.empty.tolist() == [True, False, False]
    assert signals.score.isnan().tolist() == [True, True, False]
    with pytest.raises(ValueError, match=r"score\[0\] is inf"):
        Signals(torch.zeros(1), torch.tensor([math.inf]), torch.zeros(1, dtype=torch.long))


@pytest.mark.parametrize("rule", [Hero(), GatedHero(), Gdpo(), WeightedSum(), RewardModelOnly(), Hero(scale="group")])
@given(scores=st.lists(st.floats(-50, 50), min_size=2, max_size=6))
def test_no_rule_prefers_it_to_one_with_a_score(rule, scores):
    shaped = shape([0] * (len(scores) + 1), [*scores, EMPTY], [1] * (len(scores) + 1), rule)
    assert (shaped.advantage[-1] <= shaped.advantage[:-1] + 1e-9).all()
    assert shaped.advantage.isfinite().all()
    assert shaped.reward.isfinite().all()


def test_the_verifier_alone_does_not_see_it():
    assert shape([1, 0, 0], [EMPTY] * 3, [1] * 3, VerifierOnly()).advantage.tolist() == pytest.approx(
        [2 / 3, -1 / 3, -1 / 3]
    )


class Lengths:
    """Scores a completion by its length, an empty one highest."""

    @property
    def counters(self):
        return {}

    def score(self, conversations):
        lengths = [len(conversation[-1]["content"] or "") for conversation in conversations]
        return torch.tensor([float(length) if length else 99.0 for length in lengths])


BLANKS = ["", " \n", [{"role": "assistant", "content": ""}], [{"role": "assistant", "content": None}]]


@pytest.mark.parametrize("blank", BLANKS, ids=range(4))
def test_the_scorer_tells_an_empty_completion(blank):
    scored = Scorer(ExactVerifier(), Lengths()).score(["p"] * 2, ["abc", blank], ["abc"] * 2)
    assert scored.score.tolist() == [3.0, EMPTY]
    assert scored.counters["reward_model/missing"] == 0
    assert Scorer(ExactVerifier()).score(["p"], [blank], ["abc"]).score.isnan().all()


def test_a_file_tells_by_its_completion():
    rollouts = [Rollout("p", text, verdict=0.0, score=score) for text, score in (("a", 1.0), ("", None), ("b", None))]
    rows = Judge(None, None).judge(rollouts)["rows"]
    assert [row.score for row in rows] == [1.0, EMPTY, None]
    assert Rollout("p", "", score=EMPTY).row()["score"] is None
    # Where nothing has a score there was no reward model, and HERO is the verifier alone.
    assert [row.score for row in Judge(None, None).judge(rollouts[1:])["rows"]] == [None, None]
