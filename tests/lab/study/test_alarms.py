"""The alarms against the truth: a run's steps, what they add up to, and the guide that says so."""

import json
from pathlib import Path

import pytest

import hero_lab
from hero_lab.arena.arms import ArmSettings
from hero_lab.cli import main
from hero_lab.study import cells_of
from hero_lab.study.alarms import alarm_table, watched
from hero_lab.study.table import read_table, write_table

DOCS = Path(hero_lab.__file__).parents[2] / "docs"
ALONE = [0.1, 0.3, 0.5, 0.6, 0.7]  # at steps 0, 10, 20, 30, 40


def finished(cell, curve, alarms):
    """A cell whose alarm is on from the step that `alarms` has for it."""
    steps = [{"step": n, **{f"alarm {a}": float(n >= on) for a, on in alarms.items()}} for n in range(1, 41)]
    return {
        "cell": json.loads(cell.model_dump_json()),
        "id": cell.id,
        "seconds": 1.0,
        "accuracy": {},
        "curve": [{"step": 10 * n, "hard": value, "easy": 0.0} for n, value in enumerate(curve)],
        "steps": steps,
    }


@pytest.fixture
def table(tmp_path):
    """Writes the cells of some (reward model, rule): (curve, alarms)."""

    def made(runs):
        arm = ArmSettings(split="report", steps=40)
        cells = {(cell.quality, cell.name): cell for cell in cells_of(["bench"], seeds=1, arm=arm)}
        off = {"hacking": 99, "ranking": 99, "range": 99}
        alone = {("strong", "verifier only"): (ALONE, {})}
        results = [finished(cells[key], curve, off | alarms) for key, (curve, alarms) in (alone | runs).items()]
        write_table(results, tmp_path / "t.parquet")
        return tmp_path / "t.parquet"

    return made


def test_steps_of_alarm_turn_and_falling_behind(table):
    path = table(
        {
            ("drifting", "HERO"): ([0.1, 0.4, 0.6, 0.6, 0.2], {"ranking": 15, "hacking": 38}),
            ("strong", "HERO"): ([0.1, 0.2, 0.5, 0.56, 0.66], {}),
            ("strong", "gated HERO"): ([0.1, 0.2, 0.5, 0.58, 0.69], {"range": 3}),
        }
    )
    runs = {(run.quality, run.rule): run for run in watched(read_table(path))}
    hacked = runs["drifting", "HERO"]
    assert hacked.on == {"hacking": 40, "ranking": 20, "range": None}
    assert (hacked.turned, hacked.behind) == (20, 40)
    assert (runs["strong", "HERO"].turned, runs["strong", "HERO"].behind) == (None, 30), "not 10: it caught up at 20"
    assert (runs["strong", "gated HERO"].turned, runs["strong", "gated HERO"].behind) == (None, None)
    rows = [[one.strip() for one in line.strip("|").split("|")] for line in alarm_table([*runs.values()]).splitlines()]
    said = {kind: worth for kind, *worth in rows[2:]}
    assert said["accuracy turns (1)"] == ["in 1, 20 steps after", "in 1, 0 steps before", "never"]
    assert said["falls behind the verifier alone, and does not turn (1)"] == ["never", "never", "never"]
    assert said["the reward model goes bad, and the run holds (0)"] == ["", "", ""]
    assert said["nothing goes wrong (2)"] == ["never", "never", "in 1, step 10"]


def test_a_run_without_the_verifier_alone_beside_it_is_never_behind(table):
    path = table({("two-faced", "HERO"): ([0.1, 0.1, 0.1, 0.1, 0.1], {})})
    assert {run.rule: run.behind for run in watched(read_table(path))} == {"verifier only": None, "HERO": None}


def test_a_table_without_alarms_says_so(capfd):
    assert main(["study", "alarms", str(DOCS / "science/study.parquet")]) == 2
    assert "keeps no alarms" in capfd.readouterr().err


def test_the_guide_has_what_its_command_prints(capsys):
    assert main(["study", "alarms", str(DOCS / "science/bench.parquet")]) == 0
    printed = capsys.readouterr().out
    assert printed.count("\n") == 6
    assert printed in (DOCS / "guides/watching.md").read_text()
