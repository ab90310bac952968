"""The path of docs/guides/path.md, from a problem set to the table: its commands as they stand, at their own size."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("path")]  # one worker, so that the path is walked once


@pytest.fixture(scope="module")
def walked(tmp_path_factory):
    """The folder that the page's commands leave; the judge's port alone is another one."""
    folder = tmp_path_factory.mktemp("path")
    shutil.copytree(ROOT / "examples", folder / "examples")
    port = free_port()
    settings = folder / "examples" / "path" / "eval.yaml"
    settings.write_text(settings.read_text().replace("8765", port))
    page = folder / "path.md"
    page.write_text((ROOT / "docs" / "guides" / "path.md").read_text().replace("8765", port))
    done = subprocess.run(
        [sys.executable, ROOT / "tests" / "examples" / "walk_path.py", page],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src")},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder / "runs" / "path", done.stdout


def free_port():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return str(listening.getsockname()[1])


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_regimes_are_what_the_verifier_says(walked):
    folder, _ = walked
    verified = lines(folder / "regimes" / "verified.jsonl")
    right = {row["group"] for row in verified if row["verdict"] == 1}
    easy, hard, mixed = (
        {row["id"] for row in lines(folder / "regimes" / "trl" / f"{name}_train.jsonl")}
        for name in ("easy", "hard", "mixed")
    )
    assert easy and easy <= right
    assert hard and not hard & right
    assert mixed <= easy | hard and mixed & easy and mixed & hard


def test_the_cold_start_is_correct(walked):
    folder, _ = walked
    answers = {row["prompt"]: row["answer"] for row in lines(folder / "problems.jsonl")}
    samples = lines(folder / "cold_start" / "trl" / "train.jsonl")
    assert all(row["completion"].rpartition(" A ")[2].strip() == answers[row["prompt"]] for row in samples)


def test_the_judge_knows_more_right_answers_than_the_verifier(walked):
    folder, _ = walked
    results = [json.loads(path.read_text()) for path in folder.glob("eval/**/result.json")]
    assert len(results) == 6
    for result in results:
        assert (result["benchmarks"]["easy"]["counts"], result["benchmarks"]["hard"]["counts"]) == ("verifier", "judge")
        found = result["benchmarks"]["hard"]["agreement"]
        assert found["only_verifier"] == 0, "the oracle calls what the exact verifier accepts right"
        assert result["benchmarks"]["hard"]["unscored"] == 0
    assert sum(result["benchmarks"]["hard"]["agreement"]["only_judge"] for result in results) > 0


def test_the_table_has_every_method(walked):
    folder, said = walked
    assert [line.split("|")[1].strip() for line in (folder / "table.md").read_text().splitlines()[2:6]] == [
        *["HERO", "verifier only", "SFT", "base"]
    ]
    assert "sign-flip test" in said and "Training steps: HERO 30, verifier only 30" in said
    assert (folder / "table.tex").read_text().count(r"\\") > 8
    assert "training step" in (folder / "curves.svg").read_text()
    assert (folder / "curves-dark.svg").is_file()
