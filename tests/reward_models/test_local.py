import pickle

import pytest
import torch
from pydantic import ValidationError
from tiny_reward_models import ALTERNATING_TEMPLATE, BOS, BOS_TEMPLATE, EOS, PAD, TEMPLATE, chat, model, tokenizer
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    GPT2Config,
    GPT2ForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
    XLNetConfig,
    XLNetForSequenceClassification,
)

from hero_rl.errors import ConfigError
from hero_rl.reward_models import LocalRewardModel, LocalRewardModelConfig, RewardModel

CHATS = [chat(f"What is {n} + {n}?", "It is " + "so " * (7 * n % 40) + str(2 * n)) for n in range(12)]
CHATS.append(CHATS[3])
ZERO = dict.fromkeys(
    ["missing", "truncated", "nonfinite", "unrenderable", "unfit", "out_of_memory", "parts_left_out"], 0
)


def reward_model(template=None, **settings):
    names = {"adds_bos", "pad", "side"}
    words = tokenizer(template, **{name: settings.pop(name) for name in names & set(settings)})
    return LocalRewardModel(model(), words, **settings)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("pad", [True, False])
@pytest.mark.parametrize("template", [None, TEMPLATE, BOS_TEMPLATE])
@pytest.mark.parametrize("token_budget", [1, 200, 16384])
def test_a_score_does_not_depend_on_the_batch(template, side, pad, token_budget):
    judge = reward_model(template, adds_bos=True, side=side, pad=pad, token_budget=token_budget)
    together = judge.score(CHATS)
    alone = torch.cat([judge.score([conversation]) for conversation in CHATS])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)
    assert together.dtype == torch.float32
    assert together.shape == (len(CHATS),)
    assert together[3] == pytest.approx(together[-1].item(), abs=1e-5)
    assert together[:-1].unique().numel() == len(CHATS) - 1
    assert set(judge.counters.values()) == {0}


@pytest.mark.parametrize("template", [TEMPLATE, BOS_TEMPLATE])
def test_the_score_is_the_raw_logit_of_the_last_token(template):
    judge = reward_model(template)
    text = judge.tokenizer.apply_chat_template(CHATS[5], tokenize=False)
    ids = torch.tensor([judge.tokenizer(text, add_special_tokens=False)["input_ids"]])
    assert ids[0, -1] == EOS
    with torch.no_grad():
        hidden = judge.model.model(ids).last_hidden_state[:, -1]
        expected = judge.model.score(hidden)[0]
    torch.testing.assert_close(judge.score([CHATS[5]]), expected, atol=1e-5, rtol=0)


@torch.inference_mode()
def unpadded(judge):
    """What transformers itself makes of each conversation, alone."""
    return torch.cat([judge.model(torch.tensor([tokens])).logits[:, 0] for tokens in judge._tokenize(CHATS)])


@pytest.mark.parametrize("pad", [True, False])
def test_without_padding_in_the_configuration_the_very_last_token_is_read(pad):
    judge = LocalRewardModel(model(), tokenizer(TEMPLATE, pad=pad))
    expected = unpadded(LocalRewardModel(model(), tokenizer(TEMPLATE, pad=pad)))
    torch.testing.assert_close(judge.score(CHATS), expected, atol=1e-5, rtol=0)
    alone = torch.cat([judge.score([conversation]) for conversation in CHATS])
    torch.testing.assert_close(judge.score(CHATS), alone, atol=1e-5, rtol=0)


def test_eos_as_the_configuration_s_padding_reads_the_token_before_it_alone_and_in_batches():
    judge = LocalRewardModel(model(pad_token_id=EOS), tokenizer(TEMPLATE))
    cut = TEMPLATE.replace("<eos>{% endfor %}", "{% if not loop.last %}<eos>{% endif %}{% endfor %}")
    ends_before_eos = LocalRewardModel(model(pad_token_id=EOS), tokenizer(cut))
    torch.testing.assert_close(judge.score(CHATS), unpadded(judge), atol=1e-5, rtol=0)
    torch.testing.assert_close(judge.score(CHATS), ends_before_eos.score(CHATS), atol=1e-5, rtol=0)


def test_learned_positions_do_not_count_padding_on_the_left():
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=259, n_embd=16, n_layer=2, n_head=2, num_labels=1, initializer_range=0.3)
    judge = LocalRewardModel(GPT2ForSequenceClassification(config), tokenizer(TEMPLATE, side="left"))
    alone = torch.cat([judge.score([conversation]) for conversation in CHATS])
    torch.testing.assert_close(judge.score(CHATS), alone, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("template", "adds_bos", "text", "count"),
    [
        (BOS_TEMPLATE, True, "hi", 1),
        (BOS_TEMPLATE, False, "hi", 1),
        (TEMPLATE, True, "hi", 0),  # the template is the authority on what the model was trained with
        (None, True, "hi", 1),
        (None, True, "<bos>hi", 1),
        (None, False, "hi", 0),
    ],
)
def test_never_two_beginnings(template, adds_bos, text, count):
    judge = reward_model(template, adds_bos=adds_bos)
    (tokens,) = judge._tokenize([chat(text, "there")])
    assert tokens.count(BOS) == count
    assert tokens[0] == BOS or not count


def test_golden_tokens():
    judge = reward_model(BOS_TEMPLATE, adds_bos=True)
    (tokens,) = judge._tokenize([chat("a", "b")])
    letters = judge.tokenizer.convert_tokens_to_ids
    expected = [BOS, *letters(list("<user>a")), EOS, *letters(list("<assistant>b")), EOS]
    assert tokens == expected


def test_without_a_template_the_contents_are_joined():
    judge = reward_model()
    (tokens,) = judge._tokenize([chat("2+2=", "4")])
    assert judge.tokenizer.decode(tokens) == "2+2=4"


def test_truncation_keeps_start_and_ending_and_is_counted():
    judge = reward_model(max_tokens=9)
    (tokens,) = judge._tokenize([chat("ABCDEF", "middle UVWXYZ")])
    assert judge.tokenizer.decode(tokens) == "ABCDVWXYZ"
    assert judge.counters["truncated"] == 1
    judge.score([chat("ABCD", "VWXYZ"), chat("ABCDEF", "middle UVWXYZ")])
    assert judge.counters == ZERO | {"truncated": 2}


def test_the_limit_is_the_models_own():
    assert LocalRewardModel(model(max_positions=77), tokenizer()).max_tokens == 77
    words = tokenizer()
    words.model_max_length = 33
    assert LocalRewardModel(model(max_positions=77), words).max_tokens == 33


def test_what_cannot_be_scored_is_nan_and_counted():
    judge = reward_model(ALTERNATING_TEMPLATE)
    refused = list(reversed(CHATS[0]))
    scores = judge.score([CHATS[0], refused, [], CHATS[1]])
    assert scores.isnan().tolist() == [False, True, True, False]
    torch.testing.assert_close(scores[[0, 3]], judge.score(CHATS[:2]), atol=1e-5, rtol=0)
    assert judge.counters == ZERO | {"missing": 2, "unrenderable": 2}


def test_a_text_of_nothing_but_padding_is_missing():
    judge = reward_model()
    assert judge.score([chat("<pad>", "<pad>"), chat("", "")]).isnan().all()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_nonfinite_logit_is_nan_and_counted(value):
    judge = reward_model()
    judge.model.score.register_forward_hook(lambda _, __, logits: torch.full_like(logits, value))
    assert judge.score(CHATS[:3]).isnan().all()
    assert judge.counters == ZERO | {"missing": 3, "nonfinite": 3}


def test_a_cpus_budget_is_smaller_than_a_gpus():
    assert reward_model().token_budget == 2048
    judge = reward_model()
    judge.model.to("meta")
    assert LocalRewardModel(judge.model, tokenizer()).token_budget == 16384


def test_an_empty_batch_has_no_scores():
    assert reward_model().score([]).shape == (0,)


def test_scores_carry_no_gradient_and_use_no_dropout():
    judge = reward_model()
    assert not judge.model.training
    assert not judge.score(CHATS[:2]).requires_grad


@pytest.mark.parametrize("num_labels", [2, 5])
def test_more_than_one_label_is_refused(num_labels):
    with pytest.raises(ConfigError, match=f"{num_labels} labels"):
        LocalRewardModel(model(num_labels), tokenizer())


@pytest.mark.parametrize("setting", [{"token_budget": 0}, {"max_tokens": 1}])
def test_senseless_limits_are_refused(setting):
    with pytest.raises(ConfigError, match=next(iter(setting))):
        reward_model(**setting)


def test_the_models_padding_token_is_kept():
    judge = LocalRewardModel(model(pad_token_id=7), tokenizer())
    assert judge.model.config.pad_token_id == 7
    assert judge._head.pad_id == 7


def test_a_tokenizer_without_special_tokens_scores_too():
    words = tokenizer(pad=False)
    words.eos_token = None
    judge = LocalRewardModel(model(), words)
    torch.testing.assert_close(judge.score(CHATS), unpadded(judge), atol=1e-5, rtol=0)


SMALL = {"vocab_size": 259, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "num_labels": 1}
ENCODERS = {
    "bert": (BertForSequenceClassification, BertConfig(**SMALL, intermediate_size=32, initializer_range=0.3)),
    "xlnet": (
        XLNetForSequenceClassification,
        XLNetConfig(
            vocab_size=259,
            d_model=16,
            n_layer=2,
            n_head=2,
            d_inner=32,
            num_labels=1,
            pad_token_id=PAD,
            bos_token_id=BOS,
        ),
    ),
}


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("kind", ENCODERS)
def test_padding_goes_where_a_model_does_not_read(kind, side):
    """An encoder reads the first token, XLNet the last: whatever the tokenizer says of padding."""
    torch.manual_seed(0)
    made, config = ENCODERS[kind]
    judge = LocalRewardModel(made(config), tokenizer(TEMPLATE, side=side), max_tokens=300)
    alone = torch.cat([judge.score([conversation]) for conversation in CHATS])
    torch.testing.assert_close(judge.score(CHATS), alone, atol=1e-5, rtol=0)


def test_positions_that_count_from_the_padding_leave_fewer():
    config = RobertaConfig(**SMALL, intermediate_size=32, max_position_embeddings=66, pad_token_id=PAD)
    judge = LocalRewardModel(RobertaForSequenceClassification(config), tokenizer())
    assert judge.max_tokens == 65
    assert judge.score([chat("q", "a" * 100)]).isfinite().all()


@pytest.mark.parametrize("template", [None, TEMPLATE])
def test_one_that_cannot_be_tokenized_costs_no_other_its_score(template):
    judge = reward_model(template)
    broken = [{"role": "assistant", "content": 7}]
    scores = judge.score([CHATS[0], broken, chat("half", "\ud83d"), CHATS[1]])
    assert scores.isnan().tolist() == [False, True, False, False]
    assert judge.counters["unrenderable"] == 1
    torch.testing.assert_close(scores[[0, 3]], reward_model(template).score(CHATS[:2]), atol=1e-5, rtol=0)


@pytest.mark.parametrize("wrong", ["text", {"role": "user"}, ["text"]])
def test_what_is_no_conversation_is_an_error(wrong):
    with pytest.raises(TypeError, match=r"conversations\[1\] must be a list of chat messages"):
        reward_model().score([CHATS[0], wrong])


@pytest.fixture
def checkpoint(tmp_path):
    model(pad_token_id=PAD).save_pretrained(tmp_path)
    tokenizer(BOS_TEMPLATE).save_pretrained(tmp_path)
    return tmp_path


def test_a_saved_model_scores_as_before(checkpoint):
    judge = LocalRewardModelConfig(path=str(checkpoint), device="cpu", token_budget=99, max_tokens=300).load()
    assert isinstance(judge, RewardModel)
    assert (judge.token_budget, judge.max_tokens) == (99, 300)
    torch.testing.assert_close(judge.score(CHATS), reward_model(BOS_TEMPLATE).score(CHATS), atol=1e-5, rtol=0)


def test_bfloat16_scores_come_as_float32(checkpoint):
    judge = LocalRewardModelConfig(path=str(checkpoint), dtype="bfloat16", device="cpu").load()
    assert judge.model.dtype == torch.bfloat16
    assert judge.score(CHATS[:2]).dtype == torch.float32


def test_a_checkpoint_without_a_trained_head_is_refused(checkpoint):
    model(pad_token_id=PAD).model.save_pretrained(checkpoint)
    with pytest.raises(
        ConfigError, match=r"reward_model\.path: .* is no trained reward model: .* lacks .*score\.weight"
    ):
        LocalRewardModelConfig(path=str(checkpoint)).load()


def test_a_checkpoint_with_two_labels_is_refused(checkpoint):
    model(num_labels=2).save_pretrained(checkpoint)
    with pytest.raises(ConfigError, match=r"reward_model\.path: .* has 2 labels"):
        LocalRewardModelConfig(path=str(checkpoint)).load()


def test_the_configuration_is_frozen_strict_and_picklable():
    config = LocalRewardModelConfig(path="x")
    assert config.trust_remote_code is False
    assert pickle.loads(pickle.dumps(config)) == config
    with pytest.raises(ValidationError, match="pth"):
        LocalRewardModelConfig.model_validate({"path": "x", "pth": "y"})


def test_wrong_places_are_named(checkpoint, tmp_path_factory):
    run = tmp_path_factory.mktemp("run")
    (run / "model").mkdir()
    (run / "model" / "config.json").write_text("{}")
    for path, said in (
        (str(run), rf"reward_model\.path: {run} holds no model: .*; did you mean {run}/model\?"),
        ("../nowhere", r"reward_model\.path: \.\./nowhere: no such folder"),
    ):
        with pytest.raises(ConfigError, match=said):
            LocalRewardModelConfig(path=path).load()
    for device in ("gpu", "cuda:77"):
        with pytest.raises(ConfigError, match=rf"reward_model\.device: '{device}' is not to be had here"):
            LocalRewardModelConfig(path=str(checkpoint), device=device).load()
    (checkpoint / "model.safetensors").write_bytes((checkpoint / "model.safetensors").read_bytes()[:100])
    with pytest.raises(ConfigError, match=r"reward_model\.path: no model can be loaded"):
        LocalRewardModelConfig(path=str(checkpoint)).load()


def test_a_checkpoint_without_a_tokenizer_is_refused(checkpoint):
    for file in checkpoint.glob("*token*"):
        file.unlink()
    with pytest.raises(ConfigError, match="tokenizer"):
        LocalRewardModelConfig(path=str(checkpoint)).load()
