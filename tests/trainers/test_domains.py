"""Two domains in one run: each judged by its own verifier, on the real TRL."""

import json

import pandas
import pytest
import yaml
from datasets import Dataset
from parts import LoudnessModel, ParityVerifier, config

from hero_rl import GatedHero, Hero
from hero_rl.cli import main
from hero_rl.errors import ConfigError, DataError
from hero_rl.trainers.dataset import check_datasets
from hero_rl.trainers.trl import HeroGRPOTrainer
from hero_rl.verifiers import JudgeVerifier, Verdict


class Lengths:
    """Full marks for a completion of the length that the row asks for; never of the other domain."""

    def __init__(self):
        self.seen = []

    def verify(self, request):
        self.seen.append(request)
        return Verdict(float(len(request.completion) > request.columns["least"]), "length")


def mixed(rows=6):
    return Dataset.from_list(
        [
            {"prompt": f"{n} plus {n} is", "answer": str(n), "topic": ("sums", "length")[n % 2], "least": n % 3}
            for n in range(rows)
        ]
    )


def run(policy, tmp_path, verifier, **changes):
    return HeroGRPOTrainer(
        model=str(policy),
        verifier=verifier,
        reward_model=LoudnessModel(),
        rule=GatedHero(),
        args=config(output_dir=str(tmp_path), **changes),
        train_dataset=mixed(),
    )


def test_a_mapping_judges_each_row_by_its_domain(policy, tmp_path):
    lengths = Lengths()
    trainer = run(policy, tmp_path, {"sums": ParityVerifier(), "length": lengths}, domain_column="topic")
    trainer.train()
    assert {request.domain for request in lengths.seen} == {"length"}
    assert {request.columns["topic"] for request in lengths.seen} == {"length"}
    assert all(request.reference == str(int(request.question.split()[0])) for request in lengths.seen)
    assert all("prompt" not in request.columns and "answer" not in request.columns for request in lengths.seen)
    logged = {name for entry in trainer.state.log_history for name in entry}
    for domain in ("sums", "length"):
        assert {f"hero/domains/{domain}/{name}" for name in ("verdict", "score", "frac_unscorable")} <= logged


def test_a_mapping_needs_a_column_and_knows_its_domains(policy, tmp_path):
    with pytest.raises(ConfigError, match="domain_column"):
        run(policy, tmp_path, {"sums": ParityVerifier(), "length": Lengths()})
    with pytest.raises(DataError, match=r"train_dataset\[1\] is of the domain 'length'.*known: 'sums'"):
        run(policy, tmp_path, {"sums": ParityVerifier()}, domain_column="topic")


@pytest.fixture
def settings(tiny, tmp_path):
    """A file of settings over two domains whose references are of two kinds."""
    policy, reward_model = tiny
    rows = [
        {"prompt": "1 + 1 =", "answer": 2, "domain": "math"},
        {"prompt": "Name two colours.", "answer": {"words": ["red", "blue"]}, "domain": "words"},
        {"prompt": "2 + 2 =", "answer": ["4", "four"], "domain": "math"},
        {"prompt": "Name a fruit.", "answer": {"words": ["pear"], "least": 1}, "domain": "words"},
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    block = {
        "output_dir": str(tmp_path / "run"),
        "model": {"path": str(policy)},
        "data": {"train": str(tmp_path / "rows.jsonl"), "domain_column": "domain"},
        "verifier": {
            "type": "by_domain",
            "verifiers": {"math": {"type": "math"}, "words": {"type": "exact"}},
        },
        "reward_model": {"path": str(reward_model)},
        "rule": {"type": "gated_hero"},
        "trl": {"max_steps": 2, "num_generations": 4, "per_device_train_batch_size": 8, "max_completion_length": 8}
        | {"bf16": False, "use_cpu": True, "save_strategy": "no"},
    }
    path = tmp_path / "run.yaml"

    def write(**changes):
        path.write_text(yaml.safe_dump(block | changes))
        return path

    return write


def test_a_file_of_settings_trains_on_two_domains(settings, tmp_path):
    assert main(["train", str(settings())]) == 0
    rows = pandas.concat(map(pandas.read_parquet, (tmp_path / "run" / "rollouts").glob("*.parquet")))
    assert set(rows["domain"]) == {"math", "words"}
    references = set(rows["reference"])
    assert '{"words": ["pear"], "least": 1}' in references  # whole, and no keys of other rows
    logged = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert any("hero/domains/words/verdict" in row for row in logged)


def test_a_row_of_an_unknown_domain_is_named_before_anything_loads(settings, capsys):
    only_maths = {"type": "by_domain", "verifiers": {"math": {"type": "math"}}}
    assert main(["train", str(settings(verifier=only_maths)), "--check"]) != 0
    said = capsys.readouterr().err
    assert "rows.jsonl:2" in said and "'words'" in said and "'math'" in said


def test_a_row_without_its_rubric_is_named_before_anything_is_asked(settings, tmp_path, capsys):
    block = settings(verifier={"type": "judge", "url": "http://127.0.0.1:9", "rubric_column": "how"})
    rows = [{"prompt": "p", "answer": "a", "how": ["Is short."], "domain": "math"}, {"prompt": "q", "answer": "a"}]
    rows[1] |= {"domain": "words", "how": None}
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    answered = [row | {"completion": "x", "reference": row["answer"]} for row in rows]
    (tmp_path / "answered.jsonl").write_text("".join(json.dumps(row) + "\n" for row in answered))
    judge = ["--verifier.type", "judge", "--verifier.url", "http://127.0.0.1:9", "--verifier.rubric_column", "how"]
    answers = str(tmp_path / "answered.jsonl")
    rule = ["--rule.type", "verifier_only"]
    for words in (
        ["train", str(block), "--check"],
        ["verify", answers, *judge],
        ["score", answers, str(tmp_path / "out.jsonl"), *judge, *rule],
    ):
        assert main(words) != 0
        said = capsys.readouterr().err
        assert "rows.jsonl:2" in said or "answered.jsonl:2" in said, said
        assert "'how' (rubric_column) is empty" in said
    with pytest.raises(DataError, match=r"train_dataset\[1\]: 'how' .* is empty"):
        check_datasets(
            Dataset.from_list(rows), None, "answer", verifier=JudgeVerifier(url="http://h", rubric_column="how")
        )


def mixed_file(tmp_path, *more):
    """Rows with a reference, rows that have lost theirs, and rows of a domain that no verifier applies to."""
    rows = [
        {"prompt": "1 + 1 =", "answer": 2, "domain": "math"},
        {"prompt": "Write a line on the sea.", "answer": None, "domain": "chat"},
        {"prompt": "2 + 2 =", "answer": None, "domain": "math"},
        {"prompt": "Write a line on rain.", "answer": "rain", "domain": "chat"},
        *more,
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return {"type": "by_domain", "verifiers": {"math": {"type": "math"}, "chat": None}}


def test_prompts_that_no_verifier_applies_to_are_ranked_on_the_users_word(settings, tmp_path, caplog):
    block = settings(verifier=mixed_file(tmp_path), rule={"type": "hero", "alpha": 0.05, "without_reference": "rank"})
    assert main(["train", str(block)]) == 0
    assert "no verifier applies to 3 of 4 rows; they are ranked" in caplog.text
    rows = pandas.concat(map(pandas.read_parquet, (tmp_path / "run" / "rollouts").glob("*.parquet")))
    free = rows[rows["reason"] == "no_verifier"]
    assert set(free["domain"]) <= {"chat", "math"} and len(free) and free["verdict"].isna().all()
    assert free["reward"].notna().all() and (free["advantage"] != 0).any()
    assert free["advantage"].abs().max() <= 2 * 0.05 * 3.0  # alpha on both sides, times w_max
    logged = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    steps = [row for row in logged if "hero/frac_unverified" in row]
    assert max(row["hero/frac_unverified"] for row in steps) > 0
    assert all(
        row["hero/frac_unscorable"] == row["verifier/abstained"] == row["hero/alarm/unscorable"] == 0 for row in steps
    )
    assert sum(row["verifier/not_applied"] for row in steps) == len(free)


def test_else_they_are_left_out_and_counted(settings, tmp_path, caplog):
    more = [{"prompt": "3 + 3 =", "answer": 6, "domain": "math"}]
    assert main(["train", str(settings(verifier=mixed_file(tmp_path, *more)))]) == 0
    assert "no verifier applies to 3 of 5 rows, which are left out" in caplog.text
    rows = pandas.concat(map(pandas.read_parquet, (tmp_path / "run" / "rollouts").glob("*.parquet")))
    assert set(rows["reference"]) == {"2", "6"}


def test_a_mapping_with_none_keeps_a_domain_for_the_reward_model(policy, tmp_path):
    trainer = HeroGRPOTrainer(
        model=str(policy),
        verifier={"sums": ParityVerifier(), "length": None},
        reward_model=LoudnessModel(),
        rule=Hero(without_reference="rank"),
        args=config(output_dir=str(tmp_path), domain_column="topic", max_steps=2),
        train_dataset=mixed(),
    )
    trainer.train()
    steps = [entry for entry in trainer.state.log_history if "hero/frac_unverified" in entry]
    assert any(entry["hero/advantage_mass_unverified"] > 0 for entry in steps)
