"""One writer to a folder, whichever verb writes there."""

import subprocess
import sys
from pathlib import Path

import pytest

from hero_lab.cli import main
from hero_rl.errors import ConfigError
from hero_rl.files.lock import only_writer

HELD = """
import sys, time
from pathlib import Path
from hero_rl.files.lock import only_writer

with only_writer(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_second_writer_is_refused_until_the_first_is_gone(tmp_path):
    folder = tmp_path / "runs" / "a"
    with subprocess.Popen([sys.executable, "-c", HELD, folder], stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout.readline() == b"held\n"
            with pytest.raises(ConfigError, match=r"runs/a: another process is writing there"), only_writer(folder):
                pass
        finally:
            holder.kill()
    with only_writer(folder), pytest.raises(ConfigError), only_writer(folder):
        pass


def test_a_folder_in_which_nothing_came_to_be_is_gone(tmp_path):
    with only_writer(tmp_path / "a"):
        assert (tmp_path / "a").is_dir()
    assert not (tmp_path / "a").exists()
    with only_writer(tmp_path / "runs" / "of" / "a"):
        (tmp_path / "runs" / "another").mkdir()
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["another"]
    with only_writer(tmp_path / "a"):
        (tmp_path / "a" / "file").touch()
    assert (tmp_path / "a" / "file").exists()
    (tmp_path / "b").mkdir()
    with only_writer(tmp_path / "b"):
        pass
    assert (tmp_path / "b").is_dir()


def test_a_lock_is_never_written_through_a_link(tmp_path):
    (tmp_path / "precious").write_text("kept")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / ".lock").symlink_to(tmp_path / "precious")
    with pytest.raises(ConfigError, match="a: "), only_writer(tmp_path / "a"):
        pass
    assert (tmp_path / "precious").read_text() == "kept"


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"file/a: Not a directory"), only_writer(tmp_path / "file" / "a"):
        pass


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        "train examples/smoke.yaml --model.path {policy} --reward_model.path {reward_model}",
        "train examples/smoke.yaml --model.path {policy} --reward_model.path {reward_model} --resume",
        "train-rm examples/reward_model.yaml --model.path {policy}",
        "sft trl/qwen3-4b/sft --data.train {rows} --model.path {policy} --trl.bf16 false --trl.use_cpu true",
        "data cold-start --solutions examples/solutions.jsonl --size 10",
    ],
)
def test_every_verb_that_fills_a_folder_asks_for_it(command, tmp_path, monkeypatch, capsys):
    from tiny_models import write

    policy, reward_model = write(tmp_path)
    (tmp_path / "rows.jsonl").write_text('{"prompt": "1 + 1", "completion": "2"}\n')
    places = {"policy": policy, "reward_model": reward_model, "rows": tmp_path / "rows.jsonl"}
    monkeypatch.chdir(Path(__file__).parents[2])
    folder = tmp_path / "out"
    with only_writer(folder):
        assert main([*(word.format(**places) for word in command.split()), "--output_dir", str(folder)]) == 2
    assert "another process is writing there" in capsys.readouterr().err
    assert not folder.exists()
