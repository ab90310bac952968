"""The models: shapes, padding, saving, and what the reward model reads."""

import random
from itertools import islice

import pytest
import torch
from transformers import AutoConfig, AutoModelForSequenceClassification

from hero_lab.arena.demonstrations import demonstrate
from hero_lab.arena.language_model import build_language_model, demonstration_dataset
from hero_lab.arena.preferences import build_pairs
from hero_lab.arena.reward_model import ArenaRewardConfig, ArenaRewardModel
from hero_lab.arena.sampling import sample_completions
from hero_lab.arena.settings import PairSettings, tiny_settings
from hero_lab.arena.task import EASY_TYPES, sample_problems, types_of
from hero_lab.arena.tokenizer import EOS, PROMPT_END, build_tokenizer
from hero_rl.reward_models import LocalRewardModel

TOKENIZER = build_tokenizer()
TINY = tiny_settings().policy


@pytest.fixture(scope="module")
def texts() -> list[tuple[str, str]]:
    """Prompts and completions of many lengths."""
    rng = random.Random(0)
    problems = list(islice(sample_problems(rng, types_of("mixed"), "train"), 24))
    whole = [(problem.prompt, demonstrate(rng, problem, 0.3)) for problem in problems]
    return whole + [(prompt, " ".join(text.split()[: rng.randint(0, 6)])) for prompt, text in whole]


@pytest.fixture(scope="module")
def reward_model() -> ArenaRewardModel:
    torch.manual_seed(0)
    config = ArenaRewardConfig(
        vocab_size=len(TOKENIZER),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
        pad_token_id=TOKENIZER.pad_token_id,
        eos_token_id=TOKENIZER.eos_token_id,
        bos_token_id=None,
        prompt_end_token_id=TOKENIZER.convert_tokens_to_ids(PROMPT_END),
        num_labels=1,
    )
    return ArenaRewardModel(config).eval()


@torch.no_grad()
def scores(model, texts, side):
    inputs = TOKENIZER(texts, return_tensors="pt", padding=True, padding_side=side)
    return model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"]).logits


def test_a_score_does_not_depend_on_padding(reward_model, texts):
    joined = [f"{prompt} {completion}" for prompt, completion in texts]
    alone = torch.cat([scores(reward_model, [text], "left") for text in joined])
    assert alone.shape == (len(texts), 1)
    assert alone.std() > 1e-3
    for side in ("left", "right"):
        torch.testing.assert_close(scores(reward_model, joined, side), alone, atol=1e-5, rtol=0)
    ids = TOKENIZER(joined, return_tensors="pt", padding=True)["input_ids"]
    with torch.no_grad():
        torch.testing.assert_close(reward_model(input_ids=ids).logits, alone, atol=1e-5, rtol=0)


def test_a_score_does_not_depend_on_a_marked_end_or_what_follows_it(reward_model, texts):
    bare = scores(reward_model, [f"{prompt} {completion}" for prompt, completion in texts], "right")
    for end in (EOS, f"{EOS} {EOS}", f"{EOS} 5 }}"):
        marked = scores(reward_model, [f"{prompt} {completion} {end}" for prompt, completion in texts], "right")
        torch.testing.assert_close(marked, bare, atol=1e-5, rtol=0)


def test_every_completion_token_counts_and_the_end_too(reward_model):
    prompt = "M 3 *4 +5 6 *7 -8 ?"
    words = ["12", "17", "42", "34", "A", "34"]
    base = scores(reward_model, [f"{prompt} {' '.join(words)}"], "right")
    for place in range(len(words)):
        changed = [*words[:place], "99", *words[place + 1 :]]
        assert (scores(reward_model, [f"{prompt} {' '.join(changed)}"], "right") - base).abs() > 1e-6
    assert (scores(reward_model, [f"{prompt} {' '.join(words[:-1])}"], "right") - base).abs() > 1e-6


def test_a_second_prompt_end_moves_nothing(reward_model):
    prompt = "M 3 *4 +5 6 *7 -8 ?"
    one = scores(reward_model, [f"{prompt} 12 17"], "right")
    two = scores(reward_model, [f"{prompt} 12 17 ?"], "right")
    # If the prompt ended at the last such token, the second completion would be empty.
    empty = scores(reward_model, [prompt], "right")
    assert (two - one).abs() > 1e-6
    assert (two - empty).abs() > 1e-6


def test_a_bounded_score_is_the_sigmoid_of_half_the_sum_and_stays_so_on_disk(reward_model, texts, tmp_path):
    rows = [f"{prompt} {completion}" for prompt, completion in texts]
    reward_model.save_pretrained(tmp_path)
    bounded = ArenaRewardModel.from_pretrained(tmp_path, bounded=True)
    torch.testing.assert_close(scores(bounded, rows, "left"), (scores(reward_model, rows, "left") / 2).sigmoid())
    bounded.save_pretrained(tmp_path / "again")
    assert AutoConfig.from_pretrained(tmp_path / "again").bounded


def test_it_saves_and_loads_by_its_type(reward_model, texts, tmp_path):
    reward_model.save_pretrained(tmp_path)
    TOKENIZER.save_pretrained(tmp_path)
    loaded = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    assert isinstance(loaded, ArenaRewardModel)
    assert AutoConfig.from_pretrained(tmp_path).num_labels == 1
    conversations = [
        [{"role": "user", "content": prompt}, {"role": "assistant", "content": completion}]
        for prompt, completion in texts
    ]
    expected = scores(reward_model, [f"{prompt} {completion}" for prompt, completion in texts], "right")[:, 0]
    torch.testing.assert_close(LocalRewardModel(loaded, TOKENIZER).score(conversations), expected, atol=1e-5, rtol=0)


def test_demonstrations_are_labelled_from_the_completion_on_and_end_once():
    for row in demonstration_dataset(TOKENIZER, TINY):
        ids, labels = row["input_ids"], row["labels"]
        assert labels[:8] == [-100] * 8
        assert labels[8:] == ids[8:]
        assert ids.count(TOKENIZER.eos_token_id) == 1
        assert ids[-1] == TOKENIZER.eos_token_id


def test_sampling_is_fixed_by_its_seed_and_leaves_the_global_one():
    model = build_language_model(TINY, TOKENIZER).eval()
    prompts = ["M 3 *4 +5 6 *7 -8 ?", "S 3 *4 +5 6 *7 -8 ?"]
    torch.manual_seed(3)
    state = torch.get_rng_state()
    first = sample_completions(model, TOKENIZER, prompts, samples=3, seed=1)
    assert torch.equal(torch.get_rng_state(), state)
    assert first == sample_completions(model, TOKENIZER, prompts, samples=3, seed=1)
    assert first != sample_completions(model, TOKENIZER, prompts, samples=3, seed=2)
    assert [len(group) for group in first] == [3, 3]
    greedy = sample_completions(model, TOKENIZER, prompts, samples=2, temperature=0)
    assert all(group[0] == group[1] for group in greedy)


class _Demonstrator:
    """Stands in for a policy: `sample_completions` is replaced by demonstrations with slips."""

    @staticmethod
    def sample(model, tokenizer, prompts, *, samples, seed, temperature):
        from hero_lab.arena.task import Exercise

        rng = random.Random(seed)
        return [[demonstrate(rng, Exercise.parse(prompt), 0.2) for _ in range(samples)] for prompt in prompts]


def test_pairs_prefer_the_right_on_easy_types_and_never_overlap(monkeypatch):
    from hero_lab.arena import preferences
    from hero_lab.arena.answers import is_correct

    monkeypatch.setattr(preferences, "sample_completions", _Demonstrator.sample)
    settings = PairSettings(
        policy=300, noisy=100, hot=100, wrong_number=200, wrong_length=200, wrong_shape=200, slipped=100
    )
    pairs = build_pairs(None, None, TOKENIZER, settings)  # pyright: ignore[reportArgumentType]
    assert pairs == build_pairs(None, None, TOKENIZER, settings)  # pyright: ignore[reportArgumentType]
    assert len(pairs) == 1200
    for pair in pairs:
        assert pair.problem.type in EASY_TYPES
        assert pair.problem.split == "train"
        assert pair.chosen != pair.rejected
        assert is_correct(pair.problem, pair.chosen)
    wrong = [not is_correct(pair.problem, pair.rejected) for pair in pairs]
    # A changed number in the chain leaves the answer right; everything else is wrong.
    assert 0.85 < sum(wrong) / len(wrong) < 1


def test_a_model_that_is_never_right_makes_no_pairs():
    model = build_language_model(TINY, TOKENIZER).eval()
    with pytest.raises(RuntimeError, match="no right and wrong rollouts"):
        build_pairs(model, model, TOKENIZER, PairSettings(policy=8, rollouts_per_prompt=1))


def test_corruptions_need_rollouts_to_corrupt():
    with pytest.raises(ValueError, match="policy is 0"):
        PairSettings(policy=0)
