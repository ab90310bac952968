"""What a TRL script gets wrong is said when the trainer is made, before any model loads."""

import math

import pytest
from datasets import Dataset
from hostile_verifiers import Runner
from parts import LoudnessModel, ParityVerifier, completions_at, config, prompts, trainer
from tiny_models import byte_tokenizer
from transformers import AutoModelForSequenceClassification

from hero_rl.errors import ConfigError, DataError
from hero_rl.reward_models import CachedRewardModelConfig, LocalRewardModel, RemoteRewardModelConfig
from hero_rl.rules import Hero, VerifierOnly
from hero_rl.trainers.dataset import check_datasets
from hero_rl.trainers.trl import HeroGRPOTrainer
from hero_rl.verifiers import MathVerifier, Supervised


def make(tmp_path, rows, **changes):
    """A trainer whose model does not exist: what is refused is refused before that would matter."""
    usual = {"model": "no/such/model", "verifier": ParityVerifier(), "reward_model": LoudnessModel()}
    parts = usual | {"eval_dataset": None} | changes
    return HeroGRPOTrainer(
        args=config(output_dir=str(tmp_path)),
        train_dataset=Dataset.from_list(rows) if isinstance(rows, list) else rows,
        **parts,
    )


def asked(*answers):
    return [{"prompt": f"question {n}", "answer": answer} for n, answer in enumerate(answers)]


@pytest.mark.parametrize("missing", [None, "", "  "])
def test_one_row_of_sixty_four_without_an_answer_is_left_out_and_counted(caplog, missing):
    rows = asked(*map(str, range(64)))
    rows[41]["answer"] = missing
    checked = check_datasets(Dataset.from_list(rows), {"hard": Dataset.from_list(rows), "easy": prompts(4)}, "answer")
    kept = [str(n) for n in range(64) if n != 41]
    assert (
        checked.train["answer"] == checked.evaluation["hard"]["answer"] == kept == checked.references["train_dataset"]
    )
    assert len(checked.evaluation["easy"]) == 4
    assert "train_dataset: no verifier applies to 1 of 64 rows, which are left out" in caplog.text
    assert "eval_dataset['hard']: no verifier applies to 1 of 64 rows" in caplog.text
    ranked = check_datasets(Dataset.from_list(rows), None, "answer", rule=Hero(without_reference="rank"))
    assert len(ranked.train) == 64 and "ranked by the reward model alone" in caplog.text


def test_no_row_with_an_answer_is_a_mistake(tmp_path):
    with pytest.raises(DataError, match="train_dataset: no verifier applies to any row: 'answer'"):
        make(tmp_path, asked(None, ""))


@pytest.mark.parametrize("answer", [True, {"target": "4"}, [["4"]], math.inf])
def test_an_answer_that_nothing_can_be_compared_with(tmp_path, answer):
    with pytest.raises(DataError, match=r"train_dataset\[0\]: 'answer' must be text, a number"):
        make(tmp_path, asked(answer))


def test_a_stream_is_looked_into(tmp_path, caplog):
    rows = Dataset.from_list(asked(*map(str, range(80)), None, "2", None)).to_iterable_dataset()
    assert check_datasets(rows, None, "answer").train is rows  # of a stream the beginning alone is known
    rows = Dataset.from_list(asked("1", "2", None, *map(str, range(80)), None)).to_iterable_dataset()
    kept = list(check_datasets(rows, None, "answer").train)
    assert len(kept) == 82 and None not in [row["answer"] for row in kept]
    assert "1 of the first 64 rows" in caplog.text
    wrong = Dataset.from_list(asked({"target": "4"})).to_iterable_dataset()
    with pytest.raises(DataError, match=r"train_dataset\[0\]: 'answer' must be text"):
        make(tmp_path, wrong)


def test_a_dataset_without_prompts_or_rows(tmp_path):
    with pytest.raises(DataError, match="train_dataset has no column 'prompt'"):
        make(tmp_path, [{"question": "1 + 1 =", "answer": "2"}])
    with pytest.raises(DataError, match="eval_dataset has no rows"):
        make(tmp_path, prompts(4), eval_dataset=prompts(4).select([]))


@pytest.mark.parametrize("as_answer", [int, float, str, lambda n: [n], lambda n: [str(n), f"{n}.0"]])
def test_numbers_and_alternatives_are_references(policy, tmp_path, as_answer):
    rows = Dataset.from_list([{"prompt": f"{n} plus {n} is", "answer": as_answer(2 * n)} for n in range(6)])
    run = HeroGRPOTrainer(
        model=str(policy),
        verifier=MathVerifier(),
        reward_model=LoudnessModel(),
        args=config(output_dir=str(tmp_path), max_steps=1),
        train_dataset=rows,
    )
    run.train()
    assert completions_at(tmp_path, 1)["verifier"].notna().all()


def dead(tokenizer):
    return RemoteRewardModelConfig(urls="http://127.0.0.1:9", tokenizer=str(tokenizer), retries=0, seconds=5)


@pytest.mark.parametrize("how", ["loaded", "settings", "behind a cache"])
def test_a_server_that_does_not_answer(tiny, tmp_path, how):
    server = dead(tiny[1])
    reward_model = {
        "loaded": server.load,
        "settings": lambda: server,
        "behind a cache": lambda: CachedRewardModelConfig(path=str(tmp_path / "scores.sqlite"), inner=server),
    }[how]()
    with pytest.raises(ConfigError, match=r"the reward model at http://127\.0\.0\.1:9 does not answer"):
        make(tmp_path, prompts(4), reward_model=reward_model)


@pytest.mark.parametrize(
    ("part", "what"),
    [
        ({"verifier": lambda completions, **_: [1.0] * len(completions)}, "<lambda> is no object with verify"),
        ({"verifier": MathVerifier}, "MathVerifier is no object with verify"),
        ({"verifier": {"sums": MathVerifier(), "code": "tests"}}, "'tests' is no object with verify"),
        ({"rule": "gated_hero"}, "rule must be a rule such as"),
        ({"rule": Hero}, "rule must be a rule such as"),
    ],
)
def test_what_is_no_verifier_and_no_rule_is_said_before_the_run(tmp_path, part, what):
    with pytest.raises(TypeError, match=what):
        make(tmp_path, prompts(4), **part)


def test_a_classifier_that_is_loaded_needs_its_tokenizer(tiny, tmp_path):
    model = AutoModelForSequenceClassification.from_pretrained(tiny[1])
    with pytest.raises(ConfigError, match=r"Qwen3ForSequenceClassification .* LocalRewardModel\(model, tokenizer\)"):
        make(tmp_path, prompts(4), reward_model=model)
    run = make(tmp_path, prompts(4), model=str(tiny[0]), reward_model=LocalRewardModel(model, byte_tokenizer()))
    assert run.scorer.reward_model.score([[{"role": "user", "content": "hi"}]]).isfinite().all()


def test_a_url_alone_says_what_more_is_needed(tmp_path):
    with pytest.raises(ConfigError, match=r'RemoteRewardModelConfig\(urls="http://localhost:8000", tokenizer='):
        make(tmp_path, prompts(4), reward_model="http://localhost:8000")


def test_missing_scores_are_an_alarm_that_can_end_the_run(policy, tmp_path):
    run = trainer(
        policy, tmp_path, Hero(), reward_model=LoudnessModel(missing=1), max_steps=8, stop_on_alarm=["missing"]
    )
    run.train()
    assert run.state.global_step < 8
    assert run.state.log_history[run.state.global_step - 1]["hero/alarm/missing"] == 1


def test_without_a_reward_model_no_score_is_missing(policy, tmp_path):
    run = HeroGRPOTrainer(
        model=str(policy),
        verifier=ParityVerifier(),
        rule=VerifierOnly(),
        args=config(output_dir=str(tmp_path), max_steps=4),
        train_dataset=prompts(6),
    )
    run.train()
    assert not any(row.get("hero/alarm/missing") for row in run.state.log_history)


@pytest.mark.parametrize(
    ("order", "said"), [("nonsense", "TypeError: the verifier returned a float, not a Verdict"), ("fail", "ValueError")]
)
def test_a_verifier_that_fails_on_every_reference_is_refused_with_what_it_raised(tmp_path, caplog, order, said):
    with Supervised(Runner(), workers=1) as verifier, pytest.raises(ConfigError, match=said):
        make(tmp_path, asked(*(f"do:{order} {number}" for number in range(2))), verifier=verifier)
    assert "cannot be read" not in caplog.text


def test_references_that_the_verifier_cannot_read_are_told_before_a_model_loads(tmp_path, caplog):
    rows = asked(*["see the figure on page 3, and explain"] * 3, "7")
    with pytest.raises(OSError):  # the model, which does not exist: the warning comes before it
        make(tmp_path, rows, verifier=MathVerifier())
    assert "train_dataset: " in caplog.text and "cannot be read by the verifier" in caplog.text
    assert "see the figure" in caplog.text
    caplog.clear()
    with pytest.raises(OSError):
        make(tmp_path, asked("so 3 + 4 = <<3+4=7>>7\n#### 7", "8"), verifier=MathVerifier())
    assert "cannot be read" not in caplog.text  # GSM8K's answers as published
