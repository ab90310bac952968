import json

import pytest

from hero_lab.cli import main

ROWS = [
    {"gold": r"\frac{1}{2}", "response": r"so \boxed{0.5}", "label": 1},
    {"gold": "7", "response": r"\boxed{6 = 7}", "label": 0},
    {"gold": "9", "response": r"\boxed{9}", "label": 0},
]


@pytest.fixture
def pairs(tmp_path):
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


def test_one_pair(capsys):
    assert main(["verify", "--reference", "1/2", "--completion", r"so \boxed{0.5}"]) == 0
    assert capsys.readouterr().out.split() == ["verdict", "1", "reason", "matched_by_value", "answer", "0.5"]
    assert main(["verify", "--reference", "", "--completion", "4", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"verdict": None, "reason": "reference_unreadable", "answer": "4"}


def test_a_labelled_file(pairs, tmp_path, capsys):
    out = tmp_path / "out.jsonl"
    assert main(["verify", str(pairs), "--wrong", "5", "--workers", "1", "--output", str(out)]) == 0
    said = capsys.readouterr().out
    assert "recall" in said
    assert "false positive rate" in said
    assert f"{pairs}:3 label 0, matched exactly\n" in said
    assert [json.loads(line)["verdict"] for line in out.read_text().splitlines()] == [1.0, 0.0, 1.0]


def test_no_time_is_shown_below_another_that_it_is_not_below(pairs, capsys, monkeypatch):
    times = {"mean": 1.08, "p50": 1.07, "p99": 1.4, "max": 1.4}
    monkeypatch.setattr("hero_rl.cli.verify._milliseconds", lambda verdicts: times)
    assert main(["verify", str(pairs), "--workers", "1"]) == 0
    assert "a check takes 1.08 ms (median 1.07, longest 1.40)" in capsys.readouterr().out


def test_json(pairs, capsys):
    assert main(["verify", str(pairs), "--json", "--workers", "1"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["rows"], said["correct"], said["incorrect"], said["abstained"]) == (3, 2, 1, 0)
    assert said["quality"]["false_positive_rate"]["hits"] == 1
    assert said["quality"]["recall"]["value"] == 1.0
    assert set(said["ms"]) == {"mean", "p50", "p99", "max"}


SHORT = """
from hero_rl.verifiers import Verdict


class Short:
    needs_reference = False
    takes_requests = {whole}

    def verify(self, *given):
        reference, text = given if len(given) == 2 else (given[0].reference, given[0].completion)
        return Verdict(float(len(text) < 4), f"reference {{reference!r}}")
"""


@pytest.mark.parametrize("whole", [True, False])
def test_a_verifier_that_needs_no_reference(whole, tmp_path, monkeypatch, capsys):
    module, nothing = f"short_{whole}".lower(), "None" if whole else "''"
    (tmp_path / f"{module}.py").write_text(SHORT.format(whole=whole))
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "texts.jsonl"
    path.write_text('{"response": "no", "domain": "a"}\n{"response": "longer", "gold": "x", "domain": "b"}\n')
    own = ["--verifier.type", f"{module}:Short", "--workers", "1", "--json"]
    assert main(["verify", str(path), *own]) == 0
    assert json.loads(capsys.readouterr().out)["reasons"] == {f"reference {nothing}": 1, "reference 'x'": 1}
    assert main(["verify", "--completion", "no", *own]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == 1
    assert main(["verify", str(path), "--json", "--workers", "1"]) == 2
    assert "none of the columns 'reference', 'gold'" in capsys.readouterr().err


def test_settings_of_the_verifier(capsys):
    one = ["verify", "--reference", "3, 1", "--completion", r"\boxed{1, 3}", "--json"]
    assert main(one) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == 1
    assert main([*one, "--verifier.order", "kept"]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == 0
    assert main([*one, "--verifier.type", "exact"]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "either a file or both"),
        (["--reference", "1"], "either a file or both"),
        (["nowhere.jsonl"], "nowhere.jsonl: No such file"),
        (["a.jsonl", "--verifier.order", "none"], "--verifier.order"),
        (["a.jsonl", "--verifier.ordre", "any"], "--verifier.ordre"),
        (["a.jsonl", "--rule.alpha", "1"], "--rule.alpha: unknown argument"),
    ],
)
def test_wrong_arguments(arguments, said, capsys):
    assert main(["verify", *arguments]) in (1, 2)
    assert said in capsys.readouterr().err


def test_help_shows_examples(capsys):
    with pytest.raises(SystemExit):
        main(["verify", "--help"])
    said = capsys.readouterr().out
    assert "hero verify pairs.jsonl" in said and "docs/" not in said
    with pytest.raises(SystemExit):
        main(["score", "--help"])
    assert "(docs/ is a folder of hero-rl's repository; an installed package has none.)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("output", "said"),
    [("nowhere/out.jsonl", "no such folder"), ("out.parquet", "name it .jsonl"), ("pairs.jsonl", "that is the input")],
)
def test_an_output_that_cannot_be_is_refused(pairs, output, said, capsys):
    assert main(["verify", str(pairs), "--output", str(pairs.parent / output)]) == 2
    assert said in capsys.readouterr().err
    assert pairs.read_text().count("verdict") == 0
