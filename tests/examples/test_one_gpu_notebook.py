"""The notebook for one GPU runs whole: on a CPU, with small values put into its cell of parameters."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
import yaml
from tiny_models import byte_tokenizer, tiny_config, write
from transformers import Qwen3ForCausalLM

from hero_rl.problems import ProblemSource
from hero_rl.training.recipes.load import load_run

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "examples" / "one_gpu.ipynb"
SYSTEM = r"Please reason step by step, and put your final answer within \boxed{}."
# In a process of its own, since the kernel's client is noisy about event loops.
RUN = """
import sys, nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(notebook, timeout=900, kernel_name="python3", resources={"metadata": {"path": sys.argv[2]}}).execute()
nbformat.write(notebook, sys.argv[3])
"""


@pytest.fixture(scope="module")
def cells() -> list[dict[str, Any]]:
    return json.loads(NOTEBOOK.read_text())["cells"]


def source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def parameters(cells: list[dict[str, Any]]) -> tuple[int, dict[str, Any]]:
    """Where the cell of parameters stands, and what it sets."""
    (place,) = [n for n, cell in enumerate(cells) if "parameters" in cell["metadata"].get("tags", [])]
    values: dict[str, Any] = {}
    exec(source(cells[place]), values)
    return place, {name: value for name, value in values.items() if name.isupper()}


def test_it_is_kept_without_what_it_printed(cells):
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)


def test_its_parameters_are_a_recipe_and_problems(cells):
    _, values = parameters(cells)
    config = load_run(values["RECIPE"], {"output_dir": "run", **values["SETTINGS"]}, "train")
    held_out = ProblemSource(**values["HELD_OUT"])
    assert config.rule.type == "gated_hero" and config.trl["use_vllm"]
    assert (held_out.dataset, held_out.name) == (config.data.train, config.data.name)
    assert held_out.split != config.data.train_split


def test_its_metrics_are_in_the_reference(cells):
    code = "\n".join(source(cell) for cell in cells)
    page = (ROOT / "docs" / "reference" / "metrics.md").read_text()
    names = set(re.findall(r"(?:hero|rewards)/[a-z_/]+[a-z]", code))
    known = set(re.findall(r"`((?:hero|rewards)/[a-z_/]+)`", page))
    assert len(names) > 5 and names - {"hero/frac_groups"} <= known  # that one is the start of several


def test_a_command_that_fails_stops_it(cells, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (helper,) = [source(cell) for cell in cells if "def hero(" in source(cell)]
    names: dict[str, Any] = {"FOLDER": str(tmp_path)}
    exec(helper, names)
    with pytest.raises(RuntimeError, match="hero train ended with exit code 2"):
        names["hero"]("train", tmp_path / "missing.yaml")
    assert "missing.yaml" in capsys.readouterr().out  # why, is shown


def questions(first: int, last: int) -> list[dict[str, str]]:
    """Problems in GSM8K's columns, with answers from 1 to 3."""
    return [
        {"question": f"Ann has {n} nuts and eats {n - 1 - n % 3}. How many are left?", "answer": f"#### {n % 3 + 1}"}
        for n in range(first, last)
    ]


def write_policy(folder: Path, problems: list[dict[str, str]]) -> None:
    """A tiny policy that boxes a number from 1 to 3, so that it is right now and then."""
    torch.manual_seed(0)
    tokenizer, model = byte_tokenizer(), Qwen3ForCausalLM(tiny_config())
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    ends = tokenizer.eos_token
    for step in range(80):
        texts, starts = [], []
        for n in range(8):
            asked = problems[(8 * step + n) % len(problems)]["question"]
            messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": asked}]
            texts.append(str(tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)))
            starts.append(rf"<b>\boxed{{{(step + n) % 3 + 1}}}{ends}")
        batch = tokenizer([a + b for a, b in zip(texts, starts, strict=True)], return_tensors="pt", padding=True)
        labels = batch["input_ids"].clone()
        labels[:, : -len(tokenizer(starts[0])["input_ids"])] = -100  # padded on the left, and all answers are as long
        model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], labels=labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.save_pretrained(folder)


def write_rows(path: Path, rows: list[dict[str, str]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.slow
def test_it_runs(cells, tmp_path):
    policy, reward_model = write(tmp_path)
    train, held_out = questions(4, 16), questions(16, 22)
    write_policy(policy, train)
    small = {
        "FOLDER": str(tmp_path / "run"),
        "HELD_OUT": {"dataset": str(write_rows(tmp_path / "held_out.jsonl", held_out))},
        "SAMPLES": 2,
        "SETTINGS": {
            "model.path": str(policy),
            "reward_model.path": str(reward_model),
            "data.train": str(write_rows(tmp_path / "train.jsonl", train)),
            "data.name": None,
            "verifier_processes.workers": 1,
            "trl.use_vllm": False,
            "trl.use_cpu": True,
            "trl.bf16": False,
            "trl.max_steps": 3,
            "trl.num_generations": 4,
            "trl.generation_batch_size": 24,
            "trl.per_device_train_batch_size": 24,
            "trl.gradient_accumulation_steps": 1,
            "trl.max_completion_length": 16,
        },
    }
    place, values = parameters(cells)
    assert small.keys() <= values.keys()
    lines = [f"{name} = {value!r}" for name, value in small.items()]
    injected = {"cell_type": "code", "id": "small", "metadata": {}, "execution_count": None, "outputs": []}
    notebook = json.loads(NOTEBOOK.read_text())
    notebook["cells"].insert(place + 1, injected | {"source": "\n".join(lines)})
    asked, done = tmp_path / "asked.ipynb", tmp_path / "done.ipynb"
    asked.write_text(json.dumps(notebook))
    run = subprocess.run(
        [sys.executable, "-c", RUN, str(asked), str(tmp_path), str(done)], capture_output=True, text=True, timeout=1200
    )
    assert run.returncode == 0, run.stderr[-3000:]
    check_folder(tmp_path / "run")
    check_pages(json.loads(done.read_text())["cells"])


def check_folder(folder: Path) -> None:
    """What the notebook's commands have left."""
    config = yaml.safe_load((folder / "run" / "config.yaml").read_text())
    assert config["rule"]["type"] == "gated_hero" and config["trl"]["loss_type"] == "dr_grpo"
    log = pd.read_json(folder / "run" / "metrics.jsonl", lines=True)
    assert log["hero/frac_groups_mixed"].count() == 3 and log["hero/frac_groups_mixed"].sum() > 0
    assert (folder / "run" / "model" / "model.safetensors").exists() and (folder / "report.html").exists()
    for name, model in (("before", config["model"]["path"]), ("after", str(folder / "run" / "model"))):
        result = json.loads((folder / name / "result.json").read_text())
        assert result["model"] == model
        numbers = result["benchmarks"]["held_out"]
        assert (numbers["problems"], numbers["samples"], numbers["unscored"]) == (6, 2, 0)


def check_pages(cells: list[dict[str, Any]]) -> None:
    """What the notebook shows."""
    assert not [out for cell in cells for out in cell.get("outputs", []) if out["output_type"] == "error"]
    shown = [out.get("data", {}) for cell in cells for out in cell.get("outputs", [])]
    assert sum("image/png" in data for data in shown) == 1
    printed = "".join("".join(out.get("text", "")) for cell in cells for out in cell.get("outputs", []))
    assert "step 3/3" in printed and "\x1b" not in printed  # lines, and no live bars
    words = "".join("".join(data.get("text/markdown", "")) for data in shown)
    assert "**Right and wrong answers**" in words and "**Right and wrong answers**: none" not in words
    assert re.search(r"\| before .*\n\| after ", words)
    pages = "".join("".join(data.get("text/html", "")) for data in shown)
    (mixed, *_) = [table for table in re.findall(r"<table.*?</table>", pages, re.S) if r"\boxed{" in table]
    heads = re.findall(r"<th [^>]*>(\w+)</th>", mixed)
    assert heads == ["verdict", "score", "reward", "advantage", "answer", "ending"]
    rows = [re.findall(r"<td [^>]*>(.*?)</td>", row, re.S) for row in mixed.split("<tr>")[2:]]
    assert len(rows) == 4 and {row[0] for row in rows} == {"0", "1"}
    assert all(float(row[3]) > 0 for row in rows if row[0] == "1")  # right answers are paid most
    assert all(row[4] in row[5] and "<b>" not in row[5] for row in rows)  # what a model writes is text
