"""`hero compare` as it is called."""

import json

import pytest
from evaluated import KINDS, drawn, write_run

from hero_lab.cli import main

SMALL = {"math500": ("easy", 30), "hardverify-math": ("hard", 30)}


@pytest.fixture
def folders(tmp_path):
    for name, step, skill in (("HERO", 1, 0.5), ("HERO", 2, 2.0), ("SFT", None, -1.0)):
        verdicts = drawn({"easy": skill, "hard": skill}, benchmarks=SMALL)
        write_run(tmp_path / f"{name}-{step}", name, verdicts, kinds=KINDS, step=step)
    return [str(tmp_path / name) for name in ("HERO-1", "HERO-2", "SFT-None")]


def test_table_and_files(folders, tmp_path, capsys):
    files = {name: tmp_path / f"table.{name}" for name in ("md", "tex", "svg")}
    places = ["--markdown", files["md"], "--latex", files["tex"], "--curves", files["svg"]]
    assert main(["compare", *folders, *map(str, places)]) == 0
    said = capsys.readouterr().out
    assert "sign-flip test" in said and "Holm" in said and "MATH500" in said
    assert all(str(path) in said and path.stat().st_size > 0 for path in files.values())
    assert (tmp_path / "table-dark.svg").is_file()
    assert not list(tmp_path.glob(".*"))


def test_json(folders, capsys):
    assert main(["compare", *folders, "--against", "SFT", "--paper", "qwen3-4b/mixed", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    hero = said["rows"][0]
    assert (hero["name"], hero["step"], said["against"]) == ("HERO", 2, "SFT")
    cell = hero["cells"]["math500"]
    assert cell["low"] <= cell["value"] <= cell["high"]
    assert cell["test"]["corrected_p_value"] >= cell["test"]["p_value"]
    paper = said["rows"][-1]
    assert (paper["name"], paper["source"]) == ("HERO", "paper")
    assert [paper["cells"][f"{kind} average"]["value"] for kind in ("easy", "hard")] == [0.588, 0.641]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no runs"),
        (["/nowhere"], "/nowhere/result.json: No such file"),
        (["RUN", "--metric", "best"], "--metric: 'best' is not pass@K or maj@K"),
        (["RUN", "--colour", "blue"], "unexpected argument '--colour'"),
        (["RUN", "--curves", "a.gif"], "a.gif: the name must end in"),
    ],
)
def test_what_is_wrong_is_named(folders, arguments, message, capsys):
    said = [word for argument in arguments for word in (folders if argument == "RUN" else [argument])]
    assert main(["compare", *said]) == 2
    assert message in capsys.readouterr().err
