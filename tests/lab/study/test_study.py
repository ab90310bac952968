"""The study: cells that run, resume and fail as they should, and tables that say what the cells say."""

import json
import math
import re
import signal
import subprocess
import sys
import time

import pytest
import torch
from filelock import FileLock
from scipy.stats import t as student

from hero_lab.arena.arms import ArmSettings
from hero_lab.cli import main
from hero_lab.study import PARTS, RULES, cells_of
from hero_lab.study.cell import CELL_FILE
from hero_lab.study.estimates import Selection, gap_of, mean_of
from hero_lab.study.page import study_page, write_page
from hero_lab.study.qualities import QUALITIES, arena_of
from hero_lab.study.table import COLUMNS, read_table, rows_of, write_table
from hero_rl.errors import DataError


def finished(cell, accuracy, steps=(1, 11)):
    """A cell's result with made-up numbers."""
    return {
        "cell": json.loads(cell.model_dump_json()),
        "id": cell.id,
        "seconds": 60.0,
        "accuracy": {kind: {"sampled": [accuracy] * 400, "greedy": [1.0, 0.0] * 200} for kind in ("easy", "hard")},
        "ranks": {
            when: {"verifier_mixed": 0.9, "mixed": 0.8, "uniform": math.nan, "share_uniform": 0.7}
            for when in ("before", "after")
        },
        "curve": [{"step": 0, "easy": 0.3, "hard": 0.1}, {"step": 20, "easy": 0.3, "hard": 0.1 * accuracy}],
        "steps": [{"step": step, "rm_auroc": 0.9, "trust": 0.5} for step in range(*steps)],
    }


@pytest.fixture
def results():
    """HERO ahead of the verifier alone by 0.05, 0.06 and 0.07; everything else level with it."""
    cells = cells_of(("main", "quality", "ablations", "two-faced"), seeds=3)
    return [finished(cell, 0.5 + (0.05 + 0.01 * cell.seed) * (cell.name == "HERO")) for cell in cells]


@pytest.fixture
def frame(results, tmp_path):
    write_table(results, tmp_path / "study.parquet")
    return read_table(tmp_path / "study.parquet")


def test_every_cell_comes_once_and_seed_by_seed():
    cells = cells_of(PARTS, seeds=5)
    assert len({cell.id for cell in cells}) == len(cells)
    assert [cell.seed for cell in cells] == sorted(cell.seed for cell in cells)
    assert {cell.name for cell in cells} <= {*RULES, "start"}


def test_more_seeds_or_parts_leave_the_other_cells_as_they_are():
    few, many = cells_of(["quality"], seeds=2), cells_of(["main", "quality"], seeds=4)
    assert {cell.id for cell in few} <= {cell.id for cell in many}


def test_cells_that_differ_in_anything_have_folders_of_their_own():
    (first, *_), (second, *_) = cells_of(["main"], seeds=1), cells_of(["main"], seeds=1, arm=ArmSettings(steps=5))
    assert first.id != second.id


def test_every_quality_of_a_seed_judges_the_same_policy():
    policies = {arena_of(quality, 3).policy.model_dump_json() for quality in QUALITIES}
    models = {arena_of(quality, 3).reward_model.model_dump_json() for quality in QUALITIES}
    assert len(policies) == 1
    assert len(models) == len(QUALITIES)


def test_the_table_holds_every_number_with_its_configuration(results, frame):
    assert list(frame.columns) == list(COLUMNS)
    rows = list(rows_of(results[1]))
    assert {row["measure"] for row in rows} >= {"sampled", "greedy", "curve", "trust", "rank mixed"}
    assert not any(row["measure"] == "rank uniform" for row in rows)  # NaN is no number
    config = json.loads(frame["config"].iloc[0])
    assert config == {"cell": results[0]["cell"], "train": None, "environment": None}


def test_followed_metrics_are_means_over_ten_steps():
    (cell, *_) = cells_of(["quality"], seeds=1)
    rows = [row for row in rows_of(finished(cell, 0.5, steps=(1, 16))) if row["measure"] == "trust"]
    assert [(row["step"], row["value"]) for row in rows] == [(10, 0.5), (15, 0.5)]


def test_gaps_are_paired_by_seed(frame):
    gap = gap_of(frame, Selection("HERO"), Selection("verifier only"), "sampled", "hard")
    assert gap is not None
    values = torch.tensor([0.05, 0.06, 0.07], dtype=torch.float64)
    assert gap.estimate.mean == pytest.approx(0.06)
    assert gap.estimate.half_width == pytest.approx(student.ppf(0.975, 2) * values.std().item() / 3**0.5)
    assert (gap.won, gap.seeds) == (3, 3)
    assert gap.p == pytest.approx(2 * student.sf(0.06 / (values.std().item() / 3**0.5), 2))
    assert gap_of(frame, Selection("GDPO"), Selection("nothing"), "sampled", "hard") is None


def test_means_are_of_the_last_step(frame):
    estimate = mean_of(frame, Selection("HERO"), "curve", "hard")
    assert estimate is not None
    assert estimate.mean == pytest.approx(0.056)


def test_the_page_has_a_table_for_every_part_and_says_who_is_ahead(frame, tmp_path):
    written = write_page(frame, tmp_path, notes="## Read this\n\nAs one reads it.")
    page = written[0].read_text()
    for title in ("Read this", "Rules and regimes", "graded quality", "reward models rank", "Ablations", "two faces"):
        assert title in page
    row = next(line for line in page.splitlines() if line.startswith("| HERO |"))
    assert "+6.0 ± 2.5 (3/3)" in row
    for path in written[1:]:
        assert path.read_text().startswith("<?xml")
        assert path.name in page
    assert len(written) == 7
    assert "| before RL | 50.0" in page


def test_a_collapsed_policy_has_no_rank_after_rl(results, tmp_path):
    """What was before RL is not shown as what was after it, and a mean over some seeds says so."""
    for result in results:
        cell = result["cell"]
        if cell["quality"] == "inverted":
            result["ranks"]["before"]["mixed"] = 0.1
        if (cell["name"], cell["quality"]) == ("HERO", "inverted"):
            result["ranks"]["after"] = {"verifier_mixed": 0.2 if cell["seed"] else math.nan, "mixed": math.nan}
    write_table(results, tmp_path / "study.parquet")
    page = study_page(read_table(tmp_path / "study.parquet"))
    before, after = (line for line in page.splitlines() if re.match(r"\| inverted \| (before RL|after HERO) ", line))
    assert before == "| inverted | before RL | 0.90 | 0.10 | - |"
    assert after == "| inverted | after HERO | 0.20 (2/3) | - | - |"


def test_what_stands_up_to_the_correction_is_marked_and_nothing_else(results, tmp_path):
    for result in results:
        if result["cell"]["name"] == "RM only":
            for kind in ("easy", "hard"):
                result["accuracy"][kind]["sampled"] = [0.8 + 0.001 * result["cell"]["seed"]] * 400
    write_table(results, tmp_path / "study.parquet")
    page = study_page(read_table(tmp_path / "study.parquet"))
    rules = page[page.index("## Rules and regimes") : page.index("## Can it hurt?")]
    marked = {line.split("|")[1].strip() for line in rules.splitlines() if "\\*" in line and line.startswith("|")}
    assert marked == {"RM only"}


def test_the_same_table_gives_the_same_bytes(frame, tmp_path):
    first = [path.read_bytes() for path in write_page(frame, tmp_path)]
    assert first == [path.read_bytes() for path in write_page(frame, tmp_path)]


def test_a_part_that_was_not_run_is_left_out(results, tmp_path):
    main_only = [result for result in results if result["cell"]["quality"] == "strong"]
    write_table(main_only, tmp_path / "study.parquet")
    page = study_page(read_table(tmp_path / "study.parquet"))
    assert "Rules and regimes" in page
    assert "two faces" not in page


def test_what_is_no_table_is_refused_by_name(tmp_path):
    (tmp_path / "other.parquet").write_text("no parquet")
    with pytest.raises(DataError, match=r"other\.parquet"):
        read_table(tmp_path / "other.parquet")
    with pytest.raises(DataError, match=r"missing\.parquet"):
        read_table(tmp_path / "missing.parquet")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Arguments of a study of four cells, and its folder."""
    folder = tmp_path_factory.mktemp("study")
    arguments = ["study", "run", "--tiny", "--parts", "two-faced", "--seeds", "1"]
    return [*arguments, "--out", str(folder / "out"), "--cache", str(folder / "cache")], folder / "out"


def test_a_study_that_was_killed_goes_on_where_it_was(tiny, capfd):
    arguments, out = tiny
    process = subprocess.Popen([sys.executable, "-m", "hero_lab", *arguments], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 200
    while not list(out.glob(f"cells/*/{CELL_FILE}")) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = {path: path.stat().st_mtime_ns for path in out.glob(f"cells/*/{CELL_FILE}")}
    assert main([*arguments, "--json"]) == 0
    assert {path: path.stat().st_mtime_ns for path in done} == done
    written = json.loads(capfd.readouterr().out.splitlines()[-1])
    frame = read_table(written["table"])
    assert set(frame["rule"]) == {"verifier only", "HERO", "gated HERO"}
    assert set(frame["blind_types"]) == {"S"}
    assert set(frame["measure"]) >= {"sampled", "greedy", "curve", "trust"}
    config = json.loads(frame["config"][frame["rule"] == "HERO"].iloc[0])
    assert config["train"]["rule"] == config["cell"]["rule"]
    assert config["train"]["trl"]["max_steps"] == config["cell"]["arm"]["steps"] == 3
    assert "torch" in config["environment"]["versions"]


def test_a_finished_study_runs_nothing_again_and_reports(tiny, capfd):
    arguments, out = tiny
    before = {path: path.stat().st_mtime_ns for path in out.glob(f"cells/*/{CELL_FILE}")}
    assert main(arguments) == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert main(["study", "report", str(out / "study.parquet")]) == 0
    assert "two faces" in (out / "study.md").read_text()


def test_a_cell_that_fails_stops_no_other_and_the_table_has_the_rest(tiny, tmp_path, capfd):
    arguments, out = tiny
    assert main(arguments) == 0
    (hero,) = out.glob("cells/HERO-*")
    (tmp_path / "cells").mkdir()
    (tmp_path / "cells" / hero.name).write_text("in the way of its folder")
    assert main([*arguments, "--out", str(tmp_path)]) == 1
    said = capfd.readouterr().err
    assert f"{hero.name}: " in said
    assert "2 finished cells" in said
    assert set(read_table(tmp_path / "study.parquet")["rule"]) == {"verifier only", "gated HERO"}


def test_two_studies_do_not_share_a_folder(tmp_path, capfd):
    (tmp_path / "cells").mkdir()
    with FileLock(tmp_path / "cells" / ".lock"):
        assert main(["study", "run", "--tiny", "--out", str(tmp_path)]) == 2
    assert "another process is writing there" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--parts", "mian"], "mian"),
        (["run", "--parts"], "no part"),
        (["report"], "which table"),
        (["report", "nowhere.parquet"], "nowhere.parquet"),
        (["run", "--rule.alpha", "1"], "--rule.alpha"),
    ],
)
def test_wrong_arguments_are_named(arguments, message, capfd):
    assert main(["study", *arguments]) in (1, 2)
    assert message in capfd.readouterr().err
