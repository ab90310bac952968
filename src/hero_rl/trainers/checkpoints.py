"""Which checkpoint of a run can be read to its end: a kill, or a disk that was full, leaves some that cannot."""

from __future__ import annotations

import json
import logging
import zipfile
from collections.abc import Sequence
from pathlib import Path

from safetensors import SafetensorError, safe_open

from hero_rl.errors import CheckpointError
from hero_rl.trainers.state import STATE_FILE

__all__ = ["flaw", "newest_whole"]

_LAST = "trainer_state.json"  # transformers writes it when all else is written
# FSDP and DeepSpeed keep both in folders.
_WEIGHTS = ("*.safetensors", "pytorch_model*", "adapter_model*", "global_step*")
_OPTIMIZER = ("optimizer.pt", "optimizer.bin", "optimizer_*", "global_step*")
_CHECKSUMMED = 16 << 20  # bytes; of a larger archive only the directory is read, which stands at its end

_log = logging.getLogger(__name__)


def newest_whole(folder: Path, needed: Sequence[str] = ()) -> Path | None:
    """The newest checkpoint of a run that is whole, None where no save came to its end; warns of what it passes over.

    Args:
        folder: the run's.
        needed: names of files that a checkpoint must have besides the trainer's own.

    Raises:
        CheckpointError: saves came to their end, and none can be read; names a file of each.
    """
    saved = [path for path in folder.glob("checkpoint-*") if _step(path) >= 0 and (path / _LAST).is_file()]
    flaws = []
    for path in sorted(saved, key=_step, reverse=True):
        wrong = flaw(path, needed)
        if wrong is None:
            for found in flaws:
                _log.warning("%s; going on from %s", found, path.name)
            return path
        flaws.append(wrong)
    if flaws:
        raise CheckpointError("; ".join([*flaws, "no other checkpoint is left; remove them to begin anew"]))
    return None


def _step(checkpoint: Path) -> int:
    """The step in a checkpoint's name; -1 for what is none."""
    number = checkpoint.name.rpartition("-")[2]
    return int(number) if number.isdecimal() else -1


def flaw(folder: Path, needed: Sequence[str] = ()) -> str | None:
    """What is missing from a checkpoint or a model, or cannot be read: the file and why; None if it is whole.

    Args:
        folder: its folder, looked through with all below.
        needed: names of files that must be there.
    """
    missing = next((name for name in needed if not (folder / name).is_file()), None) or _missing(folder)
    if missing is not None:
        return f"{folder / missing} is missing"
    for path in sorted(path for path in folder.rglob("*") if not path.is_dir()):
        if not path.is_file():
            return f"{path} cannot be read: it is no file"  # a pipe would be waited for, for ever
        try:
            why = _torn(path)
        except (OSError, ValueError, RecursionError, zipfile.BadZipFile, SafetensorError) as error:
            why = str(error)
        if why is not None:
            return f"{path} cannot be read: {why}"
    return None


def _missing(folder: Path) -> str | None:
    """A file without which transformers would begin anew in part, and not say so."""

    def there(*patterns: str) -> bool:
        return any(next(folder.glob(pattern), None) is not None for pattern in patterns)

    if not there(*_WEIGHTS):
        return "model.safetensors"
    if not there("scheduler.pt", "rng_state*.pth", *_OPTIMIZER):
        return None  # a model alone
    if not there(*_OPTIMIZER):
        return "optimizer.pt"
    if not there("scheduler.pt", "global_step*"):
        return "scheduler.pt"
    processes = _processes(folder)
    generators = [f"rng_state_{rank}.pth" for rank in range(processes)] if processes > 1 else ["rng_state*.pth"]
    return next((name.replace("*", "") for name in generators if not there(name)), None)


def _processes(folder: Path) -> int:
    try:
        return int(json.loads((folder / STATE_FILE).read_bytes())["processes"])
    except (OSError, ValueError, KeyError, TypeError):
        return 1  # not known


def _torn(path: Path) -> str | None:
    if path.suffix == ".json":
        read = json.loads(path.read_bytes())
        if path.name.endswith(".index.json"):
            shards = sorted(set(read["weight_map"].values()))
            return next((f"it lacks {name}" for name in shards if not (path.parent / name).is_file()), None)
    elif path.suffix == ".safetensors":
        with safe_open(path, framework="np"):
            pass
    elif path.suffix in (".pt", ".pth", ".bin"):
        with path.open("rb") as file:
            begins = file.read(4)
        if not begins:
            return "it is empty"
        if begins == b"PK\x03\x04":  # torch's format of today; the older one says nothing of its length
            with zipfile.ZipFile(path) as archive:
                if path.stat().st_size <= _CHECKSUMMED and (damaged := archive.testzip()):
                    return f"{damaged} is damaged"
    return None
