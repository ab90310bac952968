"""A reward model trained from tiny checkpoints: it learns, its scores are the trainer's, wrong starts are refused."""

import json
import random

import pytest
import torch
from tiny_models import byte_tokenizer, tiny_config
from transformers import Qwen3ForCausalLM, Qwen3ForSequenceClassification

from hero_rl.errors import ConfigError, DataError
from hero_rl.reward_models import LocalRewardModelConfig
from hero_rl.rollouts import Rollout, write_rollouts
from hero_rl.training import RewardTrainConfig
from hero_rl.training.trl.bradley_terry import PairTrainer
from hero_rl.training.trl.reward import check_reward_run, reward_arguments, train_reward_model

TRL = {"use_cpu": True, "bf16": False, "gradient_checkpointing": False, "save_strategy": "no"}


def saved(folder, model):
    model.save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    torch.manual_seed(0)
    return saved(tmp_path_factory.mktemp("start"), Qwen3ForCausalLM(tiny_config()))


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """Right where the sum is followed by a full stop: learnable from a few pairs, and not by length."""
    rng = random.Random(0)
    rows = []
    for n in range(32):
        for sign, verdict in ((".", 1.0), ("!", 0.0)):
            rows += [Rollout(f"problem {n}", f"{rng.randrange(1000):03}{sign}", verdict=verdict) for _ in range(2)]
    path = tmp_path_factory.mktemp("toy") / "toy.jsonl"
    write_rollouts(path, rows)
    return path


def settings(start, folder, rollouts, **changes):
    trl = TRL | {"max_steps": 30, "per_device_train_batch_size": 16, "learning_rate": 4e-3} | changes.pop("trl", {})
    data = {"rollouts": str(rollouts), "eval_fraction": 0.25} | changes.pop("data", {})
    raw = {"output_dir": str(folder), "model": {"path": str(start)}, "data": data, "trl": trl} | changes
    return RewardTrainConfig.model_validate(raw)


@pytest.mark.slow
def test_it_learns_and_the_saved_model_scores_as_the_trainer_s_own(start, toy, tmp_path, monkeypatch, capsys):
    kept = {}
    train = PairTrainer.train
    monkeypatch.setattr(PairTrainer, "train", lambda self, **more: kept.update(t=self) or train(self, **more))
    result = train_reward_model(settings(start, tmp_path / "run", toy, data={"pairs_per_prompt": 2}))
    heard = capsys.readouterr().err
    assert "is a language model: its reward head (score.weight) is new and starts untrained" in heard
    assert "pairs 64, train 48, held out 16, truncated 0" in heard and "step 30/30" in heard
    assert result.eval_pairwise_accuracy is not None and result.eval_pairwise_accuracy > 0.9
    logs = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [row for row in logs if "eval_loss" in row][-1]["eval_pairwise_accuracy"] == result.eval_pairwise_accuracy
    record = json.loads((tmp_path / "run" / "pairs.json").read_text())
    assert record.items() >= result.counts.items() and record["held_out"] == 16

    reward_model = LocalRewardModelConfig(path=str(result.model)).load()
    texts = ["1.", "a longer one, cut off!", ""]
    conversations = [[{"role": "user", "content": "q"}, {"role": "assistant", "content": text}] for text in texts]
    own = []
    for conversation in conversations:
        ids = reward_model.tokenizer.apply_chat_template(conversation, tokenize=True, return_dict=False)
        with torch.inference_mode():
            own.append(kept["t"].model.eval()(input_ids=torch.tensor([ids])).logits.item())
    assert reward_model.score(conversations).tolist() == pytest.approx(own, abs=1e-5)
    assert len(set(own)) == 3


@pytest.mark.slow
def test_held_out_accuracy_counts_pairs_not_batches(start, toy, tmp_path):
    """Sixteen held-out pairs in batches of eleven: a mean over batches would weigh the last five double."""
    config = settings(
        start, tmp_path, toy, trl={"max_steps": 1, "per_device_eval_batch_size": 11}, data={"pairs_per_prompt": 2}
    )
    result = train_reward_model(config, progress=False)
    run = check_reward_run(config)
    reward_model = LocalRewardModelConfig(path=str(result.model)).load()
    chosen, rejected = (reward_model.score([getattr(p, s) for p in run.held_out]) for s in ("chosen", "rejected"))
    assert result.eval_pairwise_accuracy == pytest.approx((chosen > rejected).float().mean().item())


def test_the_same_seed_makes_the_same_model_and_cuts_are_counted(start, toy, tmp_path, capsys):
    weights = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        config = settings(start, tmp_path / name, toy, trl={"max_steps": 2}, data={"max_tokens": 12}, seed=seed)
        result = train_reward_model(config)
        weights.append(LocalRewardModelConfig(path=str(result.model)).load().model.score.weight.detach())
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])
    assert result.counts["truncated"] == 2 * result.counts["pairs"]
    assert f"{result.counts['truncated']} conversations are longer than 12 tokens: their middle is cut" in (
        capsys.readouterr().err
    )


def test_a_reward_model_keeps_its_head(toy, tmp_path, capsys):
    torch.manual_seed(1)
    begun = Qwen3ForSequenceClassification(tiny_config(num_labels=1))
    path = saved(tmp_path / "start", begun)
    config = settings(path, tmp_path / "run", toy, trl={"max_steps": 1, "learning_rate": 0.0})
    result = train_reward_model(config)
    assert "untrained" not in capsys.readouterr().err
    ended = LocalRewardModelConfig(path=str(result.model)).load().model
    assert torch.equal(ended.score.weight, begun.score.weight)


def test_wrong_starts_are_refused_and_leave_nothing(start, toy, tmp_path):
    two = saved(tmp_path / "two", Qwen3ForSequenceClassification(tiny_config(num_labels=2)))
    with pytest.raises(ConfigError, match=r"model\.path: .*two has 2 labels; a reward model here has exactly one"):
        train_reward_model(settings(two, tmp_path / "run", toy), progress=False)
    with pytest.raises(ConfigError, match=r"model\.path: /no/such: no such folder"):
        check_reward_run(settings("/no/such", tmp_path / "run", toy))
    write_rollouts(tmp_path / "one.jsonl", [Rollout("problem", "answer", verdict=1.0)])
    with pytest.raises(DataError, match=r"one\.jsonl: no pairs to train on; rollouts 1, unjudged 0"):
        check_reward_run(settings(start, tmp_path / "run", tmp_path / "one.jsonl"))
    assert not (tmp_path / "run").exists()


def test_arguments_of_trl(start, toy, tmp_path):
    assert reward_arguments(settings(start, tmp_path, toy)).max_length is None
    with pytest.raises(ConfigError, match=r"trl\.learning_rat: RewardConfig has no such argument; did you mean"):
        reward_arguments(settings(start, tmp_path, toy, trl={"learning_rat": 1}))
    with pytest.raises(ValueError, match=r"trl\.max_length is set by data\.max_tokens"):
        settings(start, tmp_path, toy, trl={"max_length": 8})
    with pytest.raises(ValueError, match=r"data\.eval_fraction holds some out"):
        settings(start, tmp_path, toy, trl={"eval_strategy": "epoch"}, data={"eval_fraction": 0})
