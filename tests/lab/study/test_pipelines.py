"""Tables of several machines: a seed is one pipeline only where it made the same models."""

import json

import pytest

from hero_lab.arena.arms import ArmSettings
from hero_lab.cli import main
from hero_lab.study import cells_of
from hero_lab.study.alarms import watched
from hero_lab.study.bench import bench_page
from hero_lab.study.pipelines import join_tables
from hero_lab.study.table import read_table, write_frame, write_table
from hero_rl.errors import DataError


def finished(cell, accuracy, begins, ranks=0.7):
    return {
        "cell": json.loads(cell.model_dump_json()),
        "id": cell.id,
        "seconds": 60.0,
        "accuracy": {kind: {"sampled": [accuracy] * 400, "greedy": [1.0] * 400} for kind in ("easy", "hard")},
        "curve": [{"step": 0, "easy": 0.3, "hard": begins}, {"step": 20, "easy": 0.4, "hard": 0.5}],
        "ranks": {"before": {"mixed": ranks}, "after": {"mixed": accuracy}},
        "steps": [{"step": 1, "trust": 0.5, "alarm ranking": float(accuracy < 0.4)}],
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
    assert "1000 is seed 0 on another machine" in page
    assert f"{2 * len(cells_of(['bench'], seeds=1))} cells of" in page and "of its seed (pipelines 0, 1000)" in page
    first, second = page.split("### Pipeline ")[1:]
    assert "| HERO | +10.0 |" in first and "| HERO | -20.0 |" in second
    assert bench_page(read_table(out / "bench.parquet")) == page
    assert "another machine" not in bench_page(read_table(here))
    runs = watched(read_table(out / "bench.parquet"))
    assert {run.seed for run in runs} == {0, 1000}
    assert {run.seed for run in runs if run.on["ranking"] is not None} == {1000}


def test_cells_of_two_machines_in_one_table_are_refused(tmp_path, capsys):
    cells = cells_of(["bench"], seeds=1, arm=ArmSettings(split="report"))
    mixed = tmp_path / "mixed.parquet"
    write_table([finished(cell, 0.5, 0.1 + 0.05 * (cell.name == "HERO")) for cell in cells], mixed)
    with pytest.raises(
        DataError, match=r"mixed.parquet: seed 0 begins with different models: curve hard is 0.1000 in .*"
    ):
        read_table(mixed)
    assert main(["study", "bench", str(mixed)]) == 2
    assert "--also" in capsys.readouterr().err


def test_reward_models_tell_machines_apart_where_policies_do_not(tmp_path):
    cells = cells_of(["bench"], seeds=1, arm=ArmSettings(split="report"))
    paths = tmp_path / "a.parquet", tmp_path / "b.parquet"
    for path, ranks in zip(paths, (0.7, 0.8), strict=True):
        write_table([finished(cell, 0.5, 0.1, ranks) for cell in cells], path)
    frame = join_tables([(path, read_table(path)) for path in paths])
    assert set(frame["seed"]) == {0, 1000}
    write_table([finished(cell, 0.5, 0.1, 0.7 + 0.1 * (cell.name == "HERO")) for cell in cells], paths[0])
    with pytest.raises(DataError, match="rank mixed"):
        read_table(paths[0])


@pytest.mark.parametrize(("begins", "pipelines"), [(0.2, {0, 1000}), (0.1, {0})])
def test_development_and_report_are_of_one_pipeline_only_if_they_began_likewise(begins, pipelines, tmp_path):
    parts = []
    for split, own in (("report", 0.1), ("development", begins)):
        cells = cells_of(["bench"], seeds=1, arm=ArmSettings(split=split))
        write_table([finished(cell, 0.5, own) for cell in cells], tmp_path / f"{split}.parquet")
        parts.append((tmp_path / f"{split}.parquet", read_table(tmp_path / f"{split}.parquet")))
    assert set(join_tables(parts)["seed"]) == pipelines


def test_other_prompts_of_a_split_are_refused(tmp_path):
    parts = []
    for name, seed, part in (("a", 0, "bench"), ("b", 1, "papers")):
        cells = cells_of([part], seeds=1, arm=ArmSettings(split="report", evaluation_seed=seed))
        write_table([finished(cell, 0.5, 0.1) for cell in cells], tmp_path / f"{name}.parquet")
        parts.append((tmp_path / f"{name}.parquet", read_table(tmp_path / f"{name}.parquet")))
    with pytest.raises(DataError, match=r"b.parquet: .* differs in evaluation_seed from"):
        join_tables(parts)


def test_a_table_that_was_joined_before_keeps_its_pipelines(tmp_path):
    here = table(tmp_path / "a.parquet", ["bench"], {0: 0.15}, seeds=1)
    there = table(tmp_path / "b.parquet", ["bench"], {0: 0.25}, seeds=1)
    later = table(tmp_path / "c.parquet", ["papers"], {0: 0.25}, seeds=1)
    both = join_tables([(path, read_table(path)) for path in (here, there)])
    write_frame(both, tmp_path / "both.parquet")
    known = (tmp_path / "both.parquet", read_table(tmp_path / "both.parquet"))
    first = join_tables([known, (later, read_table(later))])
    assert set(first.loc[first["rule"] == "PAPO", "seed"]) == {1000}
    with pytest.raises(DataError, match="is in another of the tables too"):
        join_tables([known, (there, read_table(there))])
    with pytest.raises(DataError, match="is in another of the tables too"):
        join_tables([(later, read_table(later)), known, (there, read_table(there))])
    turned = join_tables([(later, read_table(later)), known])
    assert turned.groupby("seed")["cell"].nunique().to_dict() == {
        0: first.loc[first["seed"] == 1000, "cell"].nunique(),
        1000: first.loc[first["seed"] == 0, "cell"].nunique(),
    }


def test_what_does_not_belong_together_is_refused(tmp_path):
    here = table(tmp_path / "a.parquet", ["bench"], {0: 0.15}, seeds=1)
    longer = table(tmp_path / "b.parquet", ["papers"], {0: 0.15}, seeds=1, steps=300)
    known = (here, read_table(here))
    with pytest.raises(DataError, match=r"a.parquet: .* is in another of the tables too"):
        join_tables([known, known])
    with pytest.raises(DataError, match=r"b.parquet: .* differs in steps from"):
        join_tables([known, (longer, read_table(longer))])
    silent = read_table(here)
    silent = silent.loc[silent["measure"] != "curve"]
    with pytest.raises(DataError, match=r"a.parquet: seed 0 has no learning curve"):
        join_tables([known, (here, silent)])
