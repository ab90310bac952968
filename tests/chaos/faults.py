"""Faults that a run meets in the world, done to a real one: kills, full disks, torn files, two writers.

Each function does its fault a number of times and says what was lost. `tests/chaos/test_chaos.py` does each now and
then, `make chaos` all of them.
"""

import json
import math
import multiprocessing
import os
import random
import resource
import shutil
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pandas
import torch
import yaml
from safetensors.torch import load_file

ROOT = Path(__file__).parents[2]
TORN = ("hero_state.json", "trainer_state.json", "model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth")
TORN += ("hero_process_0.pt",)
_TIMED = ("runtime", "per_second", "step_time", "seconds", "total_flos")
_LIMIT = 900  # seconds that a busy machine may take for what takes ten


@dataclass
class Outcome:
    """What became of one kind of fault.

    Attributes:
        fault: what was done.
        tried: how often.
        survived: how often all went on as it should.
        lost: what was lost, in words, one entry each time.
    """

    fault: str
    tried: int = 0
    survived: int = 0
    lost: list[str] = field(default_factory=list)

    def add(self, lost: str | None) -> None:
        """One more try, and what it lost, if anything."""
        self.tried += 1
        self.survived += lost is None
        if lost is not None:
            self.lost.append(lost)


@dataclass
class Run:
    """A run of six epochs on models of two layers, as `hero train` reads it.

    Attributes:
        folder: for everything.
        steps: of an epoch.
    """

    folder: Path
    steps: int = 4

    def __post_init__(self) -> None:
        os.environ |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
        sys.path.insert(0, str(ROOT / "examples"))
        from tiny_models import write

        policy, reward_model = write(self.folder / "models")
        problems = "".join(
            json.dumps({"problem": f"{n} + {n}?", "answer": str(2 * n)}) + "\n" for n in range(2 * self.steps)
        )
        (self.folder / "problems.jsonl").write_text(problems)
        settings = yaml.safe_load((ROOT / "examples" / "smoke.yaml").read_text())
        settings["model"]["path"], settings["reward_model"]["path"] = str(policy), str(reward_model)
        settings["data"]["train"] = str(self.folder / "problems.jsonl")
        del settings["trl"]["max_steps"]
        settings["trl"] |= {"num_train_epochs": 6, "max_completion_length": 8, "save_steps": 2, "logging_steps": 3}
        self.config = self.folder / "config.yaml"
        self.config.write_text(yaml.safe_dump(settings))

    @property
    def last(self) -> int:
        """The last step."""
        return 6 * self.steps

    def start(self, output: Path, *more: str, file_size: int | None = None) -> "Command":
        """A process of `hero train` that writes into a folder, with no file larger than that."""
        words = ["train", str(self.config), "--output_dir", str(output), "--json", *more]
        return Command(words, self.folder / "said", file_size)

    def end(self, output: Path, *more: str, **options) -> tuple[int | None, str]:
        """Its exit code and what it said, once it has come to its end."""
        return self.start(output, *more, **options).end()

    def copy(self, name: str) -> Path:
        """The unbroken run as another's folder."""
        output = shutil.copytree(self.straight(), self.folder / name)
        config = yaml.safe_load((output / "config.yaml").read_text())
        (output / "config.yaml").write_text(yaml.safe_dump(config | {"output_dir": str(output)}, sort_keys=False))
        return output

    def straight(self) -> Path:
        """The folder of the unbroken run."""
        output = self.folder / "straight"
        if not output.exists():
            code, said = self.end(output)
            assert code == 0, said
        return output


class Command:
    """A command `hero` in a process of its own, which is forked from one that has loaded the libraries already."""

    _number = 0
    _forks = multiprocessing.get_context("forkserver")

    def __init__(self, words: list[str], said: Path, file_size: int | None = None) -> None:
        self._forks.set_forkserver_preload(["hero_rl.training.trl.policy", "hero_lab.cli"])
        said.mkdir(exist_ok=True)
        Command._number += 1
        self._said = said / str(Command._number)
        self._process = self._forks.Process(target=_run, args=(words, self._said, file_size))
        self._process.start()

    @property
    def runs(self) -> bool:
        """Whether it has not come to its end."""
        return self._process.is_alive()

    def kill(self) -> None:
        """End it as `kill -9` does."""
        self._process.kill()
        self._process.join()

    def end(self) -> tuple[int | None, str]:
        """Wait for its end: exit code, and what it said on stderr."""
        self._process.join(_LIMIT)
        if self.runs:
            self.kill()
            return None, "hung"
        return self._process.exitcode, self._said.read_text()


def _run(words: list[str], said: Path, file_size: int | None) -> None:
    stderr = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(stderr, 2)
    os.chdir(ROOT)
    if file_size is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))
    from hero_lab.cli import main

    sys.exit(main(words))


def difference(one: Path, other: Path) -> str | None:
    """The first of rows, rollouts, weights, optimizer tensors and states in which two finished runs differ."""
    if _rows(one) != _rows(other):
        return "rows of metrics.jsonl differ"
    files = [sorted(path.name for path in (folder / "rollouts").glob("*.parquet")) for folder in (one, other)]
    if files[0] != files[1]:
        return "other files of rollouts"
    for name in files[0]:
        if not pandas.read_parquet(one / "rollouts" / name).equals(pandas.read_parquet(other / "rollouts" / name)):
            return f"rollouts of {name} differ"
    last = max((path.name for path in one.glob("checkpoint-*")), key=lambda name: int(name.split("-")[1]))
    for weights in ("model/model.safetensors", f"{last}/model.safetensors"):
        if not _same(load_file(one / weights), load_file(other / weights)):
            return f"weights of {weights} differ"
    for name in ("optimizer.pt", "scheduler.pt"):
        states = [torch.load(folder / last / name, weights_only=True) for folder in (one, other)]
        if not _same(*states):
            return f"{name} differs"
    if (one / last / "hero_state.json").read_bytes() != (other / last / "hero_state.json").read_bytes():
        return "hero_state.json differs"
    return None


def _rows(folder: Path) -> list[dict]:
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in row.items() if not any(part in name for part in _TIMED)} for row in rows]


def _same(one, other) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(_same, one, other))
    return one == other or (isinstance(one, float) and math.isnan(one) and math.isnan(other))


def kills(run: Run, count: int, seed: int = 0) -> tuple[Outcome, Outcome]:
    """Kill one run `count` times, by turns inside a checkpoint and at a random moment; it must end as the unbroken."""
    chance = random.Random(seed)
    output = run.folder / "killed"
    inside, anywhere = Outcome("SIGKILL in the middle of a checkpoint"), Outcome("SIGKILL at a random moment")
    for number in range(count):
        outcome = (inside, anywhere)[number % 2]
        process = run.start(output, *(["--resume"] if (output / "config.yaml").exists() else []))
        target = (number + 1) * (run.last - 2) // (count + 1)
        killed = (_kill_inside if outcome is inside else _kill_anywhere)(process, output, target, chance)
        outcome.add(None if killed else "the run ended before it could be killed")
    code, said = run.end(output, "--resume")
    lost = said.strip().splitlines()[-1] if code else difference(run.straight(), output)
    if lost:
        for outcome in (inside, anywhere):
            outcome.survived = 0
            outcome.lost.append(lost)
    return inside, anywhere


def _step(output: Path) -> int:
    """The step whose rollouts were written last."""
    files = (path.name for path in (output / "rollouts").glob("train_*.parquet"))
    return max((int(name.split("_")[1]) for name in files), default=0)


def _kill_inside(process: Command, output: Path, target: int, chance: random.Random) -> bool:
    """Kill at the sight of a file of a checkpoint whose last file is not there yet."""
    marker = chance.choice([name for name in TORN if name != "trainer_state.json"])
    there = {path.name for path in output.glob("checkpoint-*") if (path / "trainer_state.json").exists()}
    while process.runs:
        for path in output.glob("checkpoint-*"):
            new = path.name not in there and int(path.name.split("-")[1]) > target
            if new and (path / marker).exists() and not (path / "trainer_state.json").exists():
                process.kill()
                return True
    return False


def _kill_anywhere(process: Command, output: Path, target: int, chance: random.Random) -> bool:
    """Kill somewhat after a step was reached."""
    while process.runs and _step(output) <= target:
        time.sleep(0.005)
    time.sleep(chance.uniform(0, 0.3))
    if not process.runs:
        return False
    process.kill()
    return True


def torn_files(run: Run, names: list[str], seed: int = 0) -> Outcome:
    """Halve or empty a file of the newest checkpoint: the run goes on from the one before and ends as the unbroken."""
    outcome = Outcome("a file of the newest checkpoint halved or empty")
    chance = random.Random(seed)
    for name in names:
        for left in chance.sample([0.0, 0.5], k=1) if len(names) < len(TORN) else [0.0, 0.5]:
            output = run.copy("torn")
            shutil.rmtree(output / "model")
            path = output / f"checkpoint-{run.last}" / name
            path.write_bytes(path.read_bytes()[: int(path.stat().st_size * left)])
            code, said = run.end(output, "--resume")
            told = str(path) in said and f"going on from checkpoint-{run.last - 2}" in said
            outcome.add(said[-300:] if code else difference(run.straight(), output) if told else f"{name}: not told")
            shutil.rmtree(output)
    return outcome


def full_disks(run: Run, count: int, seed: int = 0) -> Outcome:
    """Let no file grow beyond a size that a checkpoint reaches, so that it is torn by its own writer; then go on."""
    outcome = Outcome("a file that the disk has no room for")
    chance = random.Random(seed)
    for _ in range(count):
        output = run.folder / "full"
        size = chance.choice([2_000, 20_000, 60_000, 120_000])
        code, said = run.end(output, file_size=size)
        told = None if code and "Traceback" not in said else f"exit code {code} with {size} bytes: {said[-300:]}"
        begun = (output / "config.yaml").exists()
        code, said = run.end(output, *(["--resume"] if begun else []))
        outcome.add(told or (said[-300:] if code else difference(run.straight(), output)))
        shutil.rmtree(output)
    return outcome


def two_writers(run: Run, count: int) -> Outcome:
    """Start a run and go on with another, twice at the same time each: one is done, the other refused, no row twice."""
    outcome = Outcome("two writers to one folder")
    for number in range(count):
        output = run.folder / "two"
        resume = []
        if number % 2:
            run.copy("two")
            shutil.rmtree(output / f"checkpoint-{run.last}")
            resume = ["--resume"]
        processes = [run.start(output, *resume) for _ in range(2)]
        codes, said = zip(*(process.end() for process in processes), strict=True)
        codes = sorted(map(str, codes))
        refused = any("another process is writing there" in text or "holds a run" in text for text in said)
        good = codes == ["0", "2"] and refused
        outcome.add(difference(run.straight(), output) if good else f"exit codes {codes}: {' '.join(said)[-300:]}")
        shutil.rmtree(output)
    return outcome
