"""A torn file costs one checkpoint and not the run."""

import json
import os
import shutil

import pytest
import torch
from parts import trainer
from safetensors.torch import load_file

from hero_rl.errors import CheckpointError
from hero_rl.rules import Hero
from hero_rl.trainers.checkpoints import flaw, newest_whole
from hero_rl.trainers.trl import STATE_FILE

FILES = (STATE_FILE, "trainer_state.json", "model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth")
FILES += ("hero_process_0.pt", "config.json")


def begun(policy, folder, **changes):
    return trainer(policy, folder, Hero(), **({"save_strategy": "steps", "save_steps": 2, "max_steps": 4} | changes))


@pytest.fixture(scope="module")
def saved(policy, tmp_path_factory):
    """A run with checkpoints at steps 2 and 4."""
    folder = tmp_path_factory.mktemp("saved")
    begun(policy, folder).train()
    return folder


@pytest.fixture
def copied(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "run")


def halve(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path):
    path.write_bytes(b"")


@pytest.mark.parametrize("tear", [halve, empty, lambda path: path.unlink()], ids=["halved", "empty", "gone"])
@pytest.mark.parametrize("name", FILES)
def test_a_torn_file_is_found(copied, name, tear, caplog):
    newest, before = copied / "checkpoint-4", copied / "checkpoint-2"
    assert newest_whole(copied, (STATE_FILE,)) == newest
    assert not caplog.messages
    tear(newest / name)
    gone = not (newest / name).exists()
    if gone and name in ("config.json", "hero_process_0.pt"):
        return  # what a model of another kind, or an earlier version, does without
    assert newest_whole(copied, (STATE_FILE,)) == before
    if not (gone and name == "trainer_state.json"):  # that save did not come to its end
        assert f"{newest / name}" in caplog.text and "going on from checkpoint-2" in caplog.text
    shutil.rmtree(before)
    if gone and name == "trainer_state.json":
        assert newest_whole(copied, (STATE_FILE,)) is None
        return
    with pytest.raises(CheckpointError, match=name) as raised:
        newest_whole(copied, (STATE_FILE,))
    assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.pt"])
def test_a_pipe_in_a_file_s_place_is_found(copied, name):
    path = copied / "checkpoint-4" / name
    path.unlink()
    os.mkfifo(path)
    assert flaw(path.parent) == f"{path} cannot be read: it is no file"
    assert newest_whole(copied) == copied / "checkpoint-2"


def test_shards_and_generators_of_all_processes_are_looked_for(copied):
    folder = copied / "checkpoint-4"
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert "it lacks model-00002-of-00002.safetensors" in flaw(folder)
    shutil.copy(folder / "model-00001-of-00002.safetensors", folder / "model-00002-of-00002.safetensors")
    assert flaw(folder) is None
    state = json.loads((folder / STATE_FILE).read_text())
    (folder / STATE_FILE).write_text(json.dumps(state | {"processes": 2}))
    (folder / "rng_state.pth").rename(folder / "rng_state_0.pth")
    assert flaw(folder) == f"{folder / 'rng_state_1.pth'} is missing"


def test_a_hole_in_a_small_archive_is_found(copied):
    path = copied / "checkpoint-4" / "optimizer.pt"
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 64] = bytes(64)
    path.write_bytes(content)
    assert str(path) in flaw(path.parent)


def test_a_model_alone_is_whole(copied):
    for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth"):
        (copied / "checkpoint-4" / name).unlink()
    assert flaw(copied / "checkpoint-4") is None


@pytest.mark.slow
def test_a_script_goes_on_from_the_checkpoint_before(policy, saved, copied, caplog):
    halve(copied / "checkpoint-4" / "optimizer.pt")
    with pytest.raises(CheckpointError, match=r"checkpoint-4/optimizer.pt cannot be read"):
        begun(policy, copied).train(resume_from_checkpoint=str(copied / "checkpoint-4"))
    begun(policy, copied).train(resume_from_checkpoint=True)
    assert "checkpoint-4/optimizer.pt cannot be read" in caplog.text
    one, other = (load_file(folder / "checkpoint-4" / "model.safetensors") for folder in (saved, copied))
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())
    shutil.rmtree(copied / "checkpoint-2")
    empty(copied / "checkpoint-4" / "hero_process_0.pt")
    with pytest.raises(CheckpointError, match=r"hero_process_0.pt cannot be read"):
        begun(policy, copied).train(resume_from_checkpoint=True)
    with pytest.raises(CheckpointError, match="no checkpoint to go on from"):
        begun(policy, copied / "nothing").train(resume_from_checkpoint=True)
