"""The shortcuts of a step on the CPU: the same training, to last bits."""

import pytest
import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import GRPOConfig, GRPOTrainer
from trl.trainer import utils

from hero_lab.words.cpu import Shortcuts
from hero_rl.generation import dense_head


def trained(backbone, folder, callbacks):
    """(texts, losses and norms) of two steps, with rewards that differ in nearly every group."""
    texts = []

    def reward(completions, **kwargs):
        texts.extend(completions)
        return [float(sum(map(ord, text)) % 7) for text in completions]

    switches = {"use_cpu": True, "bf16": True, "gradient_checkpointing": False, "save_strategy": "no"}
    sizes = {"per_device_train_batch_size": 8, "num_generations": 4, "max_completion_length": 6, "max_steps": 2}
    trainer = GRPOTrainer(
        model=str(backbone),
        reward_funcs=reward,
        args=GRPOConfig(
            output_dir=str(folder), learning_rate=1e-2, loss_type="dr_grpo", report_to="none", logging_steps=1,
            model_init_kwargs={"attn_implementation": "eager", "dtype": "float32"}, **switches, **sizes,
        ),
        train_dataset=Dataset.from_dict({"prompt": ["aaaa", "bb", "ccc", "d"]}),
        processing_class=AutoTokenizer.from_pretrained(backbone, padding_side="left"),
        callbacks=callbacks,
    )  # fmt: skip
    trainer.train()
    return texts, [(line["loss"], line["grad_norm"]) for line in trainer.state.log_history if "grad_norm" in line]


def test_a_training_with_shortcuts_is_the_same_training(backbone, tmp_path, monkeypatch):
    monkeypatch.setattr(utils, "_use_triton", utils._use_triton)  # is put back afterwards
    texts, plain = trained(backbone, tmp_path, [])
    scored = []
    head = utils._ChunkedLogProbFunction.apply
    monkeypatch.setattr(
        utils._ChunkedLogProbFunction, "apply", lambda hidden, *rest: scored.append(len(hidden)) or head(hidden, *rest)
    )
    same, short = trained(backbone, tmp_path, [Shortcuts()])
    assert all(norm > 0 for _, norm in plain)
    assert same == texts
    for ours, theirs in zip(short, plain, strict=True):
        assert ours == pytest.approx(theirs, rel=0.02, abs=1e-4)
    assert max(scored) <= 8 * 6  # the tokens of completions, and nothing of prompts


def test_a_head_reads_rows_that_lie_side_by_side(backbone):
    model = AutoModelForCausalLM.from_pretrained(backbone).eval()
    ids = torch.arange(3, 15).view(2, 6)
    with torch.inference_mode():
        plain = model(ids, logits_to_keep=1).logits
    dense_head(model)
    seen = []
    model.get_output_embeddings().register_forward_pre_hook(lambda head, given: seen.append(given[0].is_contiguous()))
    with torch.inference_mode():
        assert torch.equal(model(ids, logits_to_keep=1).logits, plain)
    assert seen == [True]
