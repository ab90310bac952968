"""Tables of several machines: a seed is one pipeline only where it made one policy."""

import json

import pytest

from hero_lab.arena.arms import ArmSettings
from hero_lab.cli import main
from hero_lab.study import cells_of
from hero_lab.study.bench import bench_page
from hero_lab.study.pipelines import join_tables
from hero_lab.study.table import read_table, write_table
from hero_rl.errors import DataError


def finished(cell, accuracy, begins):
    return {
        "cell": json.loads(cell.model_dump_json()),
        "id": cell.id,
        "seconds": 60.0,
        "accuracy": {kind: {"sampled": [accuracy] * 400, "greedy": [1.0] * 400} for kind in ("easy", "hard")},
        "curve": [{"step": 0, "easy": 0.3, "hard": begins}, {"step": 20, "easy": 0.4, "hard": 0.5}],
        "steps": [],
    }


def table(path, parts, begins, *, gain=0.0, seeds=2, steps=200):
    """Cells that are right half of the time, all but the verifier alone by `gain` more; `begins` by seed."""
    cells = cells_of(parts, seeds=seeds, arm=ArmSettings(split="report", steps=steps))
    path.parent.mkdir(exist_ok=True)
    results = [finished(c, 0.5 + gain * (c.name != "verifier only"), begins[c.seed]) for c in cells]
    write_table(results, path)
    return path


def test_a_seed_that_begins_likewise_goes_on_and_another_is_a_pipeline_of_its_own(tmp_path):
    here = table(tmp_path / "a.parquet", ["bench"], {0: 0.15, 1: 0.25})
    there = table(tmp_path / "b.parquet", ["papers"], {0: 0.15, 1: 0.2})
    third = table(tmp_path / "c.parquet", ["papers"], {0: 0.2, 1: 0.3})
    frame = join_tables([(path, read_table(path)) for path in (here, there, third)])
    assert set(frame["seed"]) == {0, 1, 1001, 1000, 2001}
    seeds = frame.groupby("rule", observed=True)["seed"].unique()
    assert set(seeds["HERO"]) == {0, 1} and set(seeds["PAPO"]) == {0, 1001, 1000, 2001}
    configs = frame.loc[frame["seed"] == 2001, "config"]
    assert {json.loads(config)["cell"]["seed"] for config in configs} == {1}  # what ran is still said


def test_the_page_of_both_pairs_within_a_machine(tmp_path):
    here = table(tmp_path / "a.parquet", ["bench"], {0: 0.15}, gain=0.1, seeds=1)
    there = table(tmp_path / "b.parquet", ["bench"], {0: 0.25}, gain=-0.2, seeds=1)
    out = tmp_path / "page"
    assert main(["study", "bench", str(here), "--also", str(there), "--out", str(out)]) == 0
    page = (out / "bench.md").read_text()
    assert "1000 is seed 0, run again on another processor" in page
    first, second = page.split("### Seed ")[1:]
    assert "| HERO | +10.0 |" in first and "| HERO | -20.0 |" in second
    assert bench_page(read_table(out / "bench.parquet")) == page
    assert "run again" not in bench_page(read_table(here))


def test_cells_of_two_machines_in_one_table_are_refused(tmp_path, capsys):
    cells = cells_of(["bench"], seeds=1, arm=ArmSettings(split="report"))
    mixed = tmp_path / "mixed.parquet"
    write_table([finished(cell, 0.5, 0.1 + 0.05 * (cell.name == "HERO")) for cell in cells], mixed)
    with pytest.raises(DataError, match=r"mixed.parquet: seed 0 begins with different policies, right on 10.0% in .*"):
        read_table(mixed)
    assert main(["study", "bench", str(mixed)]) == 2
    assert "--also" in capsys.readouterr().err


def test_what_does_not_belong_together_is_refused(tmp_path):
    here = table(tmp_path / "a.parquet", ["bench"], {0: 0.15}, seeds=1)
    longer = table(tmp_path / "b.parquet", ["papers"], {0: 0.15}, seeds=1, steps=300)
    known = (here, read_table(here))
    with pytest.raises(DataError, match=r"a.parquet: .* is in another of the tables too"):
        join_tables([known, known])
    with pytest.raises(DataError, match=r"b.parquet: .* has other settings"):
        join_tables([known, (longer, read_table(longer))])
    silent = read_table(here)
    silent = silent.loc[silent["measure"] != "curve"]
    with pytest.raises(DataError, match=r"a.parquet: seed 0 has no learning curve"):
        join_tables([known, (here, silent)])
