import json
import math

import numpy as np
import pytest
import torch

import hero_rl
from hero_rl.rules import Hero, RewardModelOnly, VerifierOnly
from hero_rl.signals import Signals

VERDICT, SCORE, GROUP = [1, 0, 0, 1], [3.0, 1.0, 2.0, 4.0], [9, 9, 9, 9]


@pytest.mark.parametrize(
    "columns",
    [
        (VERDICT, SCORE, GROUP),
        ([True, False, False, True], [3, 1, 2, 4], ["q"] * 4),
        (np.array(VERDICT), np.array(SCORE), np.array(GROUP)),
        (np.array(VERDICT), np.array(SCORE), np.array(["q"] * 4, dtype=object)),
        (torch.tensor(VERDICT), torch.tensor(SCORE).double(), torch.tensor(GROUP)),
    ],
)
def test_lists_arrays_and_tensors_agree(columns):
    shaped = hero_rl.shape(*columns)
    expected, _ = Hero().update(
        Signals(torch.tensor(VERDICT).double(), torch.tensor(SCORE).double(), torch.tensor(GROUP)), Hero().init()
    )
    torch.testing.assert_close(shaped.advantage, expected.advantage)


def test_none_is_missing():
    shaped = hero_rl.shape([1, None, 0], [None, 2.0, 1.0], [0, 0, 0])
    assert shaped.reward[1].isnan()
    assert shaped.reward[0].item() == pytest.approx(1.0)


def test_no_rows():
    assert hero_rl.shape([], [], []).advantage.shape == (0,)


@pytest.mark.parametrize(
    ("columns", "error", "message"),
    [
        (([1, 0], [1.0], [0, 0]), ValueError, "score has shape"),
        (([1, 2], [1.0, 2.0], [0, 0]), ValueError, r"verdict\[1\] is 2.0"),
        (([1, 0], [1.0, math.inf], [0, 0]), ValueError, r"score\[1\] is inf"),
        (([1, 0], ["good", 1.0], [0, 0]), TypeError, "score must hold numbers"),
        (([1, 0], [1.0, 2.0], [0.5, 0.5]), TypeError, "group must hold integers or strings"),
        (([1, 0], [1.0, 2.0], torch.tensor([0.0, 1.0])), TypeError, "group must hold integers"),
        (([[1, 0]], [[1.0, 2.0]], [0, 0]), ValueError, "verdict has shape"),
    ],
)
def test_bad_columns_are_refused_by_name(columns, error, message):
    with pytest.raises(error, match=message):
        hero_rl.shape(*columns)


def test_signals_wants_tensors_of_the_right_kind():
    ok = torch.tensor([1.0]), torch.tensor([0.5]), torch.tensor([0])
    with pytest.raises(TypeError, match="verdict must be a torch tensor"):
        Signals([1.0], ok[1], ok[2])  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="verdict must be floating point"):
        Signals(ok[2], ok[1], ok[2])
    with pytest.raises(ValueError, match="score is on meta"):
        Signals(ok[0], ok[1].to("meta"), ok[2])
    assert len(Signals(*ok)) == 1


def test_real_scores_of_a_72b_reward_model(shared):
    """100 MATH problems x 8 responses: 86 groups all right, 4 all wrong, 10 mixed."""
    lines = (shared / "data" / "rollouts_math100.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    verdict = np.array([row["labels"] for row in rows], dtype=float)
    score = np.array([row["rm_scores"] for row in rows], dtype=float)
    assert verdict.shape == score.shape == (100, 8)
    group = np.repeat(np.arange(100), 8)

    def silent(rule):
        advantage = hero_rl.shape(verdict.ravel(), score.ravel(), group, rule).advantage
        return (advantage.reshape(100, 8) == 0).all(dim=1).numpy()

    uniform = verdict.min(axis=1) == verdict.max(axis=1)
    all_equal = score.min(axis=1) == score.max(axis=1)
    assert uniform.sum() == 90
    assert (silent(VerifierOnly()) == uniform).all()
    assert (silent(Hero()) == (uniform & all_equal)).all()
    assert (silent(RewardModelOnly()) == all_equal).all()

    u = 3  # by hand, for one group
    right, wrong = score[u][verdict[u] == 1], score[u][verdict[u] == 0]
    r_hat = np.zeros(8)
    for values, word, low, width in ((right, 1, 0.9, 0.2), (wrong, 0, -0.1, 0.2)):
        if len(values):
            r_hat[verdict[u] == word] = low + width * (values - values.min()) / (np.ptp(values) + 1e-6)
    sigma = score.std(axis=1)
    weight = 0.4 + 2.6 / (1 + np.exp(-6 * (sigma[u] - sigma.mean())))
    shaped = hero_rl.shape(verdict.ravel(), score.ravel(), group)
    np.testing.assert_allclose(shaped.advantage.reshape(100, 8)[u], weight * (r_hat - r_hat.mean()), atol=1e-12)
