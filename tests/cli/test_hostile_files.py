"""Files from elsewhere, damaged or hostile: one sentence names the setting or the file, and nothing of them runs."""

import json
import os
import pickle
import shutil
from pathlib import Path

import pandas
import pytest
import torch
import yaml

from hero_lab.cli import main
from hero_rl.errors import ConfigError, DataError
from hero_rl.files.rows import read_rows
from hero_rl.settings import read_yaml

ROOT = Path(__file__).parents[2]


class Touch:
    """Unpickled, it would leave a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.system, (f"touch '{self.path}'",))


def pickled(folder, trap):
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"a": Touch(trap)}, protocol=2))


def zipped(folder, trap):
    (folder / "model.safetensors").unlink()
    torch.save({"a": Touch(trap)}, folder / "pytorch_model.bin")


def own_code(folder, trap):
    config = json.loads((folder / "config.json").read_text())
    classes = ("AutoConfig", "AutoModelForCausalLM", "AutoModelForSequenceClassification")
    config |= {"auto_map": dict.fromkeys(classes, "own.Own"), "model_type": "own"}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text(f"open({str(trap)!r}, 'w')")


def cut(folder, trap):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def other_shapes(folder, trap):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"hidden_size": 48}))


def junk(folder, trap):
    (folder / "tokenizer.json").write_bytes(bytes(range(256)) * 8)


def deep(folder, trap):
    (folder / "config.json").write_text("[" * 100_000 + "]" * 100_000)


def sandboxed(folder, trap):
    (folder / "chat_template.jinja").write_text("{{ ''.__class__.__mro__[1].__subclasses__() }}")


def endless(folder, trap):
    (folder / "chat_template.jinja").write_text("{% for n in range(30) %}{{ 'a' * 1000000 }}{% endfor %}")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    from tiny_models import write

    return write(tmp_path_factory.mktemp("tiny"))


@pytest.mark.slow
@pytest.mark.parametrize("change", [pickled, zipped, own_code, cut, other_shapes, junk, deep, sandboxed, endless])
def test_a_hostile_model_is_refused_in_one_sentence(change, tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    trap = tmp_path / "trap"
    policy, reward_model = (shutil.copytree(model, tmp_path / model.name) for model in tiny)
    for model in (policy, reward_model):
        change(model, trap)
    (tmp_path / "rows.jsonl").write_text('{"prompt": "1 + 1", "completion": "2"}\n')
    (tmp_path / "problems.jsonl").write_text('{"question": "1 + 1", "answer": "2"}\n')
    sft = {"model": {"path": str(policy)}, "data": {"train": str(tmp_path / "rows.jsonl")}}
    sft |= {"output_dir": str(tmp_path / "sft"), "trl": {"max_steps": 1, "bf16": False, "use_cpu": True}}
    (tmp_path / "sft.yaml").write_text(yaml.safe_dump(sft))
    train = ["train", "examples/smoke.yaml", "--trl.max_steps", "1", "--output_dir", str(tmp_path / "out")]
    commands = [
        [*train, "--model.path", str(policy), "--reward_model.path", str(tiny[1])],
        ["sft", str(tmp_path / "sft.yaml")],
    ]
    if change not in (sandboxed, endless):  # a conversation that cannot be rendered has no score, which is counted
        commands += [
            [*train, "--model.path", str(tiny[0]), "--reward_model.path", str(reward_model)],
            [
                "train-rm",
                "examples/reward_model.yaml",
                "--model.path",
                str(policy),
                "--output_dir",
                str(tmp_path / "rm"),
            ],
            ["score", "examples/rollouts.jsonl", str(tmp_path / "o.jsonl"), "--reward_model.path", str(reward_model)],
        ]
    asked = ["--generator.type", "transformers", "--generator.path", str(policy), "--sampling.max_tokens", "4"]
    commands.append(["eval", str(tmp_path / "eval"), "--benchmarks", f"mine={tmp_path / 'problems.jsonl'}", *asked])
    for command in commands:
        assert main(command) == 2, command
        said = capsys.readouterr().err
        assert "path" in said or "chat_template" in said or "reward_model" in said, said
        assert not trap.exists()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: 2\na: 3\n", "a is given twice"),
        ("a: {b: 1, c: {d: 1, d: 2}}\n", "d is given twice"),
        ("[" * 5000 + "]" * 5000, "nested too deep"),
        ("{a: " * 5000 + "1" + "}" * 5000, "nested too deep"),
        ("? [1]\n: 2\n", "unhashable key"),
    ],
)
def test_settings_that_are_none(text, said, tmp_path):
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(ConfigError, match=rf"a.yaml: (?s:.*){said}"):
        read_yaml(tmp_path / "a.yaml")


def test_a_merge_may_be_overridden_and_a_byte_order_mark_is_no_name(tmp_path):
    (tmp_path / "a.yaml").write_text("\ufeffa: &a {b: 1, c: 1}\nd: {<<: *a, b: 2}\n")
    assert read_yaml(tmp_path / "a.yaml") == {"a": {"b": 1, "c": 1}, "d": {"b": 2, "c": 1}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1, "a": 1}', "'a' is there twice"),
        ('{"b": [{"c": 1, "c": 2}]}', "'c' is there twice"),
        ('{"a": ' + "[" * 5000 + "]" * 5000 + "}", "nested too deep"),
    ],
)
def test_rows_that_are_none(text, said, tmp_path):
    (tmp_path / "a.jsonl").write_text('{"a": 1}\n' + text + "\n")
    with pytest.raises(DataError, match=rf"a.jsonl:2: not valid JSON: {said}"):
        list(read_rows(tmp_path / "a.jsonl"))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "a.csv",
            b"reference,completion\n1,1\n",
            r"a.csv:1: not valid JSON: .* character 1; a.csv must be JSON Lines, ",
        ),
        (
            "a.json",
            b'["1"]\n',
            "a.json:1: an object is expected, not list; a.json must be JSON Lines, an object a line",
        ),
        ("a.xlsx", b"PK\xff\xfe\n", r"a.xlsx:1: not valid UTF-8: .*; a.xlsx must be JSON Lines, .* or Parquet"),
        ("a.json", b'{"a": 1}\n{"a": "\n', "a.json:2: not valid JSON: Invalid control character at character 8$"),
        (
            "a.jsonl",
            b'{"a": "1',
            "a.jsonl:1: not valid JSON: Unterminated string starting at character 7; the file ends in",
        ),
    ],
)
def test_a_file_that_is_no_rows_is_told_from_a_broken_row(name, text, said, tmp_path):
    (tmp_path / name).write_bytes(text)
    with pytest.raises(DataError, match=said):
        list(read_rows(tmp_path / name))


def test_a_byte_order_mark_before_the_first_row(tmp_path):
    (tmp_path / "a.jsonl").write_text('\ufeff{"a": 1}\n{"a": "\ufeff"}\n')
    assert [row for _, row in read_rows(tmp_path / "a.jsonl")] == [{"a": 1}, {"a": "\ufeff"}]


@pytest.mark.parametrize("name", ["out.jsonl", "out.parquet"])
def test_a_column_of_bytes_is_kept_as_base_64(name, tmp_path, capsys):
    rows = {"prompt": ["1 + 1"] * 2, "completion": [r"\boxed{2}"] * 2, "reference": ["2"] * 2, "image": [b"\xff", None]}
    pandas.DataFrame(rows).to_parquet(tmp_path / "in.parquet")
    assert main(["score", str(tmp_path / "in.parquet"), str(tmp_path / name), "--rule.type", "verifier_only"]) == 0
    assert [row["image"] for _, row in read_rows(tmp_path / name)] == ["/w==", None]


@pytest.mark.parametrize(
    "command",
    [
        ["score", "examples/rollouts.jsonl", "{loop}"],
        ["verify", "examples/verdicts.jsonl", "--output", "{loop}"],
        ["data", "cold-start", "--solutions", "examples/solutions.jsonl", "--output_dir", "{loop}"],
        ["eval", "{loop}", "--benchmarks", "x=examples/problems.jsonl"],
    ],
)
def test_an_output_that_is_a_circle_of_links(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert main([word.format(loop=tmp_path / "a") for word in command]) == 2
    assert f"{tmp_path / 'a'}: " in capsys.readouterr().err
