"""The generator in this process, on a tiny model, and how it draws."""

import json
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import LogitsProcessorList

from hero_rl.errors import ConfigError
from hero_rl.generation import GenerationRequest, Sampling, TransformersGeneratorConfig, seed_of
from hero_rl.generation.drawing import SeededDraw, _drawn
from hero_rl.generation.in_process import TransformersGenerator


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    from tiny_models import write

    return str(write(tmp_path_factory.mktemp("tiny"))[0])


def asked(count):
    return [GenerationRequest(f"k{n}", f"What is 1 {'+ 1 ' * (n % 5)}?", seed_of(0, n)) for n in range(count)]


def made(policy, requests, *, batch_size=8, chat=True, **sampling):
    config = TransformersGeneratorConfig(path=policy, batch_size=batch_size, chat=chat)
    with config.build(Sampling(**({"max_tokens": 16, "temperature": 1.0} | sampling))) as generator:
        return {one.key: one for one in generator.generate(requests)}


def texts(found):
    return {key: (one.text, one.finish_reason, one.tokens) for key, one in found.items()}


def test_a_completion_depends_on_its_own_seed_and_on_no_batch(policy):
    alone = texts(made(policy, asked(24), batch_size=1))
    assert texts(made(policy, asked(24), batch_size=24)) == alone
    some = [request for request in reversed(asked(24)) if request.key not in ("k3", "k7")]
    assert texts(made(policy, some, batch_size=5)) == {k: v for k, v in alone.items() if k not in ("k3", "k7")}
    other = [GenerationRequest(r.key, r.prompt, r.seed + 1) for r in asked(24)]
    assert sum(texts(made(policy, other))[key] == alone[key] for key in alone) < 3


def test_a_thought_that_the_template_opens_begins_the_text(policy):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(policy)
    texts_of = {}
    for ending in ("", "<think>\n", "<think>\n\n</think>\n"):
        tokenizer.chat_template = "{{ messages[-1]['content'] }}" + ending
        model = AutoModelForCausalLM.from_pretrained(policy)
        with TransformersGenerator(model, tokenizer, Sampling(max_tokens=4), "tiny") as generator:
            texts_of[ending] = [one.text for one in generator.generate(asked(2))]
    assert all(text.startswith("<think>") for text in texts_of["<think>\n"])
    assert not any("<think>" in text for ending in ("", "<think>\n\n</think>\n") for text in texts_of[ending])


def test_the_template_is_told_what_the_settings_tell_it(policy):
    template = "{{ messages[-1]['content'] }}<think>\n{% if enable_thinking is false %}\n</think>\n{% endif %}"
    opened = {}
    for kwargs in ({}, {"enable_thinking": False}, {"enable_thinking": True}):
        config = TransformersGeneratorConfig(path=policy, chat_template=template, chat_template_kwargs=kwargs)
        with config.build(Sampling(max_tokens=4)) as generator:
            opened[str(kwargs)] = [one.text.startswith("<think>") for one in generator.generate(asked(2))]
    assert list(opened.values()) == [[True, True], [False, False], [True, True]]
    with pytest.raises(ValueError, match="tokenize: set by the generator itself"):
        TransformersGeneratorConfig(path=policy, chat_template_kwargs={"tokenize": True})


def test_the_global_random_state_is_left_alone(policy):
    torch.manual_seed(7)
    first = texts(made(policy, asked(4)))
    state = torch.get_rng_state()
    torch.manual_seed(8)
    assert texts(made(policy, asked(4))) == first
    torch.manual_seed(7)
    made(policy, asked(4))
    assert torch.equal(torch.get_rng_state(), state)


def test_temperature_0_takes_the_likeliest_as_transformers_does(policy):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    found = made(policy, asked(1), temperature=0.0, chat=False)["k0"]
    model, tokenizer = AutoModelForCausalLM.from_pretrained(policy), AutoTokenizer.from_pretrained(policy)
    inputs = tokenizer(asked(1)[0].prompt, return_tensors="pt")
    ids = model.generate(**inputs, do_sample=False, max_new_tokens=16)[0, inputs["input_ids"].shape[1] :]
    assert found.text == tokenizer.decode(ids, skip_special_tokens=True)


def test_the_checkpoints_own_habits_stay_out(policy, tmp_path):
    from shutil import copytree

    habits = {"do_sample": True, "top_k": 1, "temperature": 0.1, "repetition_penalty": 50.0, "eos_token_id": [1, 7]}
    folder = copytree(policy, tmp_path / "policy")
    (folder / "generation_config.json").write_text(json.dumps(habits | {"pad_token_id": 0}))
    plain, own = made(policy, asked(20)), made(str(folder), asked(20))
    assert own["k0"].text and sum(plain[key].text == own[key].text for key in plain) > 15  # 7 ends a text here
    assert {one.finish_reason for one in own.values()} <= {"stop", "length"}


def test_prompts_go_through_the_template_or_not(policy):
    text, message = (
        made(policy, [GenerationRequest("k", p, 1)])["k"] for p in ("u", [{"role": "user", "content": "u"}])
    )
    assert texts({"k": text}) == texts({"k": message})
    rendered = made(policy, [GenerationRequest("k", "<|user|>u<|end|><|assistant|>", 1)], chat=False)["k"]
    assert rendered.text == text.text
    with pytest.raises(ConfigError, match="chat messages"):
        made(policy, [GenerationRequest("k", [{"role": "user", "content": "u"}], 1)], chat=False)


def test_a_model_without_a_template_says_so(policy, tmp_path):
    from tiny_models import byte_tokenizer
    from transformers import AutoModelForCausalLM

    AutoModelForCausalLM.from_pretrained(policy).save_pretrained(tmp_path)
    byte_tokenizer(chat_template=None).save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match="no chat template"):
        made(str(tmp_path), asked(1))
    assert made(str(tmp_path), asked(1), chat=False)["k0"].tokens == 16


def test_ends_and_lengths(policy):
    found = made(policy, asked(40), max_tokens=120, batch_size=40)
    ends = {one.finish_reason for one in found.values()}
    assert ends == {"stop", "length"}
    assert all(one.tokens == 120 for one in found.values() if one.finish_reason == "length")
    assert all(1 <= one.tokens <= 120 for one in found.values() if one.finish_reason == "stop")


def test_stop_texts_end_a_completion_and_are_no_part_of_it(policy):
    whole = made(policy, asked(12), max_tokens=40, temperature=0.7)
    found = made(policy, asked(12), max_tokens=40, temperature=0.7, stop=["b", "f", "o"], batch_size=12)
    stopped = 0
    for key, one in found.items():
        cut = min((whole[key].text.find(s) for s in "bfo" if s in whole[key].text), default=None)
        assert one.text == (whole[key].text if cut is None else whole[key].text[:cut])
        if cut is not None:
            stopped += 1
            assert one.finish_reason == "stop" and one.tokens < 41
    assert stopped > 2
    speaker = made(policy, asked(60), max_tokens=40, stop=["<|user|>"], batch_size=60).values()
    assert any(one.finish_reason == "stop" and one.tokens < 40 for one in speaker)
    assert all("<|" not in one.text for one in speaker)


def test_the_context_is_a_limit(policy):
    long = GenerationRequest("long", "x" * 4200, 0)
    near = GenerationRequest("near", "x" * 4090, 0)
    found = made(policy, [long, *asked(2), near, GenerationRequest("none", "", 0)], chat=False, temperature=0.0)
    assert "leave no room in a context of 4096" in found["long"].failure and found["long"].text is None
    assert (found["near"].tokens, found["near"].finish_reason) == (6, "length")
    assert found["none"].failure == "the prompt is empty"
    assert found["k0"].tokens == 16


def test_a_batch_leads_no_row_beyond_the_context(policy):
    from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel

    tokenizer = AutoTokenizer.from_pretrained(policy)
    torch.manual_seed(0)
    shape = {"vocab_size": len(tokenizer), "n_positions": 48, "n_embd": 8, "n_layer": 1, "n_head": 1}
    model = GPT2LMHeadModel(GPT2Config(**shape, bos_token_id=None, eos_token_id=None))  # positions are learned
    sampling = Sampling(max_tokens=40, temperature=1.0)
    requests = [GenerationRequest(str(size), "a" * size, size) for size in (40, 3, 20, 20, 46)]

    def texts(batch_size):
        generator = TransformersGenerator(model, tokenizer, sampling, "gpt2", batch_size, chat=False)
        return {one.key: (one.text, one.finish_reason, one.tokens) for one in generator.generate(requests)}

    together = texts(5)
    assert together == texts(1)
    assert together["46"][1:] == ("length", 2) and together["3"][2] > 8


def test_memory_that_runs_out_halves_the_batch(policy, monkeypatch):
    config = TransformersGeneratorConfig(path=policy, batch_size=8)
    with config.build(Sampling(max_tokens=4)) as generator:
        write, sizes = generator._write, []

        def small(prompts, seeds):
            sizes.append(len(prompts))
            if len(prompts) > 2 or "k5" in [r.key for r in asked(8) if [r.seed] == seeds]:
                raise torch.cuda.OutOfMemoryError("no")
            return write(prompts, seeds)

        monkeypatch.setattr(generator, "_write", small)
        monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
        found = {one.key: one for one in generator.generate(asked(8))}
        assert sizes == [8, 4, 2, 2, 4, 2, 2] and generator.batch_size == 2
        assert len(found) == 8 and all(one.text is not None for one in found.values())
        assert "memory" in next(iter(generator.generate([asked(8)[5]]))).failure


@pytest.mark.parametrize(("path", "said"), [("/nowhere", "no such folder"), ("no/such-model-here", "no model can be")])
def test_models_that_are_not_there(path, said):
    with pytest.raises(ConfigError, match=said):
        TransformersGeneratorConfig(path=path).build(Sampling())


def test_a_model_of_another_kind_and_a_device_that_is_not_there(policy, tmp_path):
    from pathlib import Path

    with pytest.raises(ConfigError, match=f"did you mean {tmp_path / 'model'}"):
        (tmp_path / "model").symlink_to(policy)
        TransformersGeneratorConfig(path=str(tmp_path)).build(Sampling())
    with pytest.raises(ConfigError, match="is no trained causal language model: the checkpoint lacks"):
        TransformersGeneratorConfig(path=str(Path(policy).with_name("reward_model"))).build(Sampling())
    with pytest.raises(ConfigError, match="device"):
        TransformersGeneratorConfig(path=policy, device="cuda:7").build(Sampling())


def drawn(logits, seeds, temperature=1.0, top_p=1.0, steps=1):
    draw = LogitsProcessorList([SeededDraw(seeds, steps, temperature, top_p)])
    found = []
    for _ in range(steps):
        scores = draw(torch.zeros(len(seeds), 1, dtype=torch.long), logits.expand(len(seeds), -1).clone())
        assert (scores == 0).sum(-1).tolist() == [1] * len(seeds)
        found.append(scores.argmax(-1))
    return torch.stack(found, 1)


def test_tokens_come_as_often_as_they_are_likely():
    logits = torch.tensor([0.3, 2.0, -1.0, 0.3, 1.0])
    counts = torch.bincount(drawn(logits, range(200), 0.7, steps=100).flatten(), minlength=5).double()
    expected = torch.softmax(logits.double() / 0.7, -1)
    error = (expected * (1 - expected) / counts.sum()).sqrt()
    assert ((counts / counts.sum() - expected).abs() < 5 * error).all()


def nucleus(logits, top_p):
    """The tokens that may be drawn, by the definition of Holtzman et al. (arXiv 1904.09751), Eq. 2."""
    probability = [math.exp(x - max(logits)) for x in logits]
    total, mass, kept = sum(probability), 0.0, set()
    for token in sorted(range(len(logits)), key=lambda t: -probability[t]):
        if mass >= top_p:
            break
        kept.add(token)
        mass += probability[token] / total
    return kept


@settings(max_examples=50)
@given(st.lists(st.integers(-12, 12), min_size=1, max_size=8, unique=True), st.floats(0.05, 0.99))
def test_only_the_nucleus_is_drawn(logits, top_p):
    logits = [x / 4 for x in logits]
    found = set(drawn(torch.tensor(logits), range(60), 1.0, top_p, steps=4).flatten().tolist())
    kept = nucleus(logits, top_p)
    assert found <= kept
    likely = {t for t in kept if math.exp(logits[t]) / sum(math.exp(logits[k]) for k in kept) > 0.1}
    assert likely <= found


@pytest.mark.parametrize("top_p", [1.0, 0.999999])
def test_the_first_and_the_last_draw_are_never_a_token_that_cannot_come(top_p):
    logits = torch.tensor([[0.1, 0.2, 0.3, -torch.inf], [-torch.inf, 2.0, -torch.inf, -torch.inf]])
    last = torch.full((2, 1), 1 - 2**-53, dtype=torch.float64)
    for draw in (last, torch.zeros_like(last)):
        token = _drawn(logits, draw, 1.0, top_p)
        assert (logits.gather(1, token) > -torch.inf).all()


def test_a_row_of_its_own_whatever_the_company():
    logits = torch.randn(50, generator=torch.Generator().manual_seed(0))
    together = drawn(logits, [5, 6, 7], steps=20)
    assert torch.equal(drawn(logits, [6], steps=20)[0], together[1])
    assert not torch.equal(together[0], together[2])
