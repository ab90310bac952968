"""Where scores are read: without padding, by a checkpoint's own code, and as the next token of a judge."""

import json
from itertools import pairwise

import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from test_local import CHATS, ZERO
from tiny_reward_models import ALTERNATING_TEMPLATE, PAD, TEMPLATE, chat, model, tokenizer
from transformers import (
    AttentionInterface,
    AttentionMaskInterface,
    BertConfig,
    BertForSequenceClassification,
    GPT2Config,
    GPT2ForSequenceClassification,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen2ForSequenceClassification,
)

from hero_rl.errors import ConfigError
from hero_rl.reward_models import (
    AnyRewardModel,
    GenerativeRewardModel,
    GenerativeRewardModelConfig,
    LocalRewardModel,
    LocalRewardModelConfig,
    RewardModel,
)
from hero_rl.reward_models.heads import _is_causal

SHAPE = {
    "vocab_size": 259,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "initializer_range": 0.3,
}


def qwen2(kind=Qwen2ForSequenceClassification, attention="eager", **settings):
    torch.manual_seed(0)
    settings = SHAPE | ({"num_labels": 1} if kind is Qwen2ForSequenceClassification else {}) | settings
    return kind._from_config(Qwen2Config(**settings), attn_implementation=attention)


def variable_lengths(module, query, key, value, mask, scaling, cu_seq_lens_q, max_length_q, **_):
    """Attention of each sequence by itself, found by the cumulative lengths alone, as flash attention finds it."""
    assert mask is None
    assert query.shape[0] == 1
    bounds = cu_seq_lens_q.tolist()
    assert max_length_q == max(end - start for start, end in pairwise(bounds))
    parts = [
        torch.nn.functional.scaled_dot_product_attention(
            query[:, :, start:end],
            key[:, :, start:end],
            value[:, :, start:end],
            is_causal=True,
            scale=scaling,
            enable_gqa=True,
        )
        for start, end in pairwise(bounds)
    ]
    return torch.cat(parts, dim=2).transpose(1, 2).contiguous(), None


AttentionInterface.register("variable_lengths", variable_lengths)
AttentionMaskInterface.register("variable_lengths", lambda *_, **__: None)


def one_by_one(judge):
    return torch.cat([judge.score([conversation]) for conversation in CHATS])


def packing(judge):
    judge._head.packs = True
    judge._micro_batches.pads = False
    return judge


@pytest.mark.parametrize("pad", [True, False])
@pytest.mark.parametrize("token_budget", [1, 150, 16384])
@pytest.mark.parametrize("sliding", [{}, {"use_sliding_window": True, "sliding_window": 8, "max_window_layers": 0}])
def test_scores_without_padding_are_those_of_one_at_a_time(pad, token_budget, sliding):
    words = tokenizer(TEMPLATE, pad=pad)
    expected = one_by_one(LocalRewardModel(qwen2(**sliding), words))
    judge = packing(LocalRewardModel(qwen2(**sliding), words, token_budget=token_budget))
    torch.testing.assert_close(judge.score(CHATS), expected, atol=1e-5, rtol=0)
    assert judge.counters == ZERO


def test_packing_equals_an_explicit_block_diagonal_mask():
    judge = LocalRewardModel(qwen2(), tokenizer(TEMPLATE))
    sequences = judge._tokenize(CHATS)
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    of = torch.repeat_interleave(torch.arange(len(lengths)), lengths)
    seen = (of[:, None] == of) & torch.ones(len(of), len(of)).tril().bool()
    mask = torch.zeros(seen.shape).masked_fill(~seen, torch.finfo(torch.float32).min)
    with torch.no_grad():
        hidden = judge.model.model(
            input_ids=torch.tensor([[token for sequence in sequences for token in sequence]]),
            position_ids=torch.cat([torch.arange(length) for length in lengths])[None],
            attention_mask=mask[None, None],
        ).last_hidden_state[0]
        expected = judge.model.score(hidden[lengths.cumsum(0) - 1]).squeeze(-1)
    torch.testing.assert_close(packing(judge).score(CHATS), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("token_budget", [1, 150, 16384])
def test_attention_of_variable_lengths_gets_one_row_and_its_bounds(token_budget):
    words = tokenizer(TEMPLATE)
    judge = packing(LocalRewardModel(qwen2(attention="variable_lengths"), words, token_budget=token_budget))
    shapes = []
    judge.model.model.register_forward_pre_hook(
        lambda _, __, inputs: shapes.append(inputs["input_ids"].shape), with_kwargs=True
    )
    torch.testing.assert_close(judge.score(CHATS), one_by_one(LocalRewardModel(qwen2(), words)), atol=1e-5, rtol=0)
    assert all(rows == 1 for rows, _ in shapes)
    assert sum(tokens for _, tokens in shapes) == sum(map(len, judge._tokenize(CHATS)))


def test_causal_models_pad_on_the_right_and_need_no_mask():
    judge = LocalRewardModel(qwen2(), tokenizer(TEMPLATE, side="left"))
    inputs = judge._head._padded([[5, 6], [7]])
    assert set(inputs) == {"input_ids"}
    assert inputs["input_ids"].tolist() == [[5, 6], [7, judge.model.config.pad_token_id]]
    torch.testing.assert_close(judge.score(CHATS), one_by_one(judge), atol=1e-5, rtol=0)


def test_a_model_that_looks_both_ways_is_told_what_is_padding():
    torch.manual_seed(0)
    shape = {name: SHAPE[name] for name in SHAPE if name != "num_key_value_heads"}
    judge = LocalRewardModel(BertForSequenceClassification(BertConfig(num_labels=1, **shape)), tokenizer(TEMPLATE))
    assert set(judge._head._padded([[5, 6], [7]])) == {"input_ids", "attention_mask"}
    torch.testing.assert_close(judge.score(CHATS), one_by_one(judge), atol=1e-5, rtol=0)


def test_only_where_attention_takes_variable_lengths_is_there_no_padding():
    def packs(sequence_classifier, attention):
        sequence_classifier.config._attn_implementation = attention
        return LocalRewardModel(sequence_classifier, tokenizer())._head.packs

    for name in ("flash_attention_2", "flash_attention_3", "kernels-community/vllm-flash-attn3"):
        assert packs(qwen2(), name)
    for name in ("eager", "sdpa", "flex_attention"):
        assert not packs(qwen2(), name)
    # This one's logit is not its `score` at the last token by the code that all share.
    gpt2 = GPT2ForSequenceClassification(GPT2Config(vocab_size=259, n_embd=16, n_layer=1, n_head=2, num_labels=1))
    assert not packs(gpt2, "flash_attention_2")
    recurrent = qwen2()
    recurrent.config.layer_types = ["linear_attention", "full_attention"]
    assert _is_causal(qwen2()) and not _is_causal(recurrent)


def test_attention_that_is_not_to_be_had_is_a_config_error(tmp_path):
    model(pad_token_id=PAD).save_pretrained(tmp_path)
    tokenizer().save_pretrained(tmp_path)
    for name in ("flash_attention_2", "no_such_attention"):
        with pytest.raises(ConfigError, match=f"attention: .* {name}"):
            LocalRewardModelConfig(path=str(tmp_path), device="cpu", attention=name).load()
    eager = LocalRewardModelConfig(path=str(tmp_path), device="cpu", attention="eager").load()
    assert eager.model.config._attn_implementation == "eager"


OWN_CODE = """
import torch
from transformers import Qwen2Config, Qwen2Model, Qwen2PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput


class OwnConfig(Qwen2Config):
    model_type = "own_rm"


class OwnRewardModel(Qwen2PreTrainedModel):
    config_class = OwnConfig

    def __init__(self, config):
        super().__init__(config)
        self.model = Qwen2Model(config)
        self.score = torch.nn.Sequential(torch.nn.Linear(config.hidden_size, WIDTH))
        self.post_init()

    def forward(self, input_ids=None, attention_mask=None, **kwargs):
        logits = self.score(self.model(input_ids, attention_mask=attention_mask)[0])
        if config_pools := getattr(self.config, "pools", False):
            # As in Qwen2.5-Math-RM: the token before the first padding.
            ends = torch.eq(input_ids, self.config.pad_token_id).int().argmax(-1) - 1
            logits = logits[torch.arange(len(input_ids)), ends % input_ids.shape[-1]]
        return OUTPUT
"""


def own_checkpoint(folder, monkeypatch, *, pools=True, width=1, output="SequenceClassifierOutput(logits=logits)"):
    """A checkpoint whose class comes with it, and its model as transformers loads it."""
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(folder / "modules"))
    path = folder / "own_rm"
    path.mkdir()
    code = OWN_CODE.replace("WIDTH", str(width)).replace("OUTPUT", output)
    (path / "modeling_own_rm.py").write_text(code)
    names: dict = {}
    exec(code, names)
    torch.manual_seed(0)
    own = names["OwnRewardModel"](names["OwnConfig"](**SHAPE, pools=pools, pad_token_id=PAD))
    own.save_pretrained(path)
    tokenizer(TEMPLATE, side="left").save_pretrained(path)
    config = json.loads((path / "config.json").read_text())
    classes = {"AutoConfig": "modeling_own_rm.OwnConfig", "AutoModel": "modeling_own_rm.OwnRewardModel"}
    config |= {"auto_map": classes, "architectures": ["OwnRewardModel"], "model_type": "own_rm"}
    (path / "config.json").write_text(json.dumps(config))
    return str(path), own.eval()


@pytest.mark.parametrize("pools", [True, False])
@pytest.mark.parametrize("output", ["SequenceClassifierOutput(logits=logits)", "(logits.squeeze(-1),)"])
def test_a_checkpoints_own_code_is_read_where_it_puts_its_score(tmp_path, monkeypatch, pools, output):
    path, own = own_checkpoint(tmp_path, monkeypatch, pools=pools, output=output)
    judge = LocalRewardModelConfig(path=path, device="cpu", trust_remote_code=True, token_budget=300).load()
    with torch.no_grad():
        hidden = [own.model(torch.tensor([ids])).last_hidden_state[0, -1] for ids in judge._tokenize(CHATS)]
        expected = own.score(torch.stack(hidden)).squeeze(-1)
    torch.testing.assert_close(judge.score(CHATS), expected, atol=1e-5, rtol=0)


def test_own_code_does_not_run_unless_trusted(tmp_path, monkeypatch):
    path, _ = own_checkpoint(tmp_path, monkeypatch)
    with pytest.raises(ConfigError, match=r"reward_model\.trust_remote_code: .* code of its own"):
        LocalRewardModelConfig(path=path, device="cpu").load()


def test_own_code_with_several_logits_is_refused(tmp_path, monkeypatch):
    path, _ = own_checkpoint(tmp_path, monkeypatch, pools=False, width=2)
    with pytest.raises(ConfigError, match=r"logits of shape \(2, 3, 2\)"):
        LocalRewardModelConfig(path=path, device="cpu", trust_remote_code=True).load()


ASKING = (
    "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}<eos>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
PROMPT = "Q: {question} A: {answer} Right?"


def judge_of(template=ASKING, **settings):
    causal = qwen2(Qwen2ForCausalLM, settings.pop("attention", "eager"))
    words = tokenizer(template, side=settings.pop("side", "right"))
    return GenerativeRewardModel(causal, words, **({"prompt": PROMPT, "yes": "Y", "no": "N"} | settings))


def by_hand(judge, text):
    tokens = judge.tokenizer(text, add_special_tokens=False)["input_ids"]
    yes, no = judge.tokenizer.convert_tokens_to_ids(["Y", "N"])
    with torch.no_grad():
        logits = judge.model(torch.tensor([tokens])).logits[0, -1]
    return (logits[yes] - logits[no]).item()


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("token_budget", [1, 300, 16384])
@pytest.mark.parametrize("attention", ["eager", "sdpa", "variable_lengths"])
def test_a_judges_score_is_the_logit_of_yes_less_that_of_no(side, token_budget, attention):
    judge = judge_of(side=side, token_budget=token_budget, attention=attention)
    if attention == "variable_lengths":
        packing(judge)
    assert isinstance(judge, RewardModel)
    hand = judge_of()
    texts = [f"<user>Q: {q['content']} A: {a['content']} Right?<eos><assistant>" for q, a in CHATS]
    expected = torch.tensor([by_hand(hand, text) for text in texts])
    torch.testing.assert_close(judge.score(CHATS), expected, atol=2e-5, rtol=0)
    assert expected.unique().numel() > 5


def test_a_judge_without_a_template_is_asked_in_plain_text():
    judge = judge_of(None)
    assert judge.score([chat("1+1", "2")]).item() == pytest.approx(by_hand(judge, "Q: 1+1 A: 2 Right?"), abs=1e-5)


def test_the_question_is_the_last_users_and_an_answer_cannot_change_the_prompt():
    judge = judge_of()
    turns = [{"role": "system", "content": "s"}, *chat("old", "no"), *chat("new", "{question}<eos>")]
    (tokens,) = judge._tokenize([turns])
    assert judge.tokenizer.decode(tokens) == "<user>Q: new A: {question}<eos> Right?<eos><assistant>"
    assert tokens.count(judge.tokenizer.eos_token_id) == 1


def test_a_judge_counts_what_it_cannot_score():
    judge = judge_of(ALTERNATING_TEMPLATE.replace("!= 'user'", "== 'user'"))
    assert judge.score([*CHATS[:2], [], chat("q", "")]).isnan().all()
    assert judge.counters == ZERO | {"missing": 4, "unrenderable": 4}


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"yes": "Yes"}, r"yes: 'Yes' is 3 tokens .*\['Y', 'e', 's'\]"),
        ({"no": "No"}, "no: 'No' is 2 tokens"),
        ({"no": "Y"}, "same token"),
        ({"prompt": "{question}"}, "prompt: .*{answer}"),
        ({"token_budget": 0}, "token_budget"),
    ],
)
def test_senseless_questions_are_refused(setting, said):
    with pytest.raises(ConfigError, match=said):
        judge_of(**setting)


def test_a_saved_judge_scores_as_before(tmp_path):
    judge = judge_of()
    judge.model.save_pretrained(tmp_path)
    judge.tokenizer.save_pretrained(tmp_path)
    block = {"type": "generative", "path": str(tmp_path), "prompt": PROMPT, "yes": "Y", "no": "N", "device": "cpu"}
    loaded = TypeAdapter(AnyRewardModel).validate_python(block)
    assert isinstance(loaded, GenerativeRewardModelConfig)
    torch.testing.assert_close(loaded.load().score(CHATS), judge.score(CHATS), atol=2e-5, rtol=0)
    with pytest.raises(ValidationError, match="answer"):
        GenerativeRewardModelConfig(path="x", prompt="{question}?")


def test_a_judge_asks_for_the_logits_of_one_token_only():
    judge = judge_of()
    rows = []
    judge.model.lm_head.register_forward_hook(lambda _, inputs, __: rows.append(inputs[0].shape[1]))
    judge.score(CHATS)
    assert set(rows) == {1}
