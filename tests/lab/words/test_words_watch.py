"""Progress of stages and arms as it is printed where the output is no terminal, on a clock that the test moves."""

import io
import json
import re
from concurrent.futures import Future

import pytest
from rich.console import Console

from hero_lab.arena import watch


class Scene:
    """What happens between two looks, a minute each."""

    def __init__(self, monkeypatch):
        self.now, self.printed, self.events = 0.0, io.StringIO(), []
        self.console = Console(file=self.printed, width=200, get_time=lambda: self.now)
        monkeypatch.setattr(watch, "wait", self.wait)

    def wait(self, jobs, **how):
        self.now += 60
        self.events.pop(0)()
        return set(), {job for job in jobs if not job.done()}

    @property
    def lines(self):
        return [" ".join(line.split()) for line in self.printed.getvalue().splitlines()]


@pytest.fixture
def scene(monkeypatch):
    return Scene(monkeypatch)


def job():
    made = Future()
    made.set_running_or_notify_cancel()
    return made


def append(file, **row):
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as opened:
        opened.write(json.dumps(row) + "\n")


def test_an_arm_that_goes_on_tells_the_time_left_from_its_own_steps_and_says_when_it_is_measured(scene, tmp_path):
    folder, running = tmp_path / "hero-seed1-0a1b2c3d", job()

    def step(number):
        append(folder / "metrics.jsonl", **{"step": number, "rewards/verifier/mean": 0.5})

    step(50)
    scene.events = [
        lambda: None,
        lambda: step(51),
        lambda: step(52),
        lambda: step(100),
        lambda: running.set_result(None),
    ]
    watch.watch_arms({folder: running}, 100, scene.console, seconds=0)
    assert scene.lines == [
        "hero-seed1 51/100 verdict 0.50",
        "hero-seed1 52/100 left 0:48:00 verdict 0.50",
        "hero-seed1 100/100 measuring",
        "hero-seed1 100/100 verdict 0.50",
    ]


def test_stages_before_rl_tell_how_far_they_are(scene, tmp_path):
    folder, running = tmp_path / "seed1", job()
    said, answers = folder / "stages.jsonl", folder / "rollouts/rollouts/reward.jsonl"

    def trained(step):
        append(folder / "cold_start/metrics.jsonl", step=step, epoch=step / 66)

    def begin_rollouts():
        append(said, time="13:42", text="rollouts", answers="rollouts/rollouts/*", total=8)
        for _ in range(3):
            append(answers.with_name("reward.jsonl.partial"), completion="4")

    def finish_rollouts():
        for _ in range(8):
            append(answers, completion="4")

    scene.events = [
        lambda: append(said, time="13:30", text="cold start", run="cold_start", epochs=3),
        lambda: trained(1),
        lambda: trained(2),
        begin_rollouts,
        lambda: append(answers.with_name("reward.jsonl.partial"), completion="4"),
        lambda: append(answers.with_name("reward.jsonl.partial"), completion="4"),
        finish_rollouts,
        lambda: append(said, time="13:50", text="ready"),
        lambda: running.set_result(None),
    ]
    watch.watch_stages({said: running}, scene.console, seconds=0)
    assert scene.lines == [
        "seed1: 13:30 cold start",
        "seed1 1/198 cold start",
        "seed1 2/198 left 3:16:00 cold start",
        "seed1: 13:42 rollouts",
        "seed1 3/8 rollouts",
        "seed1 4/8 rollouts",
        "seed1 5/8 left 0:03:00 rollouts",
        "seed1 8/8 rollouts",
        "seed1: 13:50 ready",
    ]


def test_one_stage_that_fails_ends_the_watch(scene, tmp_path):
    failing, going_on = job(), job()
    scene.events = [lambda: failing.set_exception(ValueError())]
    watch.watch_stages({tmp_path / "a/s.jsonl": failing, tmp_path / "b/s.jsonl": going_on}, scene.console)
    assert not going_on.done()


def test_the_bar_of_an_arm_that_waits_shows_what_is_there_from_the_first(scene, tmp_path):
    folder, running = tmp_path / "hero-seed1-0a1b2c3d", job()
    append(folder / "metrics.jsonl", **{"step": 50, "rewards/verifier/mean": 0.5})
    scene.events = [lambda: running.set_result(None)]
    terminal = Console(file=scene.printed, force_terminal=True, color_system=None, width=80)
    watch.watch_arms({folder: running}, 100, terminal, seconds=0)
    assert re.search(r"hero-seed1 +50/100 .*left.*waiting", scene.printed.getvalue())
    assert "verdict" not in scene.printed.getvalue()


def test_an_arm_that_fails_is_said_at_once_and_once(scene, tmp_path):
    failed, running = job(), job()
    folders = [tmp_path / f"{name}-seed1-0a1b2c3d" for name in ("hero", "gated_hero")]

    def fail():
        failed.set_exception(OSError("no space"))
        append(folders[1] / "metrics.jsonl", **{"step": 1, "rewards/verifier/mean": 0.5})

    scene.events = [fail, lambda: None, lambda: running.set_result(None)]
    watch.watch_arms(dict(zip(folders, (failed, running), strict=True)), 100, scene.console, seconds=0)
    assert [line for line in scene.lines if line.startswith("hero-seed1")] == [
        "hero-seed1 0/100 failed, see its log.txt"
    ]
    assert any(line.startswith("gated_hero-seed1 1/100") for line in scene.lines)
