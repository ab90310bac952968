"""Common starts once: the same states, gradients and texts, from fewer tokens."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import (
    BloomConfig,
    BloomForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from hero_rl.generation.common_starts import best_start, share_starts

ROOT = Path(__file__).parents[2]
SHAPE = {
    "vocab_size": 99, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip


def llama(**more):
    torch.manual_seed(0)
    return LlamaForCausalLM(LlamaConfig(**SHAPE, **more)).double()


def counted(model):
    """Tokens that each pass through the model's body computes, as they come."""
    passes = []
    model.base_model.layers[0].register_forward_pre_hook(lambda layer, given: passes.append(given[0][..., 0].numel()))
    return passes


def batch(samples=4, completion=5):
    """(prompts and their mask, whole texts and their mask): three prompts, one padded on the left, in mixed order."""
    random = torch.Generator().manual_seed(1)
    prompts = torch.randint(3, 99, (3, 7), generator=random)
    mask = torch.ones_like(prompts)
    prompts[1, :3] = mask[1, :3] = 0
    order = torch.randperm(3 * samples, generator=random)
    prompts, mask = (one.repeat_interleave(samples, 0)[order] for one in (prompts, mask))
    own = torch.randint(3, 99, (3 * samples, completion), generator=random)
    read = torch.ones_like(own)
    read[0, 3:] = 0  # a short one
    return prompts, mask, torch.cat([prompts, own], 1), torch.cat([mask, read], 1)


def brute(tokens):
    rows, length = tokens.shape
    return min(len({tuple(row[:at]) for row in tokens.tolist()}) * at + rows * (length - at) for at in range(1, length))


@given(st.lists(st.lists(st.integers(0, 2), min_size=6, max_size=6), min_size=2, max_size=7))
def test_no_cut_leaves_fewer_tokens(rows):
    tokens = torch.tensor(rows)
    length, first, start = best_start(tokens)
    assert len(first) * length + len(rows) * (6 - length) == brute(tokens)
    assert 1 <= length < 6
    assert torch.equal(tokens[first][start][:, :length], tokens[:, :length])
    assert len({tuple(row) for row in tokens[first, :length].tolist()}) == len(first)


@pytest.mark.parametrize("kind", ["llama", "qwen3"])
def test_states_and_gradients_are_the_same(kind):
    _, _, texts, mask = batch()
    found = []
    for shared in (False, True):
        torch.manual_seed(0)
        model = (llama() if kind == "llama" else Qwen3ForCausalLM(Qwen3Config(**SHAPE, head_dim=8)).double()).train()
        passes = counted(model)
        assert not shared or share_starts(model)
        out = model(input_ids=texts, attention_mask=mask, use_cache=False)
        assert out.past_key_values is None
        weights = torch.randn(out.logits.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
        (out.logits * weights * mask[..., None]).sum().backward()
        found.append((out.logits * mask[..., None], [weight.grad for weight in model.parameters()]))
        assert passes == ([3 * 7, 12 * 5] if shared else [12 * 12])
    torch.testing.assert_close(found[1], found[0], rtol=1e-5, atol=1e-5)  # norms are taken in float32


def test_the_same_texts_are_drawn():
    prompts, mask, _, _ = batch()
    model = llama().eval()

    def drawn():
        torch.manual_seed(3)
        return model.generate(input_ids=prompts, attention_mask=mask, max_new_tokens=9, do_sample=True)

    plain, passes = drawn(), counted(model)
    assert share_starts(model)
    assert torch.equal(drawn(), plain)
    assert passes[:2] == [3 * 6, 12]  # all but the last token of each prompt, which stands alone in every row


def test_texts_that_share_nothing_are_one_pass():
    model = llama().eval()
    share_starts(model)
    passes = counted(model)
    ids = torch.arange(3, 19).view(2, 8)
    model(input_ids=ids, attention_mask=torch.ones_like(ids))
    assert passes == [16]


def test_a_second_call_changes_nothing():
    model = llama()
    assert share_starts(model)
    once = model.base_model.forward
    assert share_starts(model)
    assert model.base_model.forward is once


def test_a_model_that_keeps_something_else_is_left_alone():
    model = MistralForCausalLM(MistralConfig(**SHAPE, sliding_window=4))
    assert not share_starts(model)
    assert "forward" not in vars(model.base_model)
    bloom = BloomForCausalLM(BloomConfig(vocab_size=99, hidden_size=32, n_layer=1, n_head=2))
    assert not share_starts(bloom)


@pytest.mark.parametrize("why", ["checkpoints", "dropout"])
def test_training_that_needs_whole_rows_gets_them(why):
    _, _, texts, mask = batch()
    model = llama(attention_dropout=0.1 if why == "dropout" else 0.0).train()
    if why == "checkpoints":
        model.gradient_checkpointing_enable()
    assert share_starts(model)
    passes = counted(model)
    model(input_ids=texts, attention_mask=mask)
    assert passes == [12 * 12]


def test_states_of_every_layer_are_those_of_the_whole_rows():
    _, _, texts, mask = batch()
    model = llama().eval()
    plain = model(input_ids=texts, attention_mask=mask, output_hidden_states=True).hidden_states
    share_starts(model)
    out = model(input_ids=texts, attention_mask=mask, output_hidden_states=True)
    torch.testing.assert_close(out.hidden_states, plain)


@pytest.mark.slow
def test_the_benchmark_runs_and_gradients_agree():
    command = [sys.executable, "benchmarks/common_starts.py", "--quick"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert len(said.strip().splitlines()) == 3
