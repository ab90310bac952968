"""The word-level tokenizer."""

import pytest
from arena_strategies import problems, rngs
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from hero_lab.arena.demonstrations import demonstrate
from hero_lab.arena.sampling import MAX_COMPLETION_TOKENS
from hero_lab.arena.task import PROMPT_TOKENS
from hero_lab.arena.tokenizer import EOS, build_tokenizer

TOKENIZER = build_tokenizer()
WORDS = [word for word in TOKENIZER.get_vocab() if word not in TOKENIZER.all_special_tokens]


@given(problems(), rngs, st.floats(0, 1))
def test_every_text_of_the_task_comes_back(problem, rng, slip):
    text = f"{problem.prompt} {demonstrate(rng, problem, slip)}"
    ids = TOKENIZER(f"{text} {EOS}")["input_ids"]
    assert TOKENIZER.unk_token_id not in ids
    assert TOKENIZER.decode(ids, skip_special_tokens=True) == text
    assert len(TOKENIZER(problem.prompt)["input_ids"]) == PROMPT_TOKENS
    assert len(ids) <= PROMPT_TOKENS + MAX_COMPLETION_TOKENS


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=12))
def test_any_words_come_back(words):
    text = " ".join(words)
    assert TOKENIZER.decode(TOKENIZER(text)["input_ids"], skip_special_tokens=True) == text


@given(problems(), rngs)
def test_a_completion_may_follow_its_prompt_without_a_space(problem, rng):
    completion = demonstrate(rng, problem)
    assert TOKENIZER(problem.prompt + completion) == TOKENIZER(f"{problem.prompt} {completion}")


def test_padding_is_on_the_left_and_nothing_is_added():
    batch = TOKENIZER(["1", "1 2 3"], padding=True)
    pad, one = TOKENIZER.pad_token_id, TOKENIZER.convert_tokens_to_ids("1")
    assert batch["input_ids"][0] == [pad, pad, one]
    assert batch["attention_mask"][0] == [0, 0, 1]
    assert TOKENIZER.bos_token is None


def test_an_unknown_word_is_not_dropped():
    assert TOKENIZER("1 578")["input_ids"] == [TOKENIZER.convert_tokens_to_ids("1"), TOKENIZER.unk_token_id]


@pytest.mark.parametrize("text", ["{ 3 , 5 }", "(x - 3 ) (x - 5 )", "x = 3 or x = 5", "1 . 5"])
def test_it_saves_and_loads(tmp_path, text):
    TOKENIZER.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    assert loaded(text)["input_ids"] == TOKENIZER(text)["input_ids"]
    assert loaded.padding_side == "left"
    ids = TOKENIZER("(x - 3 ) (x - 5 )")["input_ids"]
    assert loaded.decode(ids, skip_special_tokens=True) == "(x - 3 ) (x - 5 )"
