"""The rollouts of a real model are what the guide to diagnosing says of them."""

import json
import re
from pathlib import Path

from hero_lab.cli import main
from hero_lab.words.oracle import by_value

ROOT = Path(__file__).parents[2]
FILE = ROOT / "examples" / "smollm2_rollouts.jsonl"
PAGE = (ROOT / "docs" / "guides" / "diagnose.md").read_text()


def pattern(text: str) -> str:
    """A problem without its numbers and names."""
    return re.sub(r"\b[A-Z][a-z]+\b|\d+", "x", text)


def test_labels_are_the_oracle_s():
    rows = [json.loads(line) for line in FILE.read_text().splitlines()]
    for row in rows:
        assert row["label"] == by_value(row["reference"].split()[0], row["completion"]), row
    right = [row for row in rows if row["label"]]
    rejected = [row for row in right if not row["verdict"]]
    assert f"rejected {len(rejected)} of {len(right)} right answers" in PAGE
    assert not [row for row in rows if row["verdict"] > row["label"]]
    quoted = re.findall(r'"([^"]+)" for `([^`]+)`', PAGE)
    assert len(quoted) == 2
    for answer, reference in quoted:
        assert [
            row
            for row in rejected
            if (row["completion"].split("answer is ")[1], row["reference"]) == (answer, reference)
        ]


def test_problems_are_a_few_patterns():
    groups: dict[str, list[dict]] = {}
    for line in FILE.read_text().splitlines():
        groups.setdefault((row := json.loads(line))["group"], []).append(row)
    patterns = [pattern(rows[0]["prompt"]) for rows in groups.values()]
    assert {patterns.count(one) for one in patterns} == {4}
    assert f"{len(patterns)} word problems of ours" in PAGE and f"{len(set(patterns))} patterns with four sets" in PAGE
    mixed = {name: rows for name, rows in groups.items() if 0 < sum(row["verdict"] for row in rows) < len(rows)}
    few = {pattern(rows[0]["prompt"]) for rows in mixed.values()}
    assert f"{len(mixed)} mixed groups of only {len(few)} patterns" in PAGE


def test_the_diagnosis_takes_the_labels(capsys):
    assert main(["diagnose", str(FILE), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["source"]["labels_from"] == "column label"
    assert f"AUROC of {found['ranking']['mean']['value']:.2f} here" in PAGE
