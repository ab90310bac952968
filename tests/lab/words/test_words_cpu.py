"""The shortcuts of a step on the CPU: the same training, but for last bits."""

import pytest
import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import GRPOConfig, GRPOTrainer
from trl.trainer import utils

from hero_lab.words import cpu
from hero_lab.words.cpu import PlainHead, Shortcuts
from hero_rl.generation import Sampling, TransformersGenerator
from hero_rl.generation.in_process import contiguous_head

FUSED = hasattr(utils, "_use_triton")
fused = pytest.mark.skipif(not FUSED, reason="this TRL's fused head is left as it is")


def trained(backbone, folder, callbacks):
    """(texts, gradients' norms, whether autocast's block was open around each generation) of two steps."""
    texts, open_blocks = [], []

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
    generate = trainer.model.generate

    def seen(*args, **kwargs):
        open_blocks.append(torch.is_autocast_enabled("cpu"))
        return generate(*args, **kwargs)

    trainer.model.generate = seen
    trainer.train()
    assert contiguous(trainer.model) == len(callbacks)
    assert ("forward" in vars(trainer.model.base_model)) == bool(callbacks)  # starts are shared
    return texts, [line["grad_norm"] for line in trainer.state.log_history if "grad_norm" in line], open_blocks


def contiguous(model):
    """Hooks of ours on a model's head."""
    hooks = model.get_output_embeddings()._forward_pre_hooks.values()
    return sum(hook.__name__ == "_contiguous" for hook in hooks)


def test_a_training_with_shortcuts_is_the_same_training(backbone, tmp_path, monkeypatch):
    if FUSED:
        for name in ("_use_triton", "_ChunkedLogProbFunction"):
            monkeypatch.setattr(utils, name, getattr(utils, name))  # is put back afterwards
    texts, plain, without = trained(backbone, tmp_path, [])
    same, short, within = trained(backbone, tmp_path, [Shortcuts()])
    assert same == texts
    assert len(plain) == 2 and all(norm > 0 for norm in plain)
    assert short == pytest.approx(plain, rel=0.02)  # bfloat16 has eight bits
    assert within and all(within) and not any(without)


@fused
def test_prompts_do_not_go_through_the_head(backbone, tmp_path, monkeypatch):
    monkeypatch.setattr(utils, "_use_triton", utils._use_triton)
    monkeypatch.setattr(utils, "_ChunkedLogProbFunction", utils._ChunkedLogProbFunction)
    head, scored = PlainHead.apply, []
    seen = staticmethod(lambda hidden, *rest: scored.append(len(hidden)) or head(hidden, *rest))
    monkeypatch.setattr(PlainHead, "apply", seen)
    trained(backbone, tmp_path, [Shortcuts()])
    assert scored and max(scored) <= 8 * 6  # tokens of completions


@fused
def test_the_plain_head_computes_what_the_fused_one_does():
    random = torch.Generator().manual_seed(0)
    hidden, weight, bias, *weights = (
        torch.randn(shape, generator=random) for shape in ((50, 16), (300, 16), (300,), (50,), (50,))
    )
    labels = torch.randint(0, 300, (50,), generator=random)
    found = []
    for head in (cpu._TILED, PlainHead):
        own = [one.clone().requires_grad_() for one in (hidden, weight, bias)]
        log_probs, entropy, *_ = head.apply(*own, labels, 0.7, 128, None, 1.3, ("log_probs", "entropy"))
        (log_probs * weights[0] + entropy * weights[1]).sum().backward()  # entropy may be rewarded, too
        found.append((log_probs, entropy, *(one.grad for one in own)))
    torch.testing.assert_close(found[1], found[0], rtol=1e-4, atol=1e-4)
    assert PlainHead.apply(hidden, weight, None, labels, 1.0, 128, None, 1.0, ("log_probs",))[1] is None


@fused
@pytest.mark.parametrize(
    ("cap", "outputs"),
    [(30.0, ("log_probs",)), (None, ("log_probs", "is_top1")), (None, ("log_probs", "mean_logits"))],
)
def test_further_outputs_are_those_of_the_fused_head(cap, outputs):
    random = torch.Generator().manual_seed(0)
    hidden, weight = torch.randn(20, 16, generator=random), torch.randn(9, 16, generator=random)
    labels = torch.randint(0, 9, (20,), generator=random)
    ours, theirs = (
        head.apply(hidden, weight, None, labels, 1.0, 128, cap, 1.0, outputs) for head in (PlainHead, cpu._TILED)
    )
    torch.testing.assert_close(ours, theirs)


@fused
def test_rounded_weights_meet_states_that_are_not():
    hidden, weight = torch.randn(4, 8), torch.randn(9, 8, dtype=torch.bfloat16)
    labels = torch.zeros(4, dtype=torch.long)
    ours, theirs = (
        head.apply(hidden, weight, None, labels, 1.0, 128, None, 1.0, ("log_probs",))[0]
        for head in (PlainHead, cpu._TILED)
    )
    torch.testing.assert_close(ours, theirs)


def test_a_head_reads_contiguous_input_once_for_all_generators_of_a_model(backbone):
    model = AutoModelForCausalLM.from_pretrained(backbone).eval()
    ids = torch.arange(3, 15).view(2, 6)
    with torch.inference_mode():
        plain = model(ids, logits_to_keep=1).logits
    tokenizer = AutoTokenizer.from_pretrained(backbone)
    for _ in range(2):
        TransformersGenerator(model, tokenizer, Sampling(), "tiny")
    contiguous_head(model)
    assert contiguous(model) == 1
    seen = []
    model.get_output_embeddings().register_forward_pre_hook(lambda head, given: seen.append(given[0].is_contiguous()))
    with torch.inference_mode():
        torch.testing.assert_close(model(ids, logits_to_keep=1).logits, plain)
    assert seen == [True]
