"""The page on trust by domain says what its table says, type by type."""

import json
from pathlib import Path

import hero_lab
from hero_lab.arena.arms import ArmSettings
from hero_lab.arena.evaluation import held_out_problems
from hero_lab.cli import main
from hero_lab.study import cells_of
from hero_lab.study.table import read_table, write_table

GAIN = {"HERO": {"S": -0.2, "F": 0.1, "/": 0.1}, "gated HERO, by type": {"S": 0.0, "F": 0.1, "/": 0.1}}


def finished(cell):
    """A cell whose accuracy is 0.5 and what the rule adds on each type."""
    arm, gain = cell.arm, GAIN.get(cell.name, {})
    asked = {kind: held_out_problems(kind, arm.split, arm.prompts, arm.evaluation_seed) for kind in ("easy", "hard")}
    accuracy = {kind: [0.5 + gain.get(one.type, 0.0) for one in problems] for kind, problems in asked.items()}
    trusts = {"trust": 0.4, "trust S": 0.0, "trust F": 0.9, "trust /": 0.8} if cell.by_type else {}
    return {
        "cell": json.loads(cell.model_dump_json()),
        "id": cell.id,
        "seconds": 60.0,
        "accuracy": {kind: {"sampled": values, "greedy": values} for kind, values in accuracy.items()},
        "steps": [{"step": step, **trusts} for step in range(1, 101)],
    }


def test_differences_are_by_type_and_from_the_verifier_alone(tmp_path):
    cells = cells_of(["domains"], first_seed=7, seeds=3, arm=ArmSettings(split="report", prompts=40))
    assert len(cells) == 12
    write_table([finished(cell) for cell in cells], tmp_path / "t.parquet")
    assert set(read_table(tmp_path / "t.parquet")["kind"]) >= {"S", "F", "/", "M", "hard", "easy"}
    assert main(["study", "domains", str(tmp_path / "t.parquet"), "--out", str(tmp_path)]) == 0
    page = (tmp_path / "domains.md").read_text()
    rows = {
        line.split("|")[1].strip(): [cell.strip() for cell in line.split("|")[2:-1]]
        for line in page.splitlines()[::-1]
        if line.startswith("| ")
    }
    assert rows["HERO"][0] == "3" and rows["HERO"][6:9] == [
        "-20.0 ± 0.0 (0/3)",
        "+10.0 ± 0.0 (3/3)",
        "+10.0 ± 0.0 (3/3)",
    ]
    assert rows["gated HERO, by type"][6].startswith("+0.0") and rows["gated HERO, by type"][7].startswith("+10.0")
    assert "| gated HERO, by type | 0.40 | 0.00 | 0.90 | 0.80 |" in page
    assert (tmp_path / "domains.parquet").is_file()


def test_the_committed_page_is_what_its_command_makes_of_the_committed_table(tmp_path):
    science = Path(hero_lab.__file__).parents[2] / "docs/science"
    notes = ["--notes", str(science / "domains_notes.md")]
    assert main(["study", "domains", str(science / "domains.parquet"), "--out", str(tmp_path), *notes]) == 0
    for name in ("domains.md", "domains.parquet"):
        assert (tmp_path / name).read_bytes() == (science / name).read_bytes()
