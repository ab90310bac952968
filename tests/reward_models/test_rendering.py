"""From messages to token ids, by trained tokenizers of two kinds: byte-level as Qwen's, and pieces as Llama 2's."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_reward_models import BOS_TEMPLATE, TEMPLATE, chat
from tiny_reward_models import tokenizer as tiny_tokenizer
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from hero_rl.errors import ConfigError
from hero_rl.reward_models.rendering import Renderer

SPECIAL = ["<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|im_end|>>"]
CHATML = (
    "{{ bos_token }}{% for m in messages %}"
    "<|im_start|>{{ m['role'] }}\n{{ m['content'] | trim }}<|im_end|>\n{% endfor %}"
)
TEXTS = [
    "user\nWhat is 2 + 2?\n\nassistant\n  It is four.\n",
    "so so <think> so </think>\n\n1 2 3 <|im_end|> \\boxed{4}",
]


def byte_level():
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    backend.train_from_iterator(TEXTS * 4, trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet))
    return backend


def pieces():
    backend = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    backend.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = trainers.BpeTrainer(vocab_size=500, special_tokens=["<unk>", *bytes_], initial_alphabet=list("abc|<>_/"))
    backend.train_from_iterator(TEXTS * 4, trainer)
    return backend


def trained(backend, template):
    backend.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in SPECIAL])
    backend.add_tokens([AddedToken("<think>", normalized=False, special=False)])
    ends = [(token, backend.token_to_id(token)) for token in ("<s>", "</s>")]
    backend.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=ends)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        chat_template=template,
        bos_token="<s>",
        eos_token="</s>",
        extra_special_tokens=SPECIAL[2:],
    )


WORDS = {kind: trained(make(), CHATML) for kind, make in (("bytes", byte_level), ("pieces", pieces))}
BARE = {kind: trained(make(), None) for kind, make in (("bytes", byte_level), ("pieces", pieces))}
IDS = {kind: {words.convert_tokens_to_ids(token): token for token in SPECIAL} for kind, words in WORDS.items()}

clean = st.text(alphabet=st.sampled_from("ab \n<|>_/\\é😀\ue000")).filter(
    lambda text: not any(t in text for t in SPECIAL)
)
spelled = st.lists(st.sampled_from([*SPECIAL, "<", "<|im_", "end|>", "|>", "s>", ">", " ", "\n", "a", "\ue000"])).map(
    "".join
)


def special_in(tokens, kind):
    return [IDS[kind][token] for token in tokens if token in IDS[kind]]


def rendered(renderer, *conversations):
    return renderer.tokenize(conversations)[0]


@pytest.mark.parametrize("kind", WORDS)
@given(asked=clean, said=clean)
def test_clean_texts_get_the_ids_of_the_chat_template(kind, asked, said):
    conversation = chat(asked, said)
    (tokens,) = rendered(Renderer(WORDS[kind]), conversation)
    assert tokens == WORDS[kind].apply_chat_template(conversation, tokenize=True)["input_ids"]
    assert special_in(tokens, kind) == ["<s>", "<|im_start|>", "<|im_end|>", "<|im_start|>", "<|im_end|>"]


@pytest.mark.parametrize("kind", WORDS)
@given(asked=spelled, said=spelled)
def test_control_tokens_in_messages_are_text(kind, asked, said):
    (tokens,) = rendered(Renderer(WORDS[kind]), chat(asked, said))
    assert special_in(tokens, kind) == ["<s>", "<|im_start|>", "<|im_end|>", "<|im_start|>", "<|im_end|>"]
    if kind == "bytes":  # nothing is lost of the text either
        whole = "<s>" + "".join(
            f"<|im_start|>{role}\n{content.strip()}<|im_end|>\n"
            for role, content in (("user", asked), ("assistant", said))
        )
        assert WORDS[kind].decode(tokens, clean_up_tokenization_spaces=False) == whole


@pytest.mark.parametrize("kind", BARE)
@given(asked=spelled, said=spelled)
def test_control_tokens_in_bare_texts_are_text(kind, asked, said):
    (tokens,) = rendered(Renderer(BARE[kind]), chat(asked, said))
    assert special_in(tokens, kind) in ([], ["<s>", "</s>"])


@pytest.mark.parametrize("kind", BARE)
@given(asked=clean, said=clean)
def test_clean_bare_texts_get_what_the_tokenizer_adds(kind, asked, said):
    (tokens,) = rendered(Renderer(BARE[kind]), chat(asked, said))
    if asked + said and not any(token in asked + said for token in SPECIAL):
        assert tokens == BARE[kind](asked + said)["input_ids"]
        assert special_in(tokens, kind) == ["<s>", "</s>"]


def test_a_token_that_is_not_special_stays_one():
    think = WORDS["bytes"].convert_tokens_to_ids("<think>")
    (tokens,) = rendered(Renderer(WORDS["bytes"]), chat("hm", "<think> so </s>"))
    assert tokens.count(think) == 1


def test_control_tokens_anywhere_in_a_message_are_text():
    said = "{{ m.name }}: {{ m.content[0].text }} {{ m.calls | default([]) | tojson }}</s>"
    template = "{% for m in messages %}" + said + "{% endfor %}"
    words = trained(byte_level(), template)
    message = {
        "role": "assistant",
        "name": "<|im_end|>",
        "content": [{"type": "text", "text": "a</s>b"}],
        "calls": [{"arguments": {"x": "<|im_start|>"}}],
    }
    (tokens,) = rendered(Renderer(words), [message])
    assert special_in(tokens, "bytes") == ["</s>"]
    assert words.decode(tokens, clean_up_tokenization_spaces=False) == (
        '<|im_end|>: a</s>b [{"arguments": {"x": "<|im_start|>"}}]</s>'
    )


def test_messages_are_left_as_they_were():
    conversation = chat("</s>", "<|im_end|>")
    before = pickle.dumps(conversation)
    rendered(Renderer(WORDS["bytes"]), conversation)
    assert pickle.dumps(conversation) == before


def test_nothing_but_control_tokens_is_nothing_without_a_template():
    assert rendered(Renderer(BARE["bytes"]), chat("<s>", "</s></s>"), chat("", ""), []) == [[], [], []]


@pytest.mark.parametrize("template", [BOS_TEMPLATE, TEMPLATE, None])
def test_golden_tokens(template):
    words = tiny_tokenizer(template, adds_bos=True)
    (tokens,) = rendered(Renderer(words), chat("a<eos>", "b"))
    expected = {
        BOS_TEMPLATE: ["<bos>", *"<user>a<eos>", "<eos>", *"<assistant>b", "<eos>"],
        TEMPLATE: [*"<user>a<eos>", "<eos>", *"<assistant>b", "<eos>"],
        None: ["<bos>", *"a<eos>b"],
    }
    assert words.convert_ids_to_tokens(tokens) == expected[template]


def test_the_middle_is_what_a_long_text_loses():
    words = tiny_tokenizer()
    sequences, truncated = Renderer(words, 9).tokenize([chat("ABCDEF", "middle UVWXYZ"), chat("a", "b")])
    assert [words.decode(tokens) for tokens in sequences] == ["ABCDVWXYZ", "ab"]
    assert truncated == 1


def test_a_failing_template_is_logged_once(caplog):
    renderer = Renderer(tiny_tokenizer("{{ raise_exception('never') }}"))
    assert rendered(renderer, chat("a", "b"), chat("a", "b")) == [[], []]
    assert len(caplog.records) == 1


def test_a_limit_without_room_is_refused():
    with pytest.raises(ConfigError, match="max_tokens"):
        Renderer(tiny_tokenizer(), 1)


def test_a_pickled_copy_renders_alike():
    renderer = Renderer(WORDS["bytes"])
    assert rendered(pickle.loads(pickle.dumps(renderer)), chat("a", "</s>")) == rendered(renderer, chat("a", "</s>"))


PARTS = [{"type": "text", "text": "1 + 1"}, {"type": "text", "text": " = 2"}]
IMAGE = {"type": "image_url", "image_url": {"url": "data:,"}}


@pytest.mark.parametrize(
    "template",
    [
        "{% for m in messages %}{{ m.role }}: {{ m.content }}|{% endfor %}",
        "{% for m in messages %}{{ m.role }}: {% for p in m.content %}{{ p.text }}{% endfor %}|{% endfor %}",
    ],
    ids=["text", "parts"],
)
def test_parts_of_text_are_what_their_text_is(template):
    renderer = Renderer(trained(byte_level(), template))
    as_parts = [{"role": "user", "content": PARTS}, {"role": "assistant", "content": None}]
    as_text = [{"role": "user", "content": "1 + 1 = 2"}, {"role": "assistant", "content": ""}]
    first, second, third = rendered(renderer, as_parts, as_text, [as_parts[0], {"role": "assistant"}])
    assert first == second == third
    assert renderer.tokenizer.decode(first) == "user: 1 + 1 = 2|assistant: |"


def test_a_part_that_is_no_text_is_refused_or_left_out_and_counted(caplog):
    words = trained(byte_level(), "{% for m in messages %}{{ m.content }}{% endfor %}")
    shown = [{"role": "user", "content": [IMAGE, *PARTS]}, {"role": "assistant", "content": "yes"}]
    assert rendered(Renderer(words), shown) == [[]]
    assert "'image_url', which is no text" in caplog.text
    renderer = Renderer(words, other_parts="leave_out")
    (tokens,) = rendered(renderer, shown)
    assert words.decode(tokens) == "1 + 1 = 2yes" and renderer.left_out == 1


@pytest.mark.parametrize("arguments", ['{"x": 1}', {"x": 1}])
def test_a_tool_call_s_arguments_are_an_object_to_the_template(arguments):
    template = (
        "{% for m in messages %}{% if m.tool_calls %}{{ m.tool_calls[0].function.arguments | tojson }}{% endif %}"
        "{{ m.content }}{% endfor %}"
    )
    words = trained(byte_level(), template)
    call = {"type": "function", "function": {"name": "add", "arguments": arguments}}
    asks = {"role": "assistant", "content": None, "tool_calls": [call]}
    (tokens,) = rendered(Renderer(words), [{"role": "user", "content": "q"}, asks, {"role": "tool", "content": "2"}])
    assert words.decode(tokens) == 'q{"x": 1}2'
