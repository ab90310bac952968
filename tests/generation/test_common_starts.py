"""Common starts once: the same states, gradients and texts, from fewer tokens."""

import copy
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from peft import LoraConfig, get_peft_model
from transformers import (
    BertConfig,
    BertLMHeadModel,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    LlamaForSequenceClassification,
    MistralConfig,
    MistralForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
    StaticCache,
)

from hero_rl.generation.common_starts import best_start, share_starts, starts_shared

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


def family(kind):
    """One of the families that share, in float64."""
    torch.manual_seed(0)
    if kind == "llama":
        return llama()
    if kind == "mistral":
        return MistralForCausalLM(MistralConfig(**SHAPE, sliding_window=None)).double()
    if kind == "qwen2":
        return Qwen2ForCausalLM(Qwen2Config(**SHAPE)).double()
    return Qwen3ForCausalLM(Qwen3Config(**SHAPE, head_dim=8)).double()


@pytest.mark.parametrize("kind", ["llama", "mistral", "qwen2", "qwen3"])
def test_states_and_gradients_are_the_same(kind):
    _, _, texts, mask = batch()
    found = []
    for shared in (False, True):
        model = family(kind).train()
        passes = counted(model)
        assert not shared or share_starts(model)
        out = model(input_ids=texts, attention_mask=mask, use_cache=False)
        assert out.past_key_values is None and len(out.to_tuple()) == 1
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
    assert share_starts(model)
    passes = counted(model)
    ids = torch.arange(3, 19).view(2, 8)
    model(input_ids=ids, attention_mask=torch.ones_like(ids))
    assert passes == [16]


def test_a_second_call_changes_nothing_and_a_while_ends():
    model = llama()
    assert share_starts(model)
    once = model.base_model.forward
    assert share_starts(model)
    assert model.base_model.forward is once
    with starts_shared(model):
        pass
    assert model.base_model.forward is once  # it did so before
    del model.base_model.forward
    with starts_shared(model):
        assert "forward" in vars(model.base_model)
    assert "forward" not in vars(model.base_model)


def test_a_pickled_model_still_shares():
    _, _, texts, mask = batch()
    model = llama().eval()
    plain = model(input_ids=texts, attention_mask=mask).logits
    share_starts(model)
    again = pickle.loads(pickle.dumps(model))
    passes = counted(again)
    torch.testing.assert_close(again(input_ids=texts, attention_mask=mask).logits, plain)
    assert passes == [3 * 7, 12 * 5]


def test_a_copy_computes_with_its_own_weights():
    _, _, texts, mask = batch()
    model = llama().eval()
    share_starts(model)
    plain = model(input_ids=texts, attention_mask=mask).logits
    other = copy.deepcopy(model)
    with torch.no_grad():
        for weight in model.parameters():
            weight.zero_()
    torch.testing.assert_close(other(input_ids=texts, attention_mask=mask).logits, plain)


def others():
    """Models that must stay as they are."""
    tiny = {"vocab_size": 99, "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    yield MistralForCausalLM(MistralConfig(**SHAPE, sliding_window=4))
    yield LlamaForCausalLM(
        LlamaConfig(**SHAPE, rope_parameters={"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0})
    )
    yield GPT2LMHeadModel(GPT2Config(vocab_size=99, n_embd=32, n_layer=1, n_head=2))  # drops by chance
    yield BertLMHeadModel(BertConfig(**tiny, intermediate_size=32))  # reads what comes after
    changed = llama()
    changed.base_model.forward = changed.base_model.forward
    yield changed


def test_a_model_of_another_kind_is_left_alone():
    for model in others():
        before = dict(vars(model.base_model))
        assert not share_starts(model)
        with starts_shared(model):
            pass
        assert vars(model.base_model) == before


@pytest.mark.parametrize("why", ["checkpoints", "dropout", "LoRA with dropout"])
def test_training_that_needs_whole_rows_gets_them(why):
    _, _, texts, mask = batch()
    model = llama(attention_dropout=0.1 if why == "dropout" else 0.0).train()
    if why == "checkpoints":
        model.gradient_checkpointing_enable()
    if why == "LoRA with dropout":
        get_peft_model(model, LoraConfig(lora_dropout=0.1, target_modules=["q_proj"]))
    assert share_starts(model)
    passes = counted(model)
    model(input_ids=texts, attention_mask=mask)
    assert passes == [12 * 12]


def test_a_model_with_adapters_shares():
    _, _, texts, mask = batch()
    model = llama().train()
    adapted = get_peft_model(model, LoraConfig(target_modules=["q_proj"], init_lora_weights=False))
    plain = adapted(input_ids=texts, attention_mask=mask).logits
    assert share_starts(adapted.get_base_model())
    passes = counted(model)
    torch.testing.assert_close(adapted(input_ids=texts, attention_mask=mask).logits, plain)
    assert passes == [3 * 7, 12 * 5]


@pytest.mark.parametrize(
    "wish", ["argument", "configuration", "tuple", "four dimensions", "places", "several in a row", "both ways"]
)
def test_a_pass_that_asks_for_more_is_whole_and_the_same(wish):
    _, _, texts, mask = batch()
    model = llama().eval()
    how = {"input_ids": texts, "attention_mask": mask}
    if wish == "argument":
        how["output_hidden_states"] = True
    elif wish == "configuration":
        model.config.output_hidden_states = True
    elif wish == "tuple":
        how["return_dict"] = False
    elif wish == "four dimensions":
        how["attention_mask"] = (torch.ones(12, 12).tril() * mask[:, None, :]).bool()[:, None]
    elif wish == "several in a row":  # where places begin anew, without a mask
        how = {"input_ids": texts, "position_ids": torch.arange(12).remainder(6).expand(12, -1)}
    elif wish == "both ways":
        model.config.is_causal = False
    else:  # the same tokens at other places
        how["position_ids"] = torch.arange(12).repeat(12, 1)
        how["position_ids"][5] += 1
    plain = model.base_model(**how)
    assert share_starts(model)
    passes = counted(model)
    found = model.base_model(**how)
    assert passes == [12 * 12]
    if wish == "tuple":
        torch.testing.assert_close(found[0], plain[0])
        return
    torch.testing.assert_close(found.last_hidden_state, plain.last_hidden_state)
    if wish in ("argument", "configuration"):
        torch.testing.assert_close(found.hidden_states, plain.hidden_states)


@pytest.mark.parametrize("row", [1, 12])
def test_places_that_agree_are_cut_with_the_tokens(row):
    _, _, texts, mask = batch()
    model = llama().eval()
    places = (torch.arange(12) ** 2 + 3).repeat(row, 1)  # uneven: only differences of places count
    plain = model(input_ids=texts, attention_mask=mask, position_ids=places).logits
    share_starts(model)
    passes = counted(model)
    found = model(input_ids=texts, attention_mask=mask, position_ids=places).logits
    assert passes == [3 * 7, 12 * 5]
    torch.testing.assert_close(found, plain)


def test_texts_padded_on_the_right_and_one_of_padding_alone():
    ids = torch.tensor([[5, 6, 7, 8, 9, 9], [5, 6, 7, 8, 0, 0], [5, 6, 7, 4, 4, 0], [5, 6, 7, 8, 9, 3]])
    mask = (ids != 0).long()
    model = llama().eval()
    plain = model(input_ids=ids, attention_mask=mask).logits * mask[..., None]
    share_starts(model)
    passes = counted(model)
    found = model(input_ids=ids, attention_mask=mask).logits * mask[..., None]
    torch.testing.assert_close(found, plain)
    assert sum(passes) < ids.numel()
    mask[0] = 0  # nothing to read; the others are as they were
    torch.testing.assert_close(model(input_ids=ids, attention_mask=mask).logits[1:] * mask[1:, :, None], plain[1:])


def test_without_a_mask_padding_is_a_token_like_any():
    ids = torch.tensor([[5, 6, 7, 8, 9, 9], [5, 6, 7, 8, 0, 0], [5, 6, 7, 4, 0, 0]])
    model = llama().eval()
    plain = model(input_ids=ids).logits
    share_starts(model)
    passes = counted(model)
    torch.testing.assert_close(model(input_ids=ids).logits, plain)
    assert passes == [3, 3 * 3]


def test_a_classifier_which_passes_its_tokens_without_a_name_shares_them():
    _, _, texts, mask = batch()
    torch.manual_seed(0)
    model = LlamaForSequenceClassification(LlamaConfig(**SHAPE, num_labels=1)).double().eval()
    plain = model(input_ids=texts, attention_mask=mask).logits
    assert share_starts(model)
    passes = counted(model)
    torch.testing.assert_close(model(input_ids=texts, attention_mask=mask).logits, plain)
    assert passes == [3 * 7, 12 * 5]
    with pytest.raises(TypeError):  # said twice, as without the change
        model.base_model(texts, input_ids=texts)


def test_a_cache_of_another_kind_is_filled_by_whole_rows():
    prompts, mask, _, _ = batch()
    model = llama().eval()
    how = {"input_ids": prompts, "attention_mask": mask, "max_new_tokens": 5, "do_sample": False}
    plain = model.generate(**how)
    states = model.base_model(input_ids=prompts, attention_mask=mask).last_hidden_state
    assert share_starts(model)
    assert torch.equal(model.generate(**how, cache_implementation="static"), plain)
    assert torch.equal(model.generate(**how, use_cache=False), plain)
    passes = counted(model)
    cache = StaticCache(config=model.config, max_cache_len=16)
    found = model.base_model(input_ids=prompts, attention_mask=mask, past_key_values=cache, use_cache=True)
    assert passes == [12 * 7]
    torch.testing.assert_close(found.last_hidden_state * mask[..., None], states * mask[..., None])


def test_the_count_of_tokens_that_older_versions_pass_is_no_wish():
    _, _, texts, mask = batch()
    model = llama().eval()
    plain = model.base_model(input_ids=texts, attention_mask=mask).last_hidden_state
    assert share_starts(model)
    passes = counted(model)
    found = model.base_model(input_ids=texts, attention_mask=mask, cache_position=torch.arange(12)).last_hidden_state
    assert passes == [3 * 7, 12 * 5]
    torch.testing.assert_close(found, plain)


def test_autocast_moves_gradients_by_its_rounding_alone():
    _, _, texts, mask = batch()
    found = []
    for shared in (False, True):
        model = llama().float().train()
        passes = counted(model)
        assert not shared or share_starts(model)
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(input_ids=texts, attention_mask=mask, use_cache=False).logits.float()
        assert passes == ([3 * 7, 12 * 5] if shared else [12 * 12])
        (logits.log_softmax(-1)[..., 5] * mask).sum().backward()
        found.append(torch.cat([weight.grad.flatten() for weight in model.parameters()]))
    assert (found[1] - found[0]).norm() < 0.02 * found[0].norm()


@pytest.mark.slow
def test_the_benchmark_runs_and_gradients_agree():
    command = [sys.executable, "benchmarks/common_starts.py", "--quick"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert len(said.strip().splitlines()) == 3
