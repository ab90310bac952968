"""The oracle as an auditor: it judges by the problem, errs as often as it is told to, and is asked in training."""

import json
import math

import pytest
import torch

from hero_lab.arena.oracle import Oracle
from hero_lab.arena.reward_model import ArenaRewardConfig, ArenaRewardModel
from hero_lab.arena.task import Exercise
from hero_lab.cli import main
from hero_rl.rules import Groups, group_auroc
from hero_rl.verifiers import MathVerifier, Processes, Request, in_processes
from hero_rl.verifiers.processes.supervised import Supervised

PROBLEM = Exercise("S", 3, 4, 5, 6, 7, 8)  # U = 17, V = 34


def words(oracle, *completions, question=PROBLEM.prompt):
    # The reference is in a spelling that no rule would match to the answers.
    return [v.value for v in oracle.verify_batch([Request("x = 17 or x = 34", text, question) for text in completions])]


def test_every_right_spelling_counts_whatever_the_reference_says():
    assert words(Oracle(), "12 17 42 34 A | 34 | 17 |", "A { 17 , 34 }", "A { 17 , 35 }", "17 34") == [1, 1, 0, 0]


def test_what_is_no_problem_of_the_arena_gets_no_word():
    assert math.isnan(words(Oracle(), "A 17", question="What is 3 + 4?")[0])


@pytest.mark.parametrize("error", [0.0, 0.2, 0.5])
def test_it_errs_as_often_as_it_is_told_to_and_always_on_the_same_texts(error):
    wrong = [f"A {{ {number} , 99 }} {noise}" for number in range(100) for noise in range(20)]
    said = words(Oracle(error=error), *wrong)
    assert sum(said) / len(said) == pytest.approx(error, abs=0.04)
    assert said == words(Oracle(error=error), *wrong)
    if error:
        assert said != words(Oracle(error=error, seed=1), *wrong)


def test_a_verifier_of_batches_sees_to_its_own_processes():
    oracle = Oracle()
    assert in_processes(oracle, Processes()) is oracle
    assert isinstance(in_processes(MathVerifier(), Processes()), Supervised)


def test_a_drifting_reward_model_ranks_well_at_first_and_the_wrong_way_round_at_the_end():
    texts = 4_000
    config = ArenaRewardConfig(
        hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1, vocab_size=16, pad_token_id=0
    )
    steady, drifting = ArenaRewardModel(config), ArenaRewardModel(config)
    drifting.load_state_dict(steady.state_dict())
    drifting.config = ArenaRewardConfig(**config.to_dict() | {"drifts_over": texts})
    torch.manual_seed(0)
    tokens = torch.cat([torch.full((texts, 1), 3), torch.randint(4, 16, (texts, 6))], dim=1)
    with torch.no_grad():
        truth = steady(tokens).logits.squeeze(1)
        said = torch.cat([drifting(part).logits.squeeze(1) for part in tokens.split(100)])
    parts = torch.arange(texts) // (texts // 4)
    above = (truth > truth.median()).double()
    early, second, third, late = group_auroc(said.double(), above, Groups(parts, 4)).tolist()
    assert early > 0.75 > second > 0.5 > third > 0.25 > late
    assert torch.equal(said.abs(), truth.abs())


def test_the_demo_has_an_audited_arm(tmp_path):
    arguments = ["demo", "--tiny", "--arms", "audited_hero", "--seeds", "1", "--workers", "1"]
    assert main([*arguments, "--out", str(tmp_path / "out"), "--cache", str(tmp_path / "cache")]) == 0
    (run,) = (tmp_path / "out").glob("*/audited_hero-*")
    (*_, last) = [line for line in map(json.loads, (run / "metrics.jsonl").read_text().splitlines()) if "loss" in line]
    assert last["hero/audit_calls"] == 8  # four groups of a tiny batch, all of them wrong: two rollouts of each
    assert last["hero/audit_failed"] == 0
