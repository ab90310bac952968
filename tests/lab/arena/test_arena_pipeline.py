"""Files: the cache, prompts and evaluation."""

import json
from itertools import pairwise

import pytest
import torch
from transformers import AutoModelForSequenceClassification

from hero_lab.arena import pipeline
from hero_lab.arena.answers import ANSWER_MARKER, answer_of, is_correct
from hero_lab.arena.evaluation import Measured, evaluate, evaluate_reward_model, held_out_problems
from hero_lab.arena.settings import ArenaSettings, LanguageModelSettings, tiny_settings
from hero_lab.arena.task import Exercise
from hero_rl.verifiers import ExactVerifier

TINY = tiny_settings()


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def policy(cache):
    return pipeline.prepare_policy(cache, TINY.policy)


@pytest.fixture(scope="module")
def reward_model(cache, policy):
    return pipeline.prepare_reward_model(cache, policy, TINY.reward_model)


def test_a_policy_is_made_once(cache, policy, monkeypatch):
    def fail(settings, folder):
        raise AssertionError("made again")

    monkeypatch.setattr("hero_lab.arena.language_model.train_language_model", fail)
    assert pipeline.prepare_policy(cache, TINY.policy) == policy
    with pytest.raises(AssertionError, match="made again"):
        pipeline.prepare_policy(cache, TINY.policy.model_copy(update={"seed": 5}))


def test_an_interrupted_training_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(settings, folder):
        (folder / "model.safetensors").write_text("half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("hero_lab.arena.language_model.train_language_model", interrupt)
        with pytest.raises(KeyboardInterrupt):
            pipeline.prepare_policy(tmp_path, TINY.policy)
    assert list(tmp_path.iterdir()) == []
    # What a kill leaves has a temporary name and is not mistaken for the model.
    (tmp_path / ".policy-0-half").mkdir()
    folder = pipeline.prepare_policy(tmp_path, TINY.policy)
    assert (folder / "config.json").is_file()
    assert json.loads((folder / "recipe.json").read_text())["steps"] == TINY.policy.steps


def test_two_processes_that_make_the_same_model_agree(tmp_path, monkeypatch):
    def make_while_another_finishes(settings, folder):
        (folder / "mine").touch()
        other = pipeline._kept(tmp_path, "policy", settings.model_dump(), lambda path: (path / "theirs").touch())
        assert (other / "theirs").exists()

    monkeypatch.setattr("hero_lab.arena.language_model.train_language_model", make_while_another_finishes)
    folder = pipeline.prepare_policy(tmp_path, TINY.policy)
    assert (folder / "theirs").exists()
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


def test_training_is_fixed_by_its_seed(tmp_path, policy):
    again = pipeline.prepare_policy(tmp_path, TINY.policy)
    assert (again / "model.safetensors").read_bytes() == (policy / "model.safetensors").read_bytes()


def test_the_reward_model_loads_and_is_a_model_of_its_own(reward_model, policy, cache):
    loaded = AutoModelForSequenceClassification.from_pretrained(reward_model)
    assert loaded.config.model_type == "hero_arena_reward"
    assert loaded.config.num_labels == 1 and loaded.config.bounded
    assert all(parameter.dtype == torch.float32 for parameter in loaded.parameters())
    assert {path.name.rpartition("-")[0] for path in cache.iterdir()} >= {"policy", "reward-model"}
    other = TINY.reward_model.model_copy(update={"weight_decay": 0.0})
    assert pipeline.prepare_reward_model(cache, policy, other) != reward_model


def test_evaluation(policy, reward_model):
    accuracy = evaluate(policy, prompts=6, samples=2)
    assert set(accuracy) == {"easy", "hard"}
    assert sum(accuracy["easy"].sampled) == 0
    ranking = evaluate_reward_model(reward_model, policy, prompts=6, samples=2)
    assert set(ranking) == {"easy", "hard"}


def test_an_estimate_has_a_t_interval_over_prompts():
    estimate = Measured.of(torch.tensor([0.0, 1.0, 1.0, 0.0]))
    assert estimate.mean == pytest.approx(0.5)
    assert estimate.half_width == pytest.approx(3.1824463 * (1 / 3) ** 0.5 / 2, rel=1e-5)
    assert Measured.of(torch.tensor([0.25])).half_width == float("inf")


def test_held_out_problems_are_different_and_fixed():
    problems = held_out_problems("hard", "test", 100)
    assert len(set(problems)) == 100
    assert problems == held_out_problems("hard", "test", 100)
    assert all(problem.split == "test" and problem.is_hard for problem in problems)


@pytest.mark.parametrize("regime", ["easy", "hard", "mixed"])
def test_prompts_are_rows_that_the_verifier_can_judge(tmp_path, regime):
    path = tmp_path / "prompts.jsonl"
    pipeline.write_prompts(path, regime, "development", 60, seed=1)
    first = path.read_text()
    pipeline.write_prompts(path, regime, "development", 60, seed=1)
    assert path.read_text() == first
    pipeline.write_prompts(path, regime, "development", 60, seed=2)
    assert path.read_text() != first
    rows = [json.loads(line) for line in first.splitlines()]
    assert len(rows) == 60
    verifier = ExactVerifier(marker=ANSWER_MARKER)
    for row in rows:
        assert set(row) == {"prompt", "answer", "type"}
        problem = Exercise.parse(row["prompt"])
        assert problem.split == "development"
        assert problem.type == row["type"]
        completion = f"1 2 3 4 A {row['answer']}"
        assert is_correct(problem, completion)
        assert answer_of(completion) == row["answer"]
        assert verifier.verify(row["answer"], completion).value == 1
        assert verifier.verify(row["answer"], f"{completion} 5").value == 0
    assert any(one["type"] != other["type"] for one, other in pairwise(rows))


def test_settings_refuse_what_they_do_not_know():
    with pytest.raises(ValueError):
        LanguageModelSettings(stepps=3)  # pyright: ignore[reportCallIssue]
    assert ArenaSettings().reward_model.backbone.d_model == 96


@pytest.mark.slow
def test_a_small_arena_learns_in_two_processes(tmp_path):
    policy = LanguageModelSettings(steps=250, slip=0.1, learning_rate=6e-3)
    pairs = TINY.reward_model.pairs.model_copy(update={"slipped": 500})
    settings = ArenaSettings(policy=policy, reward_model=TINY.reward_model.model_copy(update={"pairs": pairs}))
    models = pipeline.prepare(tmp_path, settings)
    assert pipeline.prepare(tmp_path, settings) == models
    assert evaluate(models.policy, prompts=50, samples=2)["easy"].estimates()["sampled"]["mean"] > 0.02
