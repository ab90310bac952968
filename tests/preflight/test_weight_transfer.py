"""Whether a policy's weights go to vLLM in one transfer, where that matters."""

import pytest
import torch
from packaging.version import Version
from transformers import LlamaConfig

from hero_rl.errors import ConfigError
from hero_rl.preflight import transfer_objections, weight_transfer
from hero_rl.training.preflight import preflight

BUCKET = "actor_rollout_ref.rollout.checkpoint_engine.update_weights_bucket_megabytes"
SHAPE = {"hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
NUMBERS = 2 * 32_000 * 64 + 4 * 64 * 64 + 3 * 64 * 64 + 3 * 64  # the embedding twice, attention, MLP, norms


@pytest.fixture
def policy(tmp_path):
    """A policy's configuration whose weights take a little more than 15 MB in float32."""

    def write(tied=True):
        path = tmp_path / f"tied-{tied}"
        LlamaConfig(vocab_size=32_000, tie_word_embeddings=tied, **SHAPE).save_pretrained(path)
        return str(path)

    return write


@pytest.fixture
def found(monkeypatch):
    """Objections with some vLLM; None is none."""

    def ask(path, bucket, vllm="0.30.0+cpu", dtype="fp32", engine="vllm"):
        monkeypatch.setattr(weight_transfer, "_vllm", lambda: vllm and Version(vllm))
        rollout = {"name": engine, "checkpoint_engine": {"update_weights_bucket_megabytes": bucket}}
        actor = {"fsdp_config": {"model_dtype": dtype}}
        block = {"model": {"path": path}, "rollout": rollout, "actor": actor}
        return [(one.level, one.setting, one.text) for one in transfer_objections({"actor_rollout_ref": block})]

    return ask


def test_the_smallest_bucket_that_does_is_named(policy, found):
    needed = -(-NUMBERS * 4 // 2**20)
    ((level, setting, text),) = found(policy(), needed - 1)
    assert (level, setting) == ("error", BUCKET)
    assert f"Set it to {needed} or more" in text and "hangs for ever" in text and "vLLM 0.30.0+cpu" in text
    assert not found(policy(), needed)
    assert not found(policy(), needed // 2 + 1, dtype="bf16")


def test_what_does_not_hang_is_let_be(policy, found):
    assert not found(policy(tied=False), 1)
    assert not found(policy(), 1, vllm="0.28.0")
    assert not found(policy(), 1, engine="sglang")
    assert not found("no/such model", 1)
    assert found(policy(), 1, vllm=None)[0][0] == "warning"


def test_the_count_is_that_of_the_weights(policy):
    from transformers import AutoConfig, AutoModelForCausalLM

    path = policy()
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(path))
    assert sum(weight.numel() for weight in model.state_dict().values()) == NUMBERS


def test_preflight_and_the_start_of_a_run_say_it(policy, tmp_path, monkeypatch):
    monkeypatch.setattr(weight_transfer, "_vllm", lambda: Version("0.30"))
    (tmp_path / "rows.jsonl").write_text('{"prompt": "1 + 1 =", "answer": 2}\n')
    path = tmp_path / "run.yaml"
    path.write_text(f"""
engine: verl
output_dir: {tmp_path}/run
model: {{path: {policy()}}}
data: {{train: {tmp_path}/rows.jsonl}}
verifier: {{type: math}}
rule: {{type: verifier_only}}
verl: {{{BUCKET}: 8, actor_rollout_ref.rollout: {{name: vllm, n: 4}}}}
""")
    errors = {objection.setting for objection in preflight(path, offline=True).objections if objection.level == "error"}
    assert errors == {BUCKET}
    pytest.importorskip("verl.trainer")
    from hero_rl.training.recipes.load import load_run
    from hero_rl.training.verl.policy import check_verl_run

    more = {
        "verl.actor_rollout_ref.rollout.log_prob_micro_batch_size_per_gpu": 2,
        "verl.actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu": 2,
    }
    with pytest.raises(ConfigError, match=r"do not fit:\n.*update_weights_bucket_megabytes: 8 MB hold less"):
        check_verl_run(load_run(str(path), more, "train"))
