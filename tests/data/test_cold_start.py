"""The cold start from end to end."""

import re

import pyarrow.parquet
import pytest
from making import ONE, hashed, jsonl, lines

from hero_rl.data import ColdStartConfig, make_cold_start
from hero_rl.errors import ConfigError, DataError
from hero_rl.rollouts import Rollout, write_rollouts
from hero_rl.training.demonstrations import load_demonstrations
from hero_rl.training.sft_config import DemonstrationConfig


def solution(n, text=None, **fields):
    return Rollout(f"What is {n}?", text or f"It is clearly equal to \\boxed{{{n}}}.", reference=str(n), **fields)


def cold_start(tmp_path, rollouts, **settings):
    write_rollouts(tmp_path / "rollouts.jsonl", rollouts)
    places = {"solutions": str(tmp_path / "rollouts.jsonl"), "output_dir": str(tmp_path / "sft")}
    return make_cold_start(ColdStartConfig(**places, verifier_processes=ONE, **settings))


def test_the_cold_start_counts_the_first_reason_against_each(tmp_path):
    rows = [
        *(solution(n, verdict=1.0) for n in range(8)),
        solution(8, verdict=0.0),
        solution(9, verdict=None),
        solution(10, "10", verdict=1.0),
        solution(11, "It is " + "so " * 40 + "\\boxed{11}.", verdict=1.0),
        solution(12, "It is clearly, 因此, \\boxed{12}.", verdict=1.0),
        solution(13, "It is clearly \\boxed{13}. And then", verdict=1.0),
        solution(14, verdict=1.0, extra={"finish_reason": "length"}),
        solution(15, verdict=1.0, extra={"tokens": 99}),
        solution(7, verdict=1.0),
    ]
    made = cold_start(tmp_path, rows, size=5, validation=3, max_characters=100, max_tokens=50)
    counts = [count for name, count in made.account["counts"].items()]
    assert counts == [17, 1, 1, 1, 2, 1, 2, 1, 8, 8]
    train, held = (lines(made.folder / "trl" / f"{part}.jsonl") for part in ("train", "validation"))
    assert len(train) == 5 and len({row["prompt"] for row in train + held}) == 8
    left_out = [(row["row"], row["why"]) for row in lines(made.folder / "left_out.jsonl")]
    assert left_out[:2] == [(9, "incorrect"), (10, "unjudged")]
    demonstrations = load_demonstrations(
        DemonstrationConfig(train=str(made.folder / "trl" / "train.jsonl")), "train"
    ).to_list()
    assert demonstrations[0]["completion"] == [{"role": "assistant", "content": train[0]["completion"]}]
    messages = pyarrow.parquet.read_table(made.folder / "verl" / "train.parquet").to_pylist()
    assert [row["messages"] for row in messages] == [row["prompt"] + row["completion"] for row in demonstrations]


def test_a_file_without_verdicts_is_verified(tmp_path):
    made = cold_start(tmp_path, [solution(n, f"So it must be \\boxed{{{n % 5}}}.") for n in range(8)], size=5)
    assert made.account["counts"]["left out: not correct"] == 3
    assert made.account["verifier"]["settings"]["type"] == "math" and (made.folder / "verified.jsonl").exists()
    places = {"solutions": str(tmp_path / "rollouts.jsonl"), "output_dir": str(tmp_path / "sft")}
    with pytest.raises(DataError, match=r"5 solutions are left of 5 problems, 6 \+ 0 for validation"):
        make_cold_start(ColdStartConfig(**places, size=6, verifier_processes=ONE))
    assert not (made.folder / "card.md").exists(), "the data is not what the card says"
    jsonl(tmp_path / "bare.jsonl", [{"prompt": "a", "completion": "b"}])
    with pytest.raises(ConfigError, match=r"bare.jsonl has neither verdicts nor references to verify against"):
        make_cold_start(ColdStartConfig(**places | {"solutions": str(tmp_path / "bare.jsonl")}))


def test_real_rollouts(shared, tmp_path):
    path = str(shared / "data" / "rollouts_math100.jsonl")
    made = make_cold_start(ColdStartConfig(solutions=path, output_dir=str(tmp_path / "a"), size=50, validation=10))
    assert made.account["counts"]["problems with one left"] == 96
    again = make_cold_start(ColdStartConfig(solutions=path, output_dir=str(tmp_path / "b"), size=50, validation=10))
    assert hashed(made.folder) == hashed(again.folder)
    texts = [row["completion"] for row in lines(made.folder / "trl" / "train.jsonl")]
    assert not any(re.search("[\u4e00-\u9fff]", text) for text in texts)
