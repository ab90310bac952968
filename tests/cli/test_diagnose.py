"""`hero diagnose` as a user meets it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from hero_lab.cli import main
from hero_rl.rollouts import Rollout, write_rollouts
from hero_rl.trainers.rollout_files import RolloutFiles

ROOT = Path(__file__).parents[2]
HERO = [sys.executable, "-c", "import sys; from hero_lab.cli import main; sys.exit(main())"]
EXAMPLE = ROOT / "examples" / "logged_rollouts.jsonl"

# Three groups of two: mixed, all correct, all incorrect.
ROWS = [("1", 2.0, 1, "1 + 0 ="), ("3", 1.0, 0, "1 + 0 ="), ("4", 0.5, 1, "2 + 2 ="), ("4.0", 2.5, 1, "2 + 2 ="),
        ("5", 0.5, 0, "3 + 3 ="), ("7", 1.5, 0, "3 + 3 =")]  # fmt: skip
REFERENCES = {"1 + 0 =": "1", "2 + 2 =": "4", "3 + 3 =": "6"}


def diagnose(capsys, *arguments):
    assert main(["diagnose", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out, parse_constant=lambda name: pytest.fail(name))


def lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def own(folder):
    return [Rollout(p, c, reference=REFERENCES[p], score=s, verdict=float(v), step=1) for c, s, v, p in ROWS]


def as_jsonl(folder):
    write_rollouts(folder / "a.jsonl.gz", own(folder))
    return [folder / "a.jsonl.gz"]


def as_parquet(folder):
    write_rollouts(folder / "a.parquet", own(folder))
    return [folder / "a.parquet"]


def as_trainer_files(folder):
    """What `HeroGRPOTrainer` keeps, through its own writer."""
    files = RolloutFiles(folder / "rollouts")
    rows = [
        {"prompt": [{"role": "user", "content": p}], "completion": [{"role": "assistant", "content": c}],
         "reference": REFERENCES[p], "answer": c, "reason": "matched_exactly" if v else "mismatch", "group": n // 2,
         "verdict": float(v), "score": s, "reward": 0.0, "weight": 1.0, "sigma": 1.0, "advantage": 0.0}
        for n, (c, s, v, p) in enumerate(ROWS)
    ]  # fmt: skip
    files.write(rows, "train", 1)
    files.write(rows, "eval", 1)
    return [folder / "rollouts"]


def as_trl(folder):
    import pandas

    rows = [{"step": 1, "prompt": p, "completion": c, "accuracy_reward": float(v), "rm": s, "advantage": 0.0}
            for c, s, v, p in ROWS]  # fmt: skip
    pandas.DataFrame(rows).to_parquet(folder / "completions_00001.parquet")
    return [folder, "--verdict_column", "accuracy_reward", "--score_column", "rm"]


def as_verl(folder):
    rows = [{"input": p, "output": c, "gts": REFERENCES[p], "score": s, "step": 1} for c, s, v, p in ROWS]
    lines(folder / "1.jsonl", rows)
    return [folder, "--score_column", "score", "--workers", "1"]  # no verdicts: the maths verifier is asked


def as_grouped(folder):
    rows = [{"prompt": p, "completions": [r[0] for r in ROWS if r[3] == p], "labels": [r[2] for r in ROWS if r[3] == p],
             "rm_scores": [r[1] for r in ROWS if r[3] == p]} for p in REFERENCES]  # fmt: skip
    return [lines(folder / "a.jsonl", rows)]


@pytest.mark.parametrize("write", [as_jsonl, as_parquet, as_trainer_files, as_trl, as_verl, as_grouped])
def test_every_format_gives_the_same_numbers(write, tmp_path, capsys):
    said = diagnose(capsys, *write(tmp_path))
    assert said["groups"] == {
        "total": 3,
        "mixed": 1,
        "all_correct": 1,
        "all_incorrect": 1,
        "all_partial": 0,
        "unjudged": 0,
    }
    assert (said["starvation"]["starved"], said["starvation"]["rescued"]) == (2, 2)
    assert said["ranking"]["mean"] == {"value": 1.0, "low": None, "high": None}
    assert said["source"]["missing_scores"] == 0
    # Mixed: 0.9 and -0.1 about 0.4, under weight w; uniform: +-0.1, and sigma_u 0.5, 1 and 0.5 set the weights.
    masses = {(row["rule"], row["scale"]): row for row in said["mass"]}
    verifier = masses["verifier_only", "none"]
    assert (verifier["mixed"], verifier["all_correct"], verifier["groups"]) == (1.0, 0.0, 1)
    if write in (as_trainer_files, as_verl):
        assert sum(row["count"] for row in said["reasons"]) == 6


def test_the_example_and_its_report(tmp_path, capsys):
    report = tmp_path / "report.html"
    sweep = ["--sweep", "alpha=0.02,0.05", "scale=none,group", "sigma=raw,relative"]
    assert main(["diagnose", str(EXAMPLE), "-o", str(report), *sweep]) == 0
    said = capsys.readouterr()
    assert "give no gradient under verifier-only" in said.out and f"written    {report}" in said.err
    assert report.read_text().count("<svg") == 9
    found = diagnose(capsys, EXAMPLE, *sweep)
    assert found["source"]["labels_from"] == "column labels"
    assert len(found["sweep"]) == 8 and all(row["agreement"] is not None for row in found["sweep"])
    assert found["sweep"][0]["settings"] == {"alpha": 0.02, "scale": "none", "sigma": "raw"}


def test_what_an_auditor_said_of_a_few_rollouts_is_their_label(tmp_path, capsys):
    """Two answers of a group that the verifier calls wrong: the auditor finds the one with the lower score right."""
    texts = [(1.0, 0.9, None), (0.0, 0.2, None), (0.0, 0.8, 0), (0.0, 0.1, 1), (0.0, 0.3, 0.5), (0.0, 0.4, None)]
    files = RolloutFiles(tmp_path / "rollouts")
    rows = [
        {"prompt": [{"role": "user", "content": f"{n // 2} + 1 ="}], "completion": "3", "reference": "4", "answer": "3",
         "reason": "mismatch", "group": n // 2, "verdict": v, "score": s, "reward": 0.0, "weight": 1.0, "sigma": 1.0,
         "advantage": 0.0, "audit": audit}
        for n, (v, s, audit) in enumerate(texts)
    ]  # fmt: skip
    files.write(rows, "train", 1)
    found = diagnose(capsys, tmp_path / "rollouts")
    assert found["source"]["labels_from"] == "column audit"
    labels = found["labels"]
    assert (labels["right"], labels["wrong"], labels["missed"]) == (1, 1, 1)
    assert labels["auroc_starved"]["value"] == 0.0 and labels["starved"] == 1


def test_labels_beside_verdicts_or_in_their_place(tmp_path, capsys):
    rows = [{"prompt": p, "completion": c, "reference": REFERENCES[p], "score": s, "label": v, "right": 1 - v}
            for c, s, v, p in ROWS]  # fmt: skip
    path = lines(tmp_path / "a.jsonl", rows)
    taken = diagnose(capsys, path)["source"]
    assert (taken["verdicts_from"], taken["labels_from"]) == ("column label", None)
    beside = diagnose(capsys, path, "--verifier.type", "exact", "--sweep", "alpha=0.1")
    assert (beside["source"]["verdicts_from"], beside["source"]["labels_from"]) == ("verifier exact", "column label")
    assert beside["groups"]["mixed"] == 2  # exact holds "4.0" for wrong
    # The label calls that group uniform; the one that it calls mixed has both signs right.
    assert beside["sweep"][0]["agreement"] == 1.0
    other = diagnose(capsys, path, "--verdict_column", "label", "--label_column", "right", "--sweep", "alpha=0.1")
    assert other["source"]["labels_from"] == "column right" and other["sweep"][0]["agreement"] == 0.0
    named = diagnose(capsys, path, "--label_column", "right")["source"]
    assert (named["verdicts_from"], named["labels_from"]) == ("column label", "column right")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.jsonl"], "nowhere.jsonl: No such file"),
        (["IN", "-o", "report.pdf"], "report.pdf: the report is HTML"),
        (["IN", "-o", "none/report.html"], "there is no folder none"),
        (["IN", "--rule.type", "gdpo"], "--rule.type: the base rule is hero"),
        (["IN", "--rule.alpha", "0.95"], "--rule: alpha + beta must be below 1"),
        (["IN", "--rule.aplha", "0.1"], "--rule.aplha: unknown setting"),
        (["IN", "--trl.beta", "0"], "--trl.beta: unknown argument; see hero diagnose --help"),
        (["IN", "--sweep", "alpha=0.95"], "--sweep: alpha=0.95: alpha + beta must be below 1"),
        (["IN", "--sweep", "aplha=0.1"], "--sweep aplha=0.1: a setting of HERO"),
        (["IN", "--score_column", "mine"], "no column 'mine' for the score; the file has"),
        (["IN", "--label_column", "mine"], "no column 'mine' for the label; the file has"),
        (["IN", "--verdict_column", "labels", "--verifier.type", "math"], "makes it anew; give one of them"),
        (["IN", "--verifier.type", "exact"], "there are no references to verify against"),
    ],
)
def test_mistakes_end_with_code_2_and_write_nothing(tmp_path, arguments, said, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    as_grouped(tmp_path)
    assert main(["diagnose", *("a.jsonl" if a == "IN" else a for a in arguments)]) == 2
    assert said in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ["a.jsonl"]


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (
            '{"prompt": "p", "completion": "c", "verdict": 2, "score": 1}',
            "a.jsonl:2: 'verdict' must be a number from 0 to 1",
        ),
        ('{"prompt": "p", "completion": "c", "verdict": 1, "score": "high"}', "a.jsonl:2: 'score' must be a number"),
        ('{"prompt": "p", "completion": "c", "verdict": 1, "score": 1', "a.jsonl:2: not valid JSON"),
        ('{"prompt": "p", "completion": "c", "verdict": 1, "score": 1, "label": 3}', "a.jsonl:2: "),
    ],
)
def test_bad_rows_are_named(tmp_path, bad, said, capsys):
    path = tmp_path / "a.jsonl"
    path.write_text('{"prompt": "p", "completion": "c", "verdict": 1, "score": 1}\n' + bad + "\n")
    assert main(["diagnose", str(path), "-o", str(tmp_path / "r.html")]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "r.html").exists()


def test_a_bad_label_is_named(tmp_path, capsys):
    rows = [{"prompt": "p", "completion": "c", "verdict": 1, "score": n, "label": n} for n in (0, 1, 2)]
    assert main(["diagnose", str(lines(tmp_path / "a.jsonl", rows))]) == 2
    assert "a.jsonl:3: 'label' must be 0, 1, true, false or null, not 2" in capsys.readouterr().err


def test_nothing_in_the_file(tmp_path, capsys):
    path = lines(tmp_path / "a.jsonl", [{"prompt": "p", "completions": [], "labels": []}])
    assert main(["diagnose", str(path)]) == 2
    assert f"{path}: there are neither verdicts nor references" in capsys.readouterr().err


def test_references_that_are_all_null_are_none(tmp_path, capsys):
    """A verl dump without ground truth: its score may be the verdict, and the message says how to name it."""
    rows = [{"input": p, "output": c, "gts": None, "score": float(v), "rm": s, "sign": 2 * v - 1, "note": "x"}
            for c, s, v, p in ROWS]  # fmt: skip
    path = lines(tmp_path / "1.jsonl", rows)
    assert main(["diagnose", str(path)]) == 2
    said = capsys.readouterr().err
    assert "there are neither verdicts nor references to verify against ('gts' is empty in every row)" in said
    assert "score holds only 0 and 1: --verdict_column score" in said
    assert "sign holds only -1 and 1: --verdict_column sign" in said
    assert "rm holds numbers: --score_column rm" in said and "note holds" not in said
    assert diagnose(capsys, path, "--verdict_column", "score", "--score_column", "rm")["ranking"]["groups"] == 1
    assert main(["diagnose", str(path), "--verdict_column", "score", "--score_column", "score"]) == 2
    assert "is named for the verdict and for the score" in capsys.readouterr().err


def test_columns_of_trl_that_may_be_verdicts_are_named(tmp_path, capsys):
    as_trl(tmp_path)
    assert main(["diagnose", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "accuracy_reward holds only 0 and 1: --verdict_column accuracy_reward; rm holds numbers" in said


def test_the_verdict_in_the_place_of_the_score_is_told(tmp_path, capsys):
    rows = [{"input": f"p{n // 8}", "output": str(n), "gts": str(n if n % 2 else -1), "score": float(n % 2), "step": 1}
            for n in range(320)]  # fmt: skip
    path = lines(tmp_path / "1.jsonl", rows)
    said = diagnose(capsys, path, "--score_column", "score", "--workers", "1", "--verifier.type", "exact")
    assert [(f["name"], f["level"]) for f in said["findings"]] == [("score_is_verdict", "act")]


def test_the_terminal_names_the_findings_and_prints_the_settings_once(capsys):
    assert main(["diagnose", str(ROOT / "examples" / "smollm2_rollouts.jsonl")]) == 0
    said = capsys.readouterr().out
    findings, _, settings = said.partition("All of it together, to paste:")
    assert "Only 28 mixed groups show how well the reward model ranks few_mixed" in findings
    assert "--> rule.alpha: 0.05, rule.beta: 0.05" in findings and "GatedHero(" not in findings
    assert settings.count("GatedHero(") == 1 and "rule=GatedHero(alpha=0.05, beta=0.05),\n" in settings


def test_the_folder_of_a_run_is_told(tmp_path, capsys):
    as_trainer_files(tmp_path)
    (tmp_path / "environment.json").write_text("{}")
    assert main(["diagnose", str(tmp_path)]) == 0
    assert f"reading    {tmp_path / 'rollouts'}" in capsys.readouterr().err


def test_without_any_score(tmp_path, capsys):
    rows = [{"prompt": "p", "completion": str(n), "verdict": n % 2} for n in range(4)]
    said = diagnose(capsys, lines(tmp_path / "a.jsonl", rows))
    assert "no_scores" in {finding["name"] for finding in said["findings"]}
    assert said["source"]["score_mean"] is None and said["ranking"]["groups"] == 0


def test_scores_made_anew(tmp_path, capsys):
    from tiny_models import write

    reward_model = write(tmp_path / "tiny")[1]
    said = diagnose(capsys, *as_grouped(tmp_path), "--reward_model.path", reward_model)
    assert said["source"]["scores_from"] == "local reward model"
    assert said["source"]["score_mean"] != pytest.approx(8 / 6)


def test_real_rollouts(shared, tmp_path, capsys):
    path = shared / "data" / "rollouts_math100.jsonl"
    said = diagnose(capsys, path, "-o", tmp_path / "r.html", "--rule.alpha", "0.05", "--rule.beta", "0.05")
    assert said["groups"] == {
        "total": 100,
        "mixed": 10,
        "all_correct": 86,
        "all_incorrect": 4,
        "all_partial": 0,
        "unjudged": 0,
    }
    assert (said["source"]["rows"], said["starvation"]["starved"], said["starvation"]["rescued"]) == (800, 90, 90)
    assert said["ranking"]["groups"] == 10 and said["ranking"]["mean"]["value"] == pytest.approx(0.9)
    starved = next(finding for finding in said["findings"] if finding["name"] == "starved_groups")
    assert starved["title"] == "90 of 100 groups give no gradient under verifier-only"
    assert "carry 22% of the advantage mass" in starved["evidence"]
    assert (tmp_path / "r.html").stat().st_size < 500_000
    first = said["telling"][0]
    assert (first["kind"], first["answer"], first["reference"]) == ("incorrect_high", "10000", "10{,}000")


@pytest.mark.slow
def test_what_a_training_run_keeps(tmp_path, capsys):
    """Three real steps of `HeroGRPOTrainer`, then a look inside."""
    from tiny_models import write

    policy, reward_model = write(tmp_path / "tiny")
    places = ["--model.path", policy, "--reward_model.path", reward_model, "--output_dir", tmp_path / "run"]
    subprocess.run(
        [*HERO, "train", "examples/smoke.yaml", *map(str, places)], check=True, capture_output=True, cwd=ROOT
    )
    said = diagnose(capsys, tmp_path / "run" / "rollouts")
    assert [row["step"] for row in said["steps"]] == [1, 2, 3]
    assert said["groups"]["total"] == said["groups"]["all_incorrect"] == said["starvation"]["starved"] == 6
    assert said["source"]["group_size"] == [4, 4.0, 4] and said["reasons"]


def test_help_says_what_is_read(capsys):
    with pytest.raises(SystemExit):
        main(["diagnose", "--help"])
    assert "hero diagnose rollouts.jsonl -o report.html" in capsys.readouterr().out
