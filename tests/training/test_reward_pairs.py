"""Pairs of labelled rollouts and of preference files, counted by hand."""

import itertools
import json

import pytest

from hero_rl.errors import ConfigError, DataError
from hero_rl.rollouts import Rollout
from hero_rl.training import RewardDataConfig
from hero_rl.training.rows.pairs import fingerprint, pairs_of_rollouts, read_pairs, split_by_prompt


def rollouts(*rows):
    return [Rollout(prompt=prompt, completion=completion, verdict=verdict) for prompt, completion, verdict in rows]


def said(pairs):
    return [tuple(side[-1]["content"] for side in (pair.chosen, pair.rejected)) for pair in pairs]


def test_pairs_and_counts_of_rollouts_by_hand():
    rows = rollouts(
        ("p", "right", 1.0),
        ("p", "right", 1.0),  # duplicate
        ("p", "wrong", 0.0),
        ("p", "odd", 0.0),
        ("p", "torn", 1.0),  # contradictory
        ("p", "torn", 0.0),
        ("p", "open", None),  # unjudged
        ("p", "lost", float("nan")),
        ("p", "half", 0.5),  # partial
        ("all right", "a", 1.0),
        ("all right", "b", 1.0),
        ("all wrong", "c", 0.0),
    )
    pairs, counts = pairs_of_rollouts(rows, 8, seed=0)
    assert sorted(said(pairs)) == [("right", "odd"), ("right", "wrong")]
    assert pairs[0].chosen == [{"role": "user", "content": "p"}, {"role": "assistant", "content": "right"}]
    assert counts == {
        "rollouts": 12,
        "unjudged": 2,
        "partial": 1,
        "duplicates": 1,
        "contradictory": 2,
        "prompts": 3,
        "uniform_prompts": 2,
        "pairs": 2,
    }


@pytest.mark.parametrize(("right", "wrong"), [(1, 5), (4, 6), (3, 3), (6, 4), (2, 7)])
def test_partners_are_shared_out_and_no_pair_comes_twice(right, wrong):
    rows = rollouts(
        *(("p", f"right {n}", 1.0) for n in range(right)), *(("p", f"wrong {n}", 0.0) for n in range(wrong))
    )
    for most in range(1, right * wrong + 3):
        pairs = said(pairs_of_rollouts(rows, most, seed=3)[0])
        assert len(pairs) == len(set(pairs)) == min(most, right * wrong)
        for side, count in ((0, right), (1, wrong)):
            uses = [sum(pair[side] == name for pair in pairs) for name in {pair[side] for pair in pairs}]
            assert len(uses) == min(count, len(pairs)) and max(uses) - min(uses) <= 1


def test_the_choice_hangs_on_the_seed_and_the_prompt_only():
    many = [(p, f"{p} {n}", float(n < 4)) for p in "abc" for n in range(8)]
    first = pairs_of_rollouts(rollouts(*many), 3, seed=1)[0]
    assert fingerprint(first) == fingerprint(pairs_of_rollouts(rollouts(*many), 3, seed=1)[0])
    assert fingerprint(first) != fingerprint(pairs_of_rollouts(rollouts(*many), 3, seed=2)[0])
    alone = pairs_of_rollouts(rollouts(*(row for row in many if row[0] == "b")), 3, seed=1)[0]
    assert alone == [pair for pair in first if "b" in said([pair])[0][0]]


def test_the_split_is_by_prompt():
    many = [(f"prompt {p}", f"{n}", float(n < 2)) for p in range(10) for n in range(4)]
    pairs = pairs_of_rollouts(rollouts(*many), 4, seed=0)[0]
    train, held_out = split_by_prompt(pairs, 0.3, seed=0)
    assert (len(train), len(held_out)) == (28, 12)
    assert not {pair.prompt for pair in train} & {pair.prompt for pair in held_out}
    assert split_by_prompt(pairs, 0.3, seed=0) == (train, held_out) != split_by_prompt(pairs, 0.3, seed=1)
    assert split_by_prompt(pairs, 0.0, seed=0) == (pairs, [])
    with pytest.raises(ConfigError, match="too few"):
        split_by_prompt(pairs[:4], 0.3, seed=0)


USER, GOOD, BAD = ({"role": r, "content": c} for r, c in (("user", "q"), ("assistant", "good"), ("assistant", "bad")))


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "q", "chosen": "good", "rejected": "bad"},
        {"prompt": [USER], "chosen": [GOOD], "rejected": [BAD]},
        {"prompt": [USER], "chosen": "good", "rejected": [BAD]},
        {"chosen": [USER, GOOD], "rejected": [USER, BAD]},
        {"prompt": "q", "chosen": [USER, GOOD], "rejected": [USER, BAD]},
    ],
)
def test_every_form_of_a_preference_row_is_one_pair(row, tmp_path):
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for _ in range(2)))
    (pair,), counts = read_pairs(RewardDataConfig(pairs=str(path)))
    assert (pair.chosen, pair.rejected) == ([USER, GOOD], [USER, BAD])
    assert pair.prompt == json.dumps([USER], sort_keys=True)
    assert counts == {"rows": 2, "duplicates": 1, "alike": 0, "prompts": 1, "pairs": 1}


def test_parquet_other_columns_and_rows_that_are_alike(tmp_path):
    import pandas

    path = tmp_path / "pairs.parquet"
    pandas.DataFrame({"q": ["1", "2"], "a": ["x", "y"], "b": ["z", "y"]}).to_parquet(path)
    data = RewardDataConfig(pairs=str(path), columns={"prompt": "q", "chosen": "a", "rejected": "b"})
    pairs, counts = read_pairs(data)
    assert said(pairs) == [("x", "z")] and counts["alike"] == 1


def test_whole_texts_train_but_cannot_be_split_by_prompt(tmp_path):
    path = tmp_path / "pairs.jsonl"
    path.write_text(json.dumps({"chosen": "Q: 1 A: good", "rejected": "Q: 1 A: bad"}))
    pairs, _ = read_pairs(RewardDataConfig(pairs=str(path)))
    assert pairs[0].chosen == [{"role": "assistant", "content": "Q: 1 A: good"}] and pairs[0].prompt is None
    with pytest.raises(ConfigError, match="whole texts cannot be split by prompt"):
        split_by_prompt(pairs, 0.5, seed=0)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"chosen": "a"}, "no column 'rejected'"),
        ({"chosen": "a", "rejected": 3}, "'rejected' must be text or a list of chat messages, not 3"),
        ({"chosen": [USER], "rejected": [USER, BAD]}, "'chosen' must end with the assistant's message, not the user's"),
        ({"chosen": [USER, GOOD], "rejected": [BAD]}, "one of chosen and rejected holds the prompt"),
        ({"prompt": [], "chosen": "a", "rejected": "b"}, "'prompt' must be text or a list"),
    ],
)
def test_bad_rows_are_named_with_file_and_row(row, message, tmp_path):
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in ({"chosen": "a", "rejected": "b"}, row)))
    with pytest.raises(DataError, match=rf"pairs\.jsonl:2: .*{message}"):
        read_pairs(RewardDataConfig(pairs=str(path)))


def test_a_missing_file_is_named():
    with pytest.raises(DataError, match=r"data\.pairs: nowhere\.jsonl: no such file"):
        read_pairs(RewardDataConfig(pairs="nowhere.jsonl"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "one of pairs and rollouts is needed"),
        ({"pairs": "a", "rollouts": "b"}, "not both"),
        ({"pairs": "a", "format": "trl"}, "format is for rollouts"),
        ({"pairs": "a", "columns": {"chosn": "x"}}, "did you mean 'chosen'"),
        ({"rollouts": "a", "columns": {"chosen": "x"}}, "rollouts have no such column"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        RewardDataConfig(**settings)


def test_every_setting_has_a_line_of_documentation():
    from hero_rl.training import RewardTrainConfig, StartConfig

    models = (RewardDataConfig, RewardTrainConfig, StartConfig)
    for model, name in itertools.chain.from_iterable([(m, n) for n in m.model_fields] for m in models):
        assert f"        {name}: " in (model.__doc__ or ""), f"{model.__name__}.{name}"
