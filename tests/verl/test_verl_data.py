"""The Parquet files of `hero data`, read by verl's own datasets."""

import pytest

pytest.importorskip("verl.trainer")

from hero_rl.data.writing import write_demonstrations, write_problems
from hero_rl.problems import Problem

SYSTEM = [{"role": "system", "content": "Box it."}, {"role": "user", "content": "What is 1 + 1?"}]
PROBLEMS = [
    Problem("a", "What is 2 + 2?", "4", "sums", "What is 2 + 2?"),
    Problem("b", SYSTEM, "2", "sums", "What is 1 + 1?"),
]


def test_verl_reads_the_problems(tmp_path, tiny):
    from omegaconf import OmegaConf
    from transformers import AutoTokenizer
    from verl.utils.dataset.rl_dataset import RLHFDataset

    write_problems([(one, "hard") for one in PROBLEMS], "train", tmp_path / "a.jsonl", tmp_path / "a.parquet")
    config = OmegaConf.create({"max_prompt_length": 256, "cache_dir": str(tmp_path / "cache")})
    dataset = RLHFDataset(str(tmp_path / "a.parquet"), AutoTokenizer.from_pretrained(tiny[0]), config)
    rows = [dataset[n] for n in range(len(dataset))]
    assert [row["reward_model"] for row in rows] == [
        {"style": "rule", "ground_truth": "4"},
        {"style": "rule", "ground_truth": "2"},
    ]
    assert [(row["data_source"], row["ability"], row["index"]) for row in rows] == [
        ("sums", "math", 0),
        ("sums", "math", 1),
    ]
    assert list(rows[1]["raw_prompt"]) == SYSTEM
    assert rows[0]["extra_info"] == {"split": "train", "index": 0, "id": "a", "verifiability": "hard"}


def test_verl_reads_the_demonstrations(tmp_path, tiny):
    from omegaconf import OmegaConf
    from transformers import AutoTokenizer
    from verl.utils.dataset.multiturn_sft_dataset import MultiTurnSFTDataset

    rows = [(one, "It is clear.", {}) for one in PROBLEMS]
    write_demonstrations(rows, tmp_path / "a.jsonl", tmp_path / "a.parquet")
    config = OmegaConf.create({"max_length": 128, "truncation": "error", "messages_key": "messages"})
    dataset = MultiTurnSFTDataset(str(tmp_path / "a.parquet"), AutoTokenizer.from_pretrained(tiny[0]), config)
    assert len(dataset) == 2
    tokens = dataset[0]
    learned = tokens["input_ids"][tokens["loss_mask"].bool()].tolist()
    assert "It is clear." in AutoTokenizer.from_pretrained(tiny[0]).decode(learned)
