"""The TRL adapter on the real trainers: same numbers as TRL where TRL has them, the core's numbers everywhere."""

import json
import math

import numpy as np
import pandas
import pytest
import torch
import trl
from datasets import Dataset
from packaging.version import Version
from parts import LoudnessModel, ParityVerifier, completions_at, config, loudness, parity, prompts, trainer
from transformers import set_seed
from trl import GRPOConfig, GRPOTrainer, RLOOConfig, RLOOTrainer

import hero_rl
from hero_rl.errors import CheckpointError, ConfigError, DataError, UnscorableError
from hero_rl.rules import GatedHero, Gdpo, Hero, HeroState, VerifierOnly, WeightedSum
from hero_rl.trainers.trl import STATE_FILE, HeroGRPOConfig, HeroGRPOTrainer, HeroRLOOConfig, HeroRLOOTrainer
from hero_rl.verifiers import Reason, Verdict


def verdicts(completions, **_):
    return [parity(c) for c in completions]


def scores(completions, **_):
    return [loudness(c) for c in completions]


def plain(policy, output_dir, kind=GRPOTrainer, kind_config=GRPOConfig, reward_funcs=(verdicts,), **changes):
    return kind(
        model=str(policy),
        reward_funcs=list(reward_funcs),
        args=config(kind_config, output_dir=str(output_dir), **changes),
        train_dataset=prompts(6),
    )


def assert_same_run(ours, theirs):
    """Last completions, last advantages and the weights: one other advantage on the way, and the runs part."""
    for run in (ours, theirs):
        set_seed(3)
        run.train()
    assert list(ours._logs["completion"]) == list(theirs._logs["completion"])
    assert np.abs(theirs._logs["advantages"]).sum() > 0
    np.testing.assert_allclose(ours._logs["advantages"], theirs._logs["advantages"], atol=2e-6)
    for x, y in zip(ours.model.parameters(), theirs.model.parameters(), strict=True):
        torch.testing.assert_close(x, y, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("scale", ["group", "none", "batch"])
def test_verifier_only_is_trl_grpo(policy, tmp_path, scale):
    ours = trainer(policy, tmp_path / "ours", VerifierOnly(scale=scale, eps=1e-4))
    assert_same_run(ours, plain(policy, tmp_path / "theirs", scale_rewards=scale))


def test_weighted_sum_is_trl_reward_weights(policy, tmp_path):
    ours = trainer(policy, tmp_path / "ours", WeightedSum(weight=0.3, scale="group", eps=1e-4))
    theirs = plain(
        policy, tmp_path / "theirs", reward_funcs=(verdicts, scores), reward_weights=[0.3, 0.7], scale_rewards="group"
    )
    assert_same_run(ours, theirs)


def test_gdpo_is_trl_normalize_then_sum(policy, tmp_path):
    ours = trainer(policy, tmp_path / "ours", Gdpo(eps=1e-4))
    theirs = plain(
        policy,
        tmp_path / "theirs",
        reward_funcs=(verdicts, scores),
        multi_objective_aggregation="normalize_then_sum",
    )
    assert_same_run(ours, theirs)


@pytest.mark.parametrize("kl", [0.0, 0.5])
def test_verifier_only_is_trl_rloo_with_its_kl_penalty(policy, tmp_path, kl):
    ours = trainer(policy, tmp_path / "ours", VerifierOnly(), kind=HeroRLOOTrainer, beta=kl)
    theirs = plain(policy, tmp_path / "theirs", kind=RLOOTrainer, kind_config=RLOOConfig, beta=kl)
    assert_same_run(ours, theirs)


def test_hero_advantages_are_the_core_s(policy, tmp_path):
    """Every step of a run, recomputed from the table that it wrote."""
    run = trainer(policy, tmp_path, Hero(alpha=0.05, beta=0.2))
    run.train()
    rule, state = run.rule, HeroState()
    for step in (1, 2, 3):
        table = completions_at(tmp_path, step)
        signals = hero_rl.Signals(
            *(torch.tensor(table[c].to_numpy(), dtype=torch.float32) for c in ("verifier", "reward_model")),
            torch.arange(8) // 4,
        )
        assert table["verifier"].tolist() == [parity(c) for c in table["completion"]]
        shaped, state = rule.update(signals, state)
        np.testing.assert_allclose(table["advantage"], shaped.advantage, rtol=1e-6)
        np.testing.assert_allclose(table["reward"], shaped.reward, rtol=1e-6)
        np.testing.assert_allclose(table["weight"], shaped.weight, rtol=1e-6)
        assert table["group"].tolist() == [0] * 4 + [1] * 4
    assert run.rule_state == state


EVERY_METRIC = {
    "reward",
    "reward_std",
    "rewards/verifier/mean",
    "rewards/reward_model/mean",
    "hero/frac_groups_mixed",
    "hero/frac_groups_all_correct",
    "hero/frac_groups_all_incorrect",
    "hero/frac_groups_rescued",
    "hero/rm_auroc",
    "hero/sigma",
    "hero/sigma_bar",
    "hero/weight/mean",
    "hero/weight/p10",
    "hero/weight/p90",
    "hero/advantage_mass_uniform",
    "hero/frac_unscorable",
    "hero/hacking_alarm",
    "verifier/abstained",
    "verifier/not_applied",
    "verifier/timed_out",
    "verifier/crashed",
    "verifier/seconds",
    "reward_model/missing",
    "reward_model/truncated",
    "reward_model/seconds",
}


def test_every_metric_is_logged_and_the_reward_is_the_shaped_one(policy, tmp_path):
    run = trainer(policy, tmp_path, Hero())
    run.train()
    logs = [row for row in run.state.log_history if "reward" in row]
    assert set(logs[0]) >= EVERY_METRIC
    for step, row in enumerate(logs, start=1):
        table = completions_at(tmp_path, step)
        assert row["reward"] == pytest.approx(table["reward"].mean(), rel=1e-5)
        assert row["reward_std"] == pytest.approx(table["reward"].std(), rel=1e-5)
        assert row["rewards/verifier/mean"] == pytest.approx(table["verifier"].mean())
        assert row["frac_reward_zero_std"] == 0


def test_abstentions_and_missing_scores_are_never_a_reward(policy, tmp_path):
    run = trainer(
        policy, tmp_path, Hero(), verifier=ParityVerifier(abstain=3), reward_model=LoudnessModel(missing=5), max_steps=6
    )
    run.train()
    seen_abstention = seen_missing = False
    for step in range(1, 7):
        table = completions_at(tmp_path, step)
        lost = table["verifier"].isna()
        assert (table["advantage"][lost] == 0).all() and table["reward"][lost].isna().all()
        assert (table["reason"][lost] == "timed_out").all()
        unscored = table["reward_model"].isna() & ~lost
        middles = table["weight"][unscored] * table["verifier"][unscored]  # the middle of a band is the verdict
        np.testing.assert_allclose(table["reward"][unscored], middles, atol=1e-6)
        seen_abstention |= lost.any()
        seen_missing |= unscored.any()
        row = run.state.log_history[step - 1]
        assert row["verifier/abstained"] == row["verifier/timed_out"] == lost.sum()
        assert row["hero/frac_unscorable"] == pytest.approx(lost.mean())
    assert seen_abstention and seen_missing


def test_too_many_unscorable_rollouts_stop_the_run_after_a_window_of_them(policy, tmp_path):
    run = trainer(policy, tmp_path, Hero(), verifier=ParityVerifier(abstain=1), max_steps=40, max_unscorable=0.5)
    with pytest.raises(UnscorableError, match=r"256 of the last 256 rollouts.*'timed_out': 8"):
        run.train()
    assert run.state.global_step == 31


def test_a_verifier_that_breaks_in_the_run_is_named_with_what_it_raised(policy, tmp_path):
    class Breaking(ParityVerifier):
        def verify(self, reference, completion):
            return super().verify(reference, completion) if not self.abstain else {}["answer"]

    run = trainer(policy, tmp_path, Hero(), verifier=Breaking(), max_steps=40, max_unscorable=0.5)
    run.scorer.verifier.abstain = 1
    with pytest.raises(UnscorableError, match=r"'crashed': 8.*; the first check that crashed: KeyError: 'answer'"):
        run.train()


def test_a_reward_model_that_is_gone_stops_the_run_too(policy, tmp_path):
    run = trainer(policy, tmp_path, GatedHero(), reward_model=LoudnessModel(missing=1), max_steps=40)
    with pytest.raises(UnscorableError, match=r"256 of the last 256 rollouts.*'reward_model/missing': 8"):
        run.train()
    without = trainer(policy, tmp_path, VerifierOnly(), reward_model=LoudnessModel(missing=1), max_steps=40)
    without.train()
    assert without.state.global_step == 40


def test_one_bad_batch_stops_neither_training_nor_evaluation(policy, tmp_path):
    run = trainer(
        policy, tmp_path, Hero(), verifier=ParityVerifier(abstain=1), max_unscorable=0.0, eval_dataset=prompts(2)
    )
    run.train()
    metrics = run.evaluate()
    assert run.state.global_step == 3 and metrics["eval_hero/frac_unscorable"] == 1


def test_an_abstention_gets_no_kl_penalty_under_rloo_either(policy, tmp_path):
    run = trainer(
        policy, tmp_path, Hero(), kind=HeroRLOOTrainer, verifier=ParityVerifier(abstain=3), beta=0.5, max_steps=5,
        rollouts_dir=str(tmp_path / "rollouts"),
    )  # fmt: skip
    run.train()
    table = pandas.concat(map(pandas.read_parquet, sorted((tmp_path / "rollouts").glob("*.parquet"))))
    lost = table["verdict"].isna()
    assert lost.sum() > 5 and (table["advantage"][lost] == 0).all() and (table["advantage"][~lost] != 0).any()


@pytest.mark.parametrize("stream", [False, True])
def test_accumulation_reuse_and_streams_leave_the_numbers_alone(policy, tmp_path, stream):
    """Two generation batches an optimiser step, each used twice, from rows or from a stream."""
    if stream and Version(trl.__version__) < Version("1.16"):
        pytest.skip("streams came to GRPOTrainer after TRL 1.8")
    run = HeroGRPOTrainer(
        rule=Hero(),
        model=str(policy),
        verifier=ParityVerifier(),
        reward_model=LoudnessModel(),
        args=config(
            output_dir=str(tmp_path),
            rollouts_dir=str(tmp_path / "rollouts"),
            gradient_accumulation_steps=4,
            steps_per_generation=2,
            num_iterations=2,
            max_steps=3,
        ),
        train_dataset=prompts(40).to_iterable_dataset() if stream else prompts(40),
    )
    run.train()
    state = HeroState()
    for path in sorted((tmp_path / "rollouts").glob("train_*.parquet")):
        table = pandas.read_parquet(path)
        assert len(table) == 16 and table["prompt"].nunique() == 4
        columns = (torch.tensor(table[c].to_numpy(), dtype=torch.float32) for c in ("verdict", "score"))
        shaped, state = run.rule.update(hero_rl.Signals(*columns, torch.arange(16) // 4), state)
        np.testing.assert_allclose(table["advantage"], shaped.advantage, rtol=1e-6)
    assert run.rule_state == state


def test_every_batch_is_kept_apart_from_evaluation(policy, tmp_path):
    run = trainer(
        policy, tmp_path, Hero(), rollouts_dir=str(tmp_path / "rollouts"), logging_steps=10, eval_dataset=prompts(3)
    )
    run.train()
    run.evaluate()
    names = [path.name for path in sorted((tmp_path / "rollouts").iterdir())]
    assert names == ["eval_000003_000.parquet", "eval_000003_001.parquet"] + [
        f"train_{step:06d}_000.parquet" for step in (1, 2, 3)
    ]
    table = pandas.read_parquet(tmp_path / "rollouts" / "train_000002_000.parquet")
    shaped = hero_rl.shape(table["verdict"], table["score"], table["group"], Hero(w_min=1, w_max=1))
    np.testing.assert_allclose(table["reward"], table["weight"] * shaped.reward.numpy(), rtol=1e-5)
    kept = {"step", "mode", "prompt", "completion", "reference", "answer", "reason", "sigma", "advantage"}
    assert kept <= set(table) and set(table["mode"]) == {"train"}


def test_evaluation_uses_its_own_group_size_and_leaves_the_state_alone(policy, tmp_path):
    """Five prompts, four a batch: the last batch is short, and sigma_bar must not see any of it."""
    run = trainer(policy, tmp_path, Hero(), num_generations_eval=2, eval_dataset=prompts(5, start=50))
    run.train()
    before = run.rule_state, run.watch.state
    metrics = run.evaluate()
    assert (run.rule_state, run.watch.state) == before
    assert metrics["eval_hero/sigma_bar"] == pytest.approx(before[0].sigma_bar)
    assert "eval_hero/frac_groups_mixed" in metrics and "eval_hero/hacking_alarm" not in metrics
    assert math.isfinite(metrics["eval_reward"])


def test_uneven_last_training_batch(policy, tmp_path):
    """Five prompts at two a step: what is over does not break groups or the run."""
    run = trainer(policy, tmp_path, Hero(), rows=5, max_steps=5)
    run.train()
    assert run.state.global_step == 5


def test_resume_is_bit_equal(policy, tmp_path):
    changes = {"save_strategy": "steps", "save_steps": 2, "max_steps": 5}
    straight = trainer(policy, tmp_path / "straight", Hero(), **changes)
    straight.train()
    resumed = trainer(policy, tmp_path / "resumed", Hero(), **changes)
    resumed.train(resume_from_checkpoint=str(tmp_path / "straight" / "checkpoint-2"))
    assert resumed.rule_state == straight.rule_state
    assert resumed.watch.state == straight.watch.state
    for step in (3, 4, 5):
        a, b = (completions_at(tmp_path / name, step) for name in ("straight", "resumed"))
        assert a["completion"].tolist() == b["completion"].tolist()
        assert a["advantage"].tolist() == b["advantage"].tolist()
        first, second = straight.state.log_history[step - 1], resumed.state.log_history[step - 1]
        assert first["hero/sigma_bar"] == second["hero/sigma_bar"]


def test_resume_refuses_a_checkpoint_without_hero_or_of_another_rule(policy, tmp_path):
    changes = {"save_strategy": "steps", "save_steps": 1, "max_steps": 1}
    trainer(policy, tmp_path, Hero(), **changes).train()
    checkpoint = tmp_path / "checkpoint-1"
    other = trainer(policy, tmp_path / "other", VerifierOnly(), **changes)
    with pytest.raises(CheckpointError, match="holds the state of rule 'hero', not 'verifier_only'"):
        other.train(resume_from_checkpoint=str(checkpoint))
    record = json.loads((checkpoint / STATE_FILE).read_text())
    assert record["state"]["sigma_bar"] > 0 and record["rule"]["alpha"] == 0.1
    (checkpoint / STATE_FILE).unlink()
    with pytest.raises(CheckpointError, match=r"hero_state.json is missing"):
        trainer(policy, tmp_path / "again", Hero(), **changes).train(resume_from_checkpoint=str(checkpoint))


def test_changed_settings_are_pointed_out_on_resume(policy, tmp_path, caplog):
    changes = {"save_strategy": "steps", "save_steps": 1}
    trainer(policy, tmp_path, Hero(), max_steps=1, **changes).train()
    run = trainer(policy, tmp_path / "b", Hero(alpha=0.2), max_steps=2, **changes)
    run.train(resume_from_checkpoint=str(tmp_path / "checkpoint-1"))
    assert "the rule's settings differ" in caplog.text


def test_peft_trains_only_the_adapter(policy, tmp_path):
    from peft import LoraConfig

    run = trainer(
        policy, tmp_path, Hero(), peft_config=LoraConfig(r=2, task_type="CAUSAL_LM", target_modules=["q_proj"])
    )
    before = {n: p.detach().clone() for n, p in run.model.named_parameters()}
    run.train()
    moved = {n for n, p in run.model.named_parameters() if not torch.equal(p, before[n])}
    assert moved and all("lora_" in name for name in moved)


def test_conversations(policy, tmp_path):
    rows = prompts(6).map(lambda row: {"prompt": [{"role": "user", "content": row["prompt"]}]})
    run = HeroGRPOTrainer(
        model=str(policy),
        verifier=ParityVerifier(),
        reward_model=LoudnessModel(),
        args=config(output_dir=str(tmp_path)),
        train_dataset=rows,
    )
    run.train()
    table = completions_at(tmp_path, 1)
    texts = [c if isinstance(c, str) else c[-1]["content"] for c in table["completion"]]  # TRL 1.8 writes text
    assert table["verifier"].tolist() == [parity(text) for text in texts]


def test_reward_model_by_path(tiny, tmp_path):
    run = trainer(tiny[0], tmp_path, Hero(), reward_model=str(tiny[1]), max_steps=1)
    run.train()
    assert completions_at(tmp_path, 1)["reward_model"].notna().all()


def test_verifier_only_needs_no_reward_model(policy, tmp_path):
    run = HeroGRPOTrainer(
        model=str(policy),
        verifier=ParityVerifier(),
        rule=VerifierOnly(),
        args=config(output_dir=str(tmp_path)),
        train_dataset=prompts(6),
    )
    run.train()
    assert completions_at(tmp_path, 1)["reward_model"].isna().all()


def test_wrong_arguments_are_refused_before_a_model_loads(tmp_path):
    common = {"model": "no/such/model", "verifier": ParityVerifier(), "train_dataset": prompts(2)}
    good = config(output_dir=str(tmp_path))
    with pytest.raises(ConfigError, match="the rule 'gated_hero' needs a reward_model"):
        HeroGRPOTrainer(**common, args=good)
    with pytest.raises(TypeError, match="args must be a HeroGRPOConfig, not GRPOConfig"):
        HeroGRPOTrainer(**common, args=config(GRPOConfig, output_dir=str(tmp_path)))
    with pytest.raises(TypeError, match="verifier and reward_model in place of reward_funcs"):
        HeroGRPOTrainer(**common, args=good, reward_funcs=[verdicts])
    with pytest.raises(DataError, match="train_dataset has no column 'solution'"):
        HeroGRPOTrainer(
            **common, reward_model=LoudnessModel(), args=config(output_dir=str(tmp_path), reference_column="solution")
        )
    with pytest.raises(DataError, match=r"eval_dataset\['hard'\] has no column 'answer'"):
        HeroGRPOTrainer(
            **common,
            reward_model=LoudnessModel(),
            args=good,
            eval_dataset={"hard": prompts(2).remove_columns("answer")},
        )


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (HeroGRPOConfig, {"max_unscorable": 1.5}, "max_unscorable"),
        (HeroGRPOConfig, {"reward_weights": [1.0, 1.0]}, "reward_weights has no effect"),
        (HeroGRPOConfig, {"remove_unused_columns": True}, "would drop the column 'answer'"),
        (HeroGRPOConfig, {"multi_objective_aggregation": "normalize_then_sum"}, "see the rule `gdpo`"),
        (HeroRLOOConfig, {"normalize_advantages": True}, "normalize_advantages has no effect"),
        (HeroRLOOConfig, {"reward_clip_range": (-1.0, 1.0)}, "reward_clip_range has no effect"),
    ],
)
def test_inert_settings_are_refused(tmp_path, kind, settings, message):
    with pytest.raises(ConfigError, match=message):
        config(kind, output_dir=str(tmp_path), **settings)


def test_a_scale_that_the_rule_overrules_is_pointed_out(policy, tmp_path, caplog):
    trainer(policy, tmp_path, Hero(), scale_rewards="batch")
    assert "scale_rewards='batch' has no effect" in caplog.text


class Heard:
    """Keeps what it is given to judge."""

    def __init__(self):
        self.completions = []

    def verify(self, reference, completion):
        self.completions.append(completion)
        return Verdict.of(Reason.MISMATCH)


@pytest.mark.parametrize(("ending", "began"), [("<think>\n", True), ("<think>\n\n</think>\n\n", False), ("", False)])
def test_the_template_tells_whether_a_completion_begins_in_a_thought(policy, tmp_path, ending, began):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(policy)
    tokenizer.chat_template = "{{ messages[-1]['content'] }}" + ending
    asked = [{"prompt": [{"role": "user", "content": f"{n} plus {n}?"}], "answer": str(2 * n)} for n in range(4)]
    heard = Heard()
    run = HeroGRPOTrainer(
        model=str(policy),
        verifier=heard,
        rule=VerifierOnly(),
        args=config(output_dir=str(tmp_path), max_steps=1),
        train_dataset=Dataset.from_list(asked),
        processing_class=tokenizer,
    )
    heard.completions.clear()  # the references are judged by themselves when the trainer is made
    run.train()
    assert heard.completions
    assert all(text.startswith("<think>") is began for text in heard.completions)
