"""The cold start from end to end."""

import re

import pyarrow.parquet
import pytest
from making import ONE, hashed, jsonl, lines

from hero_rl.data import ColdStartConfig, TextbookConfig, make_cold_start, make_textbook
from hero_rl.errors import ConfigError, DataError
from hero_rl.rollouts import Rollout, write_rollouts
from hero_rl.training.configs.sft import DemonstrationConfig
from hero_rl.training.rows.demonstrations import load_demonstrations


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
    assert counts == [17, 0, 1, 1, 1, 2, 1, 2, 1, 8, 8]
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


def test_data_of_another_kind_keeps_its_folder(tmp_path):
    made = cold_start(tmp_path, [solution(n, verdict=1.0) for n in range(3)], size=3)
    card = (made.folder / "card.json").read_bytes()
    config = TextbookConfig(problems=str(tmp_path / "rollouts.jsonl"), output_dir=str(made.folder))
    with pytest.raises(ConfigError, match=r"sft holds what `hero data cold-start` made; give textbook a folder of its"):
        make_textbook(config)
    assert (made.folder / "card.json").read_bytes() == card


def test_no_solution_is_of_a_problem_that_is_held_out(tmp_path):
    (tmp_path / "trl").mkdir()
    held = jsonl(tmp_path / "trl" / "easy_validation.jsonl", [{"prompt": "What is 1?", "answer": "1", "id": "x"}])
    jsonl(tmp_path / "trl" / "hard_validation.jsonl", [])
    more = jsonl(tmp_path / "more.jsonl", [{"prompt": f"What is {n}?", "answer": n} for n in (2, 3)])
    rows = [solution(n, verdict=1.0) for n in range(6)]
    made = cold_start(tmp_path, rows, size=5)
    assert "What is 1?" not in {row["prompt"] for row in lines(made.folder / "trl" / "train.jsonl")}
    assert made.account["held_out"] == {held: 1} and f"| {held} | 1 |" in (made.folder / "card.md").read_text()
    named = cold_start(tmp_path, rows, size=4, held_out=more)
    assert {row["prompt"] for row in lines(named.folder / "trl" / "train.jsonl")} == {
        f"What is {n}?" for n in (0, 1, 4, 5)
    }
    assert cold_start(tmp_path, rows, size=6, held_out=[]).account["held_out"] == {}


def test_a_problem_that_came_up_in_two_steps_is_one(tmp_path):
    texts = [f"It is clearly equal to \\boxed{{{n % 4}}}{'!' * (n // 4)}" for n in range(12)]
    rows = [solution(n % 4, text, verdict=1.0, group=f"{n // 4}/{n % 4}") for n, text in enumerate(texts)]
    made = cold_start(tmp_path, rows, size=3, validation=1)
    assert made.account["counts"]["problems with one left"] == 4
    parts = [{row["prompt"] for row in lines(made.folder / "trl" / f"{p}.jsonl")} for p in ("train", "validation")]
    assert not parts[0] & parts[1] and len(parts[0]) == 3


def test_real_rollouts(shared, tmp_path):
    path = str(shared / "data" / "rollouts_math100.jsonl")
    made = make_cold_start(ColdStartConfig(solutions=path, output_dir=str(tmp_path / "a"), size=50, validation=10))
    assert made.account["counts"]["problems with one left"] == 96
    again = make_cold_start(ColdStartConfig(solutions=path, output_dir=str(tmp_path / "b"), size=50, validation=10))
    assert hashed(made.folder) == hashed(again.folder)
    texts = [row["completion"] for row in lines(made.folder / "trl" / "train.jsonl")]
    assert not any(re.search("[\u4e00-\u9fff]", text) for text in texts)
