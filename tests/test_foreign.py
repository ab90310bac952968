"""Models that are not there are refused at once."""

import json
from pathlib import Path

import pytest
from huggingface_hub import constants

from hero_lab.cli import main
from hero_rl.errors import ConfigError
from hero_rl.foreign import refuse_no_folder, refuse_no_model, refuse_no_source

TYPO = "runs/hero/modle"


@pytest.mark.parametrize("path", [TYPO, "runs\\hero", "model/", "./model", "~nobody/model", "/no/such", "a b", "file"])
def test_what_can_only_be_a_folder_is_none(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"^model\.path: .*: no such folder$"):
        refuse_no_folder("model.path", path)


def test_a_name_on_the_hub_and_a_folder_are_taken(tmp_path):
    refuse_no_folder("model.path", "org/model-1.5B")
    refuse_no_model("model.path", _model(tmp_path / "here"))


def test_a_name_that_the_hub_cannot_be_asked_for_is_refused_at_once(monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ConfigError, match=r"^path: no model can be .* no such folder, .* HF_HUB_OFFLINE forbids"):
        refuse_no_source("path", "org/modle")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", DEAD)
    with pytest.raises(ConfigError, match=r"^path: no model can be .* the Hub cannot be asked: [^\n]*$"):
        refuse_no_source("path", "org/modle")


def test_a_name_in_the_cache_of_the_hub_is_not_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    kept = tmp_path / "models--org--kept"
    (kept / "refs").mkdir(parents=True)
    (kept / "refs" / "main").write_text("abc")
    _model(kept / "snapshots" / "abc")
    refuse_no_source("path", "org/kept")


@pytest.mark.parametrize(
    ("arguments", "setting"),
    [
        ("eval out/a --benchmarks sums=rows.jsonl --generator.type transformers --generator.path", "generator.path"),
        ("score rows.jsonl scored.jsonl --reward_model.type local --reward_model.path", "path"),
        (
            "data regimes --problems rows.jsonl --output_dir out/a --generator.type transformers --generator.path",
            "generator.path",
        ),
        ("train config.yaml --model.path", "model.path"),
    ],
)
def test_every_verb_says_so_in_one_line(arguments, setting, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rows = [{"id": n, "prompt": f"{n}+{n}?", "completion": "4", "reference": "4", "answer": "4"} for n in range(4)]
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    Path("config.yaml").write_text(CONFIG)
    assert main([*arguments.split(), TYPO]) == 2
    said = capsys.readouterr().err.strip()
    assert said.endswith(f"{setting}: {TYPO}: no such folder") and "\n" not in said
    assert not arguments.startswith("data") or not Path("out").exists()


CONFIG = """
data: {train: rows.jsonl, reference_column: reference}
verifier: {type: math}
rule: {type: verifier_only}
output_dir: out/a
"""
DEAD = "http://127.0.0.1:9/{repo_id}/{revision}/{filename}"


def _model(folder):
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    return str(folder)
