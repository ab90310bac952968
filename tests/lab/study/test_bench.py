"""The bench: its page says what its table says, and what one pipeline cannot tell it does not tell."""

import json
import re
from pathlib import Path

import pytest

import hero_lab
from hero_lab.arena.arms import ArmSettings
from hero_lab.cli import main
from hero_lab.study import RULES, cells_of
from hero_lab.study.bench import bench_page, difference, write_bench, write_headroom
from hero_lab.study.estimates import Selection
from hero_lab.study.plan import AUDITORS, BY_TYPE
from hero_lab.study.table import read_table, write_table
from hero_rl.rules import AuditedHero

DOCS = Path(hero_lab.__file__).parents[2] / "docs/science"


def finished(cell, accuracy):
    audited = {"audit_calls": 16.0} if cell.auditor else {}
    return {
        "cell": json.loads(cell.model_dump_json()),
        "id": cell.id,
        "seconds": 60.0,
        "accuracy": {kind: {"sampled": [accuracy] * 400, "greedy": [1.0] * 400} for kind in ("easy", "hard")},
        "steps": [{"step": 1, "trust": 0.5, **audited}],
    }


def table(seeds, path, names=tuple(RULES)):
    arm = ArmSettings(split="report")
    cells = [cell for cell in cells_of(["bench"], seeds=seeds, arm=arm) if cell.name in names]
    gain = {"audited HERO": 0.05, "HERO": -0.3}
    write_table([finished(c, 0.5 + gain.get(c.name, 0) * (1 + 0.1 * c.seed)) for c in cells], path)
    return read_table(path)


def row_of(page, quality, rule):
    rows = [line for line in page.splitlines() if line.startswith(f"| {quality} | {rule} |")]
    assert len(rows) == 1
    return [cell.strip() for cell in rows[0].strip("|").split("|")]


def test_differences_are_from_the_verifier_alone_on_the_same_prompts(tmp_path):
    page = bench_page(table(3, tmp_path / "t.parquet"), "Read this.")
    assert "Read this." in page
    for quality in ("two-faced", "strong", "drifting", "inverted"):
        row = row_of(page, quality, "audited HERO")
        assert row[2:4] == ["3", "55.5 ± 1.2"]
        assert row[7].startswith("+5.5 ± 1.2 (3/3)")
        assert row[-1] == "6.2%"
        assert row_of(page, quality, "HERO")[-1] == "0"
        assert row_of(page, quality, "verifier only")[7] == ""


def test_rules_of_other_papers_stand_beside_ours_on_the_same_prompts(tmp_path):
    cells = cells_of(["bench", "papers"], seeds=2, arm=ArmSettings(split="report"))
    write_table([finished(c, 0.5 - 0.1 * (c.name == "PAPO")) for c in cells], tmp_path / "t.parquet")
    page = bench_page(read_table(tmp_path / "t.parquet"))
    for quality in ("two-faced", "strong", "weak", "inverted"):
        assert row_of(page, quality, "PAPO")[7].startswith("-10.0 ± 0.0 (0/2)")


def test_each_pipeline_is_compared_by_itself(tmp_path):
    cells = cells_of(["bench"], seeds=2, arm=ArmSettings(split="report"))
    cells += [cell for cell in cells_of(["papers"], seeds=1, arm=ArmSettings(split="report")) if cell.quality == "weak"]
    results = [finished(c, 0.5 - 0.1 * (c.seed + 1) * (c.name in ("PAPO", "HERO"))) for c in cells]
    write_table(results, tmp_path / "t.parquet")
    page = bench_page(read_table(tmp_path / "t.parquet"))
    first, second = page.split("### Pipeline ")[1:]
    assert "| HERO | -10.0 | -10.0 | -10.0 | -10.0 | -10.0 | -10.0 | -10.0 | -10.0 |" in first
    assert "| HERO | -20.0 | -20.0 | -20.0 | -20.0 | -20.0 | -20.0 | -20.0 | -20.0 |" in second
    assert "| PAPO |  |  | -10.0 |  |  |  |  |  |" in first
    assert "| PAPO |" not in second


def test_each_reward_model_has_its_ranking_before_rl(tmp_path):
    cells = cells_of(["bench"], seeds=2, arm=ArmSettings(split="report"))
    before = {"verifier_mixed": 0.9, "mixed": 0.9, "uniform": 0.6, "share_uniform": 0.7}
    after = dict.fromkeys(before, 0.1)
    results = [finished(c, 0.5) | {"ranks": {"before": before, "after": after}} for c in cells]
    write_table(results, tmp_path / "t.parquet")
    page = bench_page(read_table(tmp_path / "t.parquet"))
    assert len(re.findall(r"^\| [\w-]+ \| .* \| 0\.90 \| 0\.60 \|$", page, re.M)) == 8
    assert "## The reward models" not in bench_page(table(1, tmp_path / "t.parquet"))


def test_what_the_weight_adds_is_the_rule_less_itself_without(tmp_path):
    cells = cells_of(["headroom"], seeds=2, arm=ArmSettings(split="report"))
    assert {cell.arena.policy.steps for cell in cells} == {350}
    write_table([finished(c, 0.5 - 0.02 * c.name.endswith("no weight")) for c in cells], tmp_path / "t.parquet")
    (page,) = write_headroom(read_table(tmp_path / "t.parquet"), tmp_path)
    assert "| strong | before RL | 2 | 50.0 ± 0.0 |" in page.read_text()
    for rule, regime in (("HERO", "hard"), ("HERO", "mixed"), ("gated HERO", "mixed")):
        assert f"| {rule} | {regime} | +2.0 ± 0.0 (2/2) | +2.0 ± 0.0 (2/2) |" in page.read_text()


def test_policies_of_two_kinds_do_not_share_a_table(capfd, tmp_path):
    assert main(["study", "run", "--tiny", "--parts", "main", "headroom", "--out", str(tmp_path)]) == 2
    assert "headroom" in capfd.readouterr().err


def test_one_pipeline_has_no_interval(tmp_path):
    row = row_of(bench_page(table(1, tmp_path / "t.parquet")), "strong", "audited HERO")
    assert (row[2], row[3], row[7]) == ("1", "55.0", "+5.0")


def test_what_was_not_run_is_not_there(tmp_path):
    page = bench_page(table(1, tmp_path / "t.parquet", ("verifier only", "audited HERO")))
    assert "| gated HERO |" not in page
    assert "development prompts" not in page


def test_who_is_audited_has_an_auditor_and_nobody_else():
    assert {name for name, rule in RULES.items() if isinstance(rule, AuditedHero)} == set(AUDITORS)
    for cell in cells_of(["bench"], seeds=1):
        assert (cell.auditor is not None) == isinstance(cell.rule, AuditedHero)
        assert cell.by_type == (cell.name in BY_TYPE)


def test_the_same_table_gives_the_same_bytes(tmp_path):
    frame = table(2, tmp_path / "t.parquet")
    first = [path.read_bytes() for path in write_bench(frame, tmp_path)]
    assert first == [path.read_bytes() for path in write_bench(frame, tmp_path)]


@pytest.mark.parametrize("what", ["bench", "headroom"])
def test_the_committed_page_is_what_its_command_makes_of_the_committed_table(what, tmp_path):
    notes = ["--notes", str(DOCS / f"{what}_notes.md")]
    assert main(["study", what, str(DOCS / f"{what}.parquet"), "--out", str(tmp_path), *notes]) == 0
    for name in (f"{what}.md", f"{what}.parquet"):
        assert (tmp_path / name).read_bytes() == (DOCS / name).read_bytes()


def test_what_the_guide_says_of_the_bench_is_what_the_table_says():
    page = bench_page(read_table(DOCS / "bench.parquet"))
    guide = (DOCS.parent / "guides/choosing.md").read_text()
    (section,) = re.findall(r"## Audits\n(.*?)(?=\n## )", guide, re.S)
    final = page[page.index("## On prompts that no choice") :].split("## On development")[0]
    said = re.findall(r"^\| (\S+) \| ([^|]+?) \| ([+-][^|]+?) \| ([+-][^|]+?) \|$", section, re.M)
    assert said
    for quality, rule, hard, easy in said:
        assert row_of(final, quality, rule)[7:9] == [hard, easy]


def test_what_the_guide_says_of_the_weight_is_what_the_tables_say(tmp_path):
    (page,) = write_headroom(read_table(DOCS / "headroom.parquet"), tmp_path)
    found = re.findall(r"^\| (?:HERO|gated HERO) \| (?:hard|mixed) \| (.*) \|$", page.read_text(), re.M)
    guide = (DOCS.parent / "guides/choosing.md").read_text()
    (section,) = re.findall(r"## The weight: .*?\n(.*?)(?=\n## )", guide, re.S)
    said = re.findall(r"^\|.*\| (?:HERO|gated HERO) \| ([+-].*) \|$", section, re.M)
    assert len(found) == 4 and sorted(said[1:]) == sorted(found)
    study = read_table(DOCS / "study.parquet")
    pair = Selection("HERO", "hard"), Selection("HERO, no weight", "hard")
    assert said[0] == " | ".join(difference(study, *pair, kind) for kind in ("hard", "easy"))


@pytest.mark.parametrize("what", ["report", "bench", "alarms"])
def test_a_page_needs_a_table(what, capfd):
    assert main(["study", what]) == 2
    assert f"{what}: which table" in capfd.readouterr().err
