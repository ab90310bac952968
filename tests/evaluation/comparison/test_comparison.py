"""The table from folders of evaluations: numbers, tests, words, and what is refused."""

import json

import numpy as np
import pytest
from evaluated import KINDS, PAPER, drawn, write_run

from hero_rl.errors import ConfigError, DataError
from hero_rl.evaluation.comparison import as_latex, as_markdown, compare, curves_of, draw_curves, read_runs
from hero_rl.evaluation.comparison.curves import write_curves
from hero_rl.evaluation.statistics import estimate, holm, paired_test, pass_at_k, stratified_estimate

SMALL = {"math500": ("easy", 60), "amc": ("easy", 30), "hardverify-math": ("hard", 40)}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A strong method at three steps, a weak one without a step."""
    folder = tmp_path_factory.mktemp("runs")
    for step in (10, 20, 30):
        skill = {"easy": step / 15, "hard": step / 15}
        write_run(
            folder / "hero" / str(step), "HERO", drawn(skill, seed=step, benchmarks=SMALL), kinds=KINDS, step=step
        )
    write_run(folder / "sft", "SFT", drawn({"easy": 0, "hard": 0}, seed=1, benchmarks=SMALL), kinds=KINDS)
    return folder


@pytest.fixture
def runs(folders):
    return read_runs([str(folders / "hero"), str(folders / "sft")])


def test_the_table_is_what_the_statistics_say(runs):
    found = compare(runs)
    assert [column.key for column in found.columns] == ["math500", "amc", "easy average", "hardverify-math"]
    assert [(row.name, row.run.step) for row in found.rows] == [("HERO", 30), ("SFT", None)]
    hero, sft = (
        {name: pass_at_k(list(row.run.benchmarks[name].verdicts.values()), 1) for name in SMALL} for row in found.rows
    )
    assert found.rows[0].cells[0].estimate == estimate(hero["math500"])
    assert found.rows[0].cells[2].estimate == stratified_estimate([hero["math500"], hero["amc"]])
    tests = [cell.test for cell in found.rows[1].cells]
    assert tests[3] == paired_test(sft["hardverify-math"], hero["hardverify-math"])
    assert [cell.p_value for cell in found.rows[1].cells] == holm([test.p_value for test in tests])
    assert (found.against, found.tests) == ("HERO", 4)
    assert all(cell.test is None for cell in found.rows[0].cells)


def test_problems_are_paired_by_id_in_whatever_order_they_lie(tmp_path):
    rows = {f"p{n}": [n % 2] for n in range(20)}
    turned = dict(reversed(rows.items()))
    places = [write_run(tmp_path / name, name, {"amc": verdicts}) for name, verdicts in (("a", rows), ("b", turned))]
    cell = compare(read_runs(map(str, places))).rows[1].cells[0]
    assert (cell.test.difference.low, cell.test.difference.high, cell.p_value) == (0, 0, 1)


def test_a_column_that_a_method_lacks_is_empty_and_so_is_its_average(tmp_path, folders):
    other = write_run(tmp_path / "x", "other", {"math500": drawn({"easy": 0, "hard": 0}, benchmarks=SMALL)["math500"]})
    found = compare(read_runs([str(folders / "sft"), str(other)]))
    assert [cell is None for cell in found.rows[1].cells] == [False, True, True, True]
    assert found.tests == 1


def test_unscored_responses_are_left_out_and_said(tmp_path):
    first = write_run(tmp_path / "a", "a", {"amc": {"p": [1, None], "q": [0, 0]}})
    second = write_run(tmp_path / "b", "b", {"amc": {"p": [1, 1], "q": [None, None]}})
    found = compare(read_runs([str(first), str(second)]))
    assert [row.cells[0].estimate.value for row in found.rows] == [0.5, 1]
    assert found.rows[1].cells[0].test.problems == 1
    assert any("a: responses without a verdict are left out, 1 of 4 in AMC" in note for note in found.notes)


def test_the_other_row_and_the_other_metric(runs, tmp_path):
    assert compare(runs, against="SFT").rows[0].cells[0].test is not None
    more = compare(runs, metric="pass@4").rows[0].cells[0].estimate.value
    assert more > compare(runs).rows[0].cells[0].estimate.value
    answers = {"amc": {"p": ["1", "1", "2"]}}
    voted = write_run(tmp_path / "v", "v", {"amc": {"p": [1, 1, 0]}}, answers=answers)
    assert compare(read_runs([str(voted)]), metric="maj@3").rows[0].cells[0].estimate.value == 1


@pytest.mark.parametrize("order", [1, -1])
def test_the_smaller_run_says_what_is_common_wherever_it_stands(tmp_path, order):
    first = write_run(tmp_path / "a", "a", {"amc": {"p": [1], "q": [0], "r": [0]}})
    second = write_run(tmp_path / "b", "b", {"amc": {"q": [1], "p": [1]}})
    found = compare(read_runs([str(first), str(second)][::order]), common=True)
    assert {row.name: row.cells[0].estimate.value for row in found.rows} == {"a": 0.5, "b": 1}


def test_only_common_problems_when_told(tmp_path):
    first = write_run(tmp_path / "a", "a", {"amc": {"p": [1], "q": [0], "r": [0]}})
    second = write_run(tmp_path / "b", "b", {"amc": {"q": [1], "p": [1]}})
    runs = read_runs([str(first), str(second)])
    with pytest.raises(DataError, match=r"amc: .* 2 in common, 1 in .*a alone and 0 in .*b alone .*'r'.*--common"):
        compare(runs)
    found = compare(runs, common=True)
    assert [row.cells[0].estimate.value for row in found.rows] == [0.5, 1]
    assert "AMC: on the 2 problems that all runs have, of 3." in found.notes


def test_where_all_are_level_none_is_highest(tmp_path):
    places = [write_run(tmp_path / name, name, {"amc": {"p": [1], "q": [0]}}) for name in "ab"]
    assert not any(row.cells[0].best for row in compare(read_runs(map(str, places))).rows)


def test_numbers_of_different_graders_are_not_compared(tmp_path):
    first = write_run(tmp_path / "a", "a", {"amc": {"p": [1]}})
    second = write_run(tmp_path / "b", "b", {"amc": {"p": [1]}}, graded_by="judge")
    with pytest.raises(DataError, match=r"amc was graded by the judge in .*b and by the verifier in .*a"):
        compare(read_runs([str(first), str(second)]))


def test_the_papers_rows_change_no_p_value(runs):
    plain, beside = compare(runs), compare(runs, paper="qwen3-4b/hard")
    assert [column.key for column in beside.columns][3:] == ["hardverify-math", "hard average"]
    assert beside.tests == plain.tests == 4
    cells = beside.rows[1].cells
    assert [cell.p_value for cell in cells[:4]] == [cell.p_value for cell in plain.rows[1].cells]
    assert cells[4].p_value == cells[3].p_value


def test_graders_of_other_settings_are_said(tmp_path):
    places = [write_run(tmp_path / name, name, {"amc": {"p": [1]}}) for name in "abc"]
    for place, grader in zip(places, ("verifier-1", "verifier-2", None), strict=True):
        in_result(lambda result, name=grader: result["benchmarks"]["amc"].update(grader=name))(place)
    runs = read_runs(map(str, places))
    assert "AMC was not graded alike: verifier-1 of a; verifier-2 of b; hero eval --rescore grades anew." in [
        *compare(runs).notes
    ]
    assert not any("alike" in note for note in compare([runs[0], runs[2]]).notes)


def test_problems_with_too_few_verdicts_are_said_and_no_number_at_all_is_refused(tmp_path):
    run = write_run(tmp_path / "a", "a", {"amc": {"p": [1, None], "q": [0, 0]}})
    notes = compare(read_runs([str(run)]), metric="pass@2").notes
    assert any("left out, and problems with fewer than 2 verdicts, 1 of 4 in AMC" in note for note in notes)
    with pytest.raises(ConfigError, match=r"--metric pass@3: no run has a number; there are 2 responses to a problem"):
        compare(read_runs([str(run)]), metric="pass@3")


def test_the_papers_rows_stand_below_untested(runs):
    found = compare(runs, paper="qwen3-4b/hard")
    theirs = {row.name: row for row in found.rows if row.run is None}
    easy, hard = (next(n for n, c in enumerate(found.columns) if c.key == f"{kind} average") for kind in KINDS_SHOWN)
    hero = theirs["HERO"].cells
    assert (hero[easy].estimate.value, hero[hard].estimate.value) == (0.568, 0.565)
    assert [n for n, cell in enumerate(hero) if cell is not None] == [easy, hard]
    assert hero[easy].test is None and not hero[easy].best
    with pytest.raises(ConfigError, match=r"no table 'x'; one of: qwen3-4b/easy"):
        compare(runs, paper="x")
    with pytest.raises(ConfigError, match="of pass@1, not of pass@4"):
        compare(runs, paper="qwen3-4b/easy", metric="pass@4")


KINDS_SHOWN = ("easy", "hard")


@pytest.mark.parametrize(("setting", "value"), [("metric", "pass@0"), ("metric", "best@2"), ("against", "nobody")])
def test_wrong_settings_are_named(runs, setting, value):
    with pytest.raises(ConfigError, match=f"--{setting}.*{value}"):
        compare(runs, **{setting: value})


# What lies in the folder


def broken(folder, change):
    write_run(folder, "a", {"amc": {"p": [1, 0], "q": [0, 0]}})
    change(folder)
    return folder


def in_result(change):
    def rewrite(folder):
        result = json.loads((folder / "result.json").read_text())
        change(result)
        (folder / "result.json").write_text(json.dumps(result))

    return rewrite


def as_lines(text):
    return lambda folder: (folder / "problems" / "amc.jsonl").write_text(text)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: (folder / "result.json").unlink(), r"result\.json: No such file.*when it is finished"),
        (lambda folder: (folder / "result.json").write_text("{"), r"result\.json: not valid JSON"),
        (in_result(lambda result: result.update(format=2)), r"result\.json: format: Input should be 1"),
        (in_result(lambda result: result["benchmarks"]["amc"].update(grader="a\x1b]0;")), r"benchmarks\.amc\.grader"),
        (in_result(lambda result: result.update(benchmarks={})), r"result\.json: benchmarks"),
        (in_result(lambda result: result["benchmarks"]["amc"].update(kind="?")), r"benchmarks\.amc\.kind"),
        (in_result(lambda result: result["benchmarks"].update({"../x": result["benchmarks"]["amc"]})), r"'\.\./x'"),
        (
            in_result(lambda result: result["benchmarks"]["amc"].update(problems=3)),
            "2 problems, and result.json says 3",
        ),
        (
            in_result(lambda result: result["benchmarks"]["amc"]["pass@1"].update(value=0.9)),
            r"pass@1 0\.25, and result\.json says 0\.9",
        ),
        (as_lines('{"id": "p", "samples": [1]}\n{"id": "p", "samples": [1]}\n'), r"amc\.jsonl:2: .*'p' is there twice"),
        (as_lines('{"id": "p", "samples": [2]}\n'), r"amc\.jsonl:1: 'samples' must be a list of 0, 1 and null"),
        (as_lines('{"samples": [1]}\n'), r"amc\.jsonl:1: 'id' must be text"),
        (as_lines('{"id": "p", "samples": [1], "answers": [1, 2]}\n'), r"amc\.jsonl:1: 'answers'"),
        (as_lines('{"id": "p", "samples": [1], "answers": [[1]]}\n'), r"amc\.jsonl:1: 'answers' must be .* texts"),
        (lambda folder: (folder / "problems" / "amc.jsonl").unlink(), r"amc\.jsonl: No such file"),
    ],
)
def test_a_folder_that_is_no_evaluation_is_refused(tmp_path, change, message):
    with pytest.raises(DataError, match=message):
        read_runs([str(broken(tmp_path / "run", change))])


def test_names_and_places(folders, tmp_path):
    assert [run.name for run in read_runs([f"ours={folders / 'hero'}"])] == ["ours"] * 3
    assert len(read_runs([str(folders / "sft" / "result.json")])) == 1
    odd = write_run(tmp_path / "lr=1", "odd", {"amc": {"p": [1]}})
    assert read_runs([str(odd)])[0].name == "odd"
    with pytest.raises(ConfigError, match=r"both are 'SFT' without a step; name one of them: NAME="):
        read_runs([str(folders / "sft"), str(folders / "sft")])


# What people see


def test_markdown_escapes_names_and_marks(tmp_path):
    strong, weak = ({"amc": {f"p{n}": [value] for n in range(30)}} for value in (1, 0))
    places = [
        write_run(tmp_path / str(n), name, rows) for n, (name, rows) in enumerate([("a|b*", strong), ("c_d", weak)])
    ]
    text = as_markdown(compare(read_runs(map(str, places))))
    assert text.splitlines()[:4] == [
        "| | AMC |",
        "|---|---:|",
        r"| a\|b\* | **100.0** (88.4–100.0) |",
        r"| c\_d | 0.0\*\* (0.0–11.6) |",
    ]


def test_latex_is_escaped_and_balanced(tmp_path):
    half, none = ({"amc": {f"p{n}": [int(n % parts == 1)] for n in range(10)}} for parts in (2, 20))
    named = [("50% & é_{x}", half), (r"\input{a}\n 漢", none)]
    places = [write_run(tmp_path / str(n), name, rows) for n, (name, rows) in enumerate(named)]
    text = as_latex(compare(read_runs(map(str, places)), paper="octothinker-8b/easy"))
    assert r"50\% \& e\_\{x\} & \textbf{50.0}" in text
    assert r"\textbackslash{}input\{a\}" in text
    assert text.isascii()
    bare = text.replace(r"\{", "").replace(r"\}", "")
    assert bare.count("{") == bare.count("}")
    lines = [line for line in text.splitlines() if line.rstrip().endswith(r"\\") and "multicolumn" not in line]
    assert {line.replace(r"\&", "").count("&") for line in lines} == {3}


def test_latex_compiles(tmp_path, runs):
    import shutil
    import subprocess

    if shutil.which("pdflatex") is None:
        pytest.skip("no LaTeX here")
    table = as_latex(compare(runs, paper="qwen3-4b/easy"))
    document = r"\documentclass{article}\usepackage{booktabs}\begin{document}" + table + r"\end{document}"
    (tmp_path / "a.tex").write_text(document)
    done = subprocess.run(["pdflatex", "-halt-on-error", "a.tex"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:]


def test_long_labels_break_at_a_word():
    from hero_rl.evaluation.comparison import Column

    def lines(label):
        return Column("x", label, "easy", ("x",)).lines

    assert lines("HardVerify-Math") == ["HardVerify-", "Math"]
    assert lines("TextBookReasoning") == ["TextBook", "Reasoning"]
    assert lines("MATH500") == ["MATH500"]
    assert lines("averylongname") == ["averylongname"]


@pytest.mark.parametrize("width", [50, 80, 200])
def test_the_terminal_shows_every_number_at_any_width(runs, width, capsys):
    from rich.console import Console

    from hero_rl.evaluation.comparison.terminal import print_comparison

    comparison = compare(runs)
    print_comparison(comparison, Console(width=width))
    shown = capsys.readouterr().out
    assert "…" not in shown
    for cell in [cell for row in comparison.rows for cell in row.cells]:
        assert f"{100 * cell.estimate.value:.1f}" in shown
        assert f"{100 * cell.estimate.low:.1f}–{100 * cell.estimate.high:.1f}" in shown


def test_curves_go_through_the_runs_numbers(runs):
    panels = curves_of(runs)
    assert [column.key for column in panels] == ["easy average", "hardverify-math"]
    hero, sft = next(iter(panels.values()))
    assert [step for step, _ in hero.points] == [10, 20, 30]
    assert hero.points[-1][1] == compare(runs).rows[0].cells[2].estimate
    assert [step for step, _ in sft.points] == [None]
    with pytest.raises(ConfigError, match="no method has runs at two steps"):
        curves_of(runs[-2:])


def test_drawings_for_light_and_dark(runs, tmp_path):
    panels = curves_of(runs)
    light, dark = write_curves(panels, tmp_path / "a.svg")
    assert (light.name, dark.name) == ("a.svg", "a-dark.svg")
    assert "#ffffff" in light.read_text() and "#1b1c1f" in dark.read_text()
    before = light.read_bytes()
    write_curves(panels, tmp_path / "a.svg")
    assert light.read_bytes() == before  # equal runs, equal files
    from matplotlib.image import imread

    for path in write_curves(panels, tmp_path / "a.png"):
        assert np.ptp(imread(path)[..., :3]) > 0.5
    with pytest.raises(ConfigError, match=r"must end in one of \.svg"):
        write_curves(panels, tmp_path / "a.gif")


def test_a_name_is_drawn_as_it_stands(tmp_path):
    for step in (1, 2):
        write_run(tmp_path / f"{step}", "_x$y$\x1b[31m", {"amc": {"p": [1], "q": [0]}}, step=step)
    runs = read_runs([str(tmp_path)])
    assert runs[0].name == "_x$y$ [31m"
    (text,) = draw_curves(curves_of(runs)).legends[0].get_texts()
    assert text.get_text().strip() == runs[0].name


def test_colours_of_lines_stand_out_from_their_page():
    from matplotlib.colors import to_rgb

    from hero_rl.evaluation.comparison.curves import _COLOURS, _PAGE

    def luminance(colour):
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
        return np.dot(linear, [0.2126, 0.7152, 0.0722])

    for theme, colours in _COLOURS.items():
        page = luminance(_PAGE[theme][1])
        contrasts = [(max(page, one) + 0.05) / (min(page, one) + 0.05) for one in map(luminance, colours)]
        assert min(contrasts) >= 3, (theme, contrasts)  # WCAG 2.1, 1.4.11


def test_every_preset_of_the_paper_is_a_column_in_its_order(tmp_path):
    run = write_run(tmp_path / "a", "a", {name: {"p": [1], "q": [0]} for name in reversed(PAPER)}, kinds=KINDS)
    labels = [column.label for column in compare(read_runs([str(run)])).columns]
    assert labels == [
        *["MATH500", "AMC", "Minerva", "OlympiadBench", "Easy avg."],
        *["HardVerify-Math", "TextBookReasoning", "Hard avg."],
    ]
