import math
import os
import pickle
import resource
import sqlite3
import struct
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
import torch
from pydantic import TypeAdapter
from tiny_reward_models import BOS_TEMPLATE, PAD, chat, model, tokenizer

from hero_rl.errors import ConfigError
from hero_rl.reward_models import (
    AnyRewardModel,
    CachedRewardModel,
    CachedRewardModelConfig,
    LocalRewardModelConfig,
    RemoteRewardModelConfig,
    RewardModel,
)
from hero_rl.reward_models.cached import key_of

CHATS = [chat("Count!", f"It is {n}") for n in range(8)]


def third(text):
    return float(text.split()[-1]) / 3


class Inner:
    """Scores by a function of the completion, and remembers what it was asked."""

    def __init__(self, score=third):
        self.of = score
        self.asked = []
        self.counters = {"missing": 0, "truncated": 5}

    def score(self, conversations):
        self.asked += [conversation[-1]["content"] for conversation in conversations]
        return torch.tensor([self.of(conversation[-1]["content"]) for conversation in conversations])


EXPECTED = Inner().score(CHATS)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "scores.sqlite"


def files_in(path):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT count(*) FROM scores").fetchone()[0]


# What is asked and what is kept


def test_only_what_is_not_known_is_scored(path):
    inner = Inner()
    cached = CachedRewardModel(inner, path, "rm")
    assert isinstance(cached, RewardModel)
    assert torch.equal(cached.score(CHATS[:4]), EXPECTED[:4])
    assert torch.equal(cached.score(CHATS[2:6]), EXPECTED[2:6])
    assert inner.asked == [f"It is {n}" for n in range(6)]
    assert cached.counters == {"missing": 0, "truncated": 5, "hits": 2, "misses": 6, "cache_failures": 0}


def test_a_second_process_or_copy_finds_them(path):
    CachedRewardModel(Inner(), path, "rm").score(CHATS)
    inner = Inner()
    again = pickle.loads(pickle.dumps(CachedRewardModel(inner, str(path), "rm")))
    assert torch.equal(again.score(CHATS), EXPECTED)
    assert again.inner.asked == []
    assert again.counters["hits"] == len(CHATS)


def test_what_is_twice_in_a_batch_is_scored_once(path):
    inner = Inner()
    cached = CachedRewardModel(inner, path, "rm")
    order = [3, 1, 3, 3, 0, 1]
    assert torch.equal(cached.score([CHATS[at] for at in order]), EXPECTED[order])
    assert inner.asked == ["It is 3", "It is 1", "It is 0"]
    assert (cached.counters["hits"], cached.counters["misses"]) == (3, 3)


def test_an_empty_batch(path):
    assert CachedRewardModel(Inner(), path, "rm").score([]).shape == (0,)


def test_bits_are_kept(path):
    values = [0.1, -0.0, 1e-45, -3.4028234663852886e38, 1 / 3, 16777217.0]
    cached = CachedRewardModel(Inner(lambda text: values[int(text.split()[-1])]), path, "rm")
    first, second = cached.score(CHATS[:6]), cached.score(CHATS[:6])
    assert first.dtype == second.dtype == torch.float32
    assert torch.equal(first.view(torch.int32), torch.tensor(values).view(torch.int32))
    assert torch.equal(second.view(torch.int32), first.view(torch.int32))
    assert cached.counters["hits"] == 6


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_score_is_not_kept(path, value):
    inner = Inner(lambda text: value if text.endswith("1") else 2.0)
    cached = CachedRewardModel(inner, path, "rm")
    for _ in range(2):
        assert cached.score(CHATS[:3]).isnan().tolist() == [False, True, False]
    assert inner.asked == ["It is 0", "It is 1", "It is 2", "It is 1"]
    assert cached.counters["missing"] == 2
    assert files_in(path) == 2


def test_the_name_is_the_whole_conversation(path):
    inner = Inner(lambda text: 1.0)
    cached = CachedRewardModel(inner, path, "rm")
    same = [{"content": "b", "role": "user"}, {"content": "c", "role": "assistant"}]
    others = [
        chat("b", "c "),
        chat("bc", ""),
        [*chat("b", "c"), *chat("b", "c")],
        chat("b", "c")[1:],
        chat("\ud800", "c"),
    ]
    cached.score([chat("b", "c"), same, *others])
    assert cached.counters["misses"] == 1 + len(others)


def test_what_is_no_json_is_scored_each_time(path):
    inner = Inner()
    cached = CachedRewardModel(inner, path, "rm")
    odd = [{"role": "user", "content": "?", "image": object()}, CHATS[3][1]]
    for _ in range(2):
        assert torch.equal(cached.score([CHATS[1], odd, odd]), EXPECTED[[1, 3, 3]])
    assert inner.asked == ["It is 1", "It is 3", "It is 3", "It is 3", "It is 3"]


@pytest.mark.parametrize("scores", [torch.zeros(3), torch.zeros(2, 1), torch.zeros(())])
def test_a_wrong_number_of_scores_is_an_error(path, scores):
    inner = Inner()
    inner.score = lambda conversations: scores
    with pytest.raises(ValueError, match="2 conversations"):
        CachedRewardModel(inner, path, "rm").score(CHATS[:2])
    assert files_in(path) == 0


# Whose scores they are


def test_another_key_is_another_reward_model(path):
    CachedRewardModel(Inner(), path, "one").score(CHATS)
    other = CachedRewardModel(Inner(lambda text: 7.0), path, "two")
    assert other.score(CHATS).tolist() == [7.0] * len(CHATS)
    with pytest.raises(ConfigError, match="key"):
        CachedRewardModel(Inner(), path, "")


@pytest.mark.parametrize(
    ("block", "same", "others"),
    [
        (
            LocalRewardModelConfig(path="x"),
            [{"device": "cpu"}, {"token_budget": 9}],
            [{"path": "y"}, {"revision": "main"}, {"dtype": "bfloat16"}, {"max_tokens": 100}],
        ),
        (
            RemoteRewardModelConfig(urls="http://a", tokenizer="x", model="rm"),
            [{"urls": ["http://b"]}, {"seconds": 1.0}, {"retries": 0}, {"batch_size": 1}],
            [{"model": "other"}, {"model": None}, {"tokenizer": "y"}, {"protocol": "vllm_pooling"}, {"max_tokens": 9}],
        ),
        (RemoteRewardModelConfig(urls="http://a", tokenizer="x"), [{"concurrency": 1}], [{"urls": ["http://b"]}]),
    ],
)
def test_the_key_is_what_changes_scores(block, same, others):
    key = key_of(block)
    assert all(key_of(block.model_copy(update=update)) == key for update in same)
    keys = {key_of(block.model_copy(update=update)) for update in others}
    assert len(keys) == len(others)
    assert key not in keys


def test_a_checkpoint_trained_anew_is_another_one(tmp_path, path):
    folder = tmp_path / "rm"
    model(pad_token_id=PAD).save_pretrained(folder)
    tokenizer(BOS_TEMPLATE).save_pretrained(folder)
    block = TypeAdapter(AnyRewardModel).validate_python(
        {"type": "cached", "path": str(path), "inner": {"type": "local", "path": str(folder), "device": "cpu"}}
    )
    assert isinstance(block, CachedRewardModelConfig)
    assert CachedRewardModelConfig.model_validate_json(block.model_dump_json()) == block
    expected = block.inner.load().score(CHATS)
    for hits in (0, len(CHATS)):
        cached = block.load()
        torch.testing.assert_close(cached.score(CHATS), expected, atol=1e-5, rtol=0)
        assert cached.counters["hits"] == hits
    os.utime(folder / "model.safetensors", ns=(1, 1))
    again = block.load()
    again.score(CHATS)
    assert again.counters["hits"] == 0


# Files that are none


def scored(path):
    CachedRewardModel(Inner(), path, "rm").score([chat("?", f"{'x' * 50} {n}") for n in range(500)])
    return path.read_bytes()


def foreign(path):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE scores (name TEXT, score REAL)")


def of_another_version(path):
    scored(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")


def cut_off(path):
    path.write_bytes(scored(path)[: 3 * 4096])


def scribbled_over(path):
    whole = scored(path)
    path.write_bytes(whole[:4096] + b"\xff" * 8192 + whole[3 * 4096 :])


@pytest.mark.parametrize(
    "spoil",
    [lambda path: path.write_text("not a database " * 100), foreign, of_another_version, cut_off, scribbled_over],
)
def test_a_file_that_is_damaged_or_anothers_is_refused_and_left_alone(path, spoil):
    spoil(path)
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=r"scores\.sqlite is no file of scores, or a damaged one"):
        CachedRewardModel(Inner(), path, "rm")
    assert path.read_bytes() == before


@pytest.mark.parametrize("spoil", [cut_off, scribbled_over, lambda path: path.write_text("not a database " * 100)])
def test_damage_that_comes_later_is_an_error_too(path, spoil):
    cached = CachedRewardModel(Inner(), path, "rm")
    spoil(path)
    with pytest.raises(ConfigError, match="damaged"):
        for n in range(500):
            cached.score([chat("?", f"{'x' * 50} {n}")])


def test_a_score_of_another_size_is_damage(path):
    cached = CachedRewardModel(Inner(), path, "rm")
    cached.score(CHATS)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE scores SET score = ?", (struct.pack("<d", 1.0),))
    with pytest.raises(ConfigError, match="damaged"):
        cached.score(CHATS)


def test_a_folder_that_cannot_be_written(tmp_path):
    folder = Path("/proc") if os.geteuid() == 0 else tmp_path  # nothing else stops root
    if os.geteuid() != 0:
        tmp_path.chmod(0o500)
    try:
        with pytest.raises(ConfigError, match=r"scores\.sqlite cannot be opened and written"):
            CachedRewardModel(Inner(), folder / "scores.sqlite", "rm")
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize("name", ["missing/scores.sqlite", "."])
def test_a_path_that_cannot_be(tmp_path, name):
    with pytest.raises(ConfigError, match="path"):
        CachedRewardModel(Inner(), tmp_path / name, "rm")


# Failures on the way


def test_a_full_disk_costs_no_scores(path, caplog):
    cached = CachedRewardModel(Inner(), path, "rm")
    cached.score(CHATS[:2])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))  # no file grows over that
    try:
        for _ in range(2):
            assert torch.equal(cached.score(CHATS), EXPECTED)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert cached.counters["cache_failures"] > 0
    assert len(caplog.records) == 1
    assert "scores.sqlite cannot be" in caplog.text
    assert torch.equal(cached.score(CHATS), EXPECTED)
    assert cached.score(CHATS).isfinite().all()
    assert files_in(path) == len(CHATS)


def test_a_file_that_is_gone_costs_no_scores(path):
    cached = CachedRewardModel(Inner(), path, "rm")
    path.unlink()
    assert torch.equal(cached.score(CHATS), EXPECTED)
    assert cached.counters["cache_failures"] == 2
    assert not path.exists()


def test_another_that_holds_the_lock_is_waited_for(path):
    cached = CachedRewardModel(Inner(), path, "rm")
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        timer = threading.Timer(0.5, other.execute, ["COMMIT"])
        timer.start()
        assert torch.equal(cached.score(CHATS), EXPECTED)
        timer.join()
    assert cached.counters["cache_failures"] == 0
    assert files_in(path) == len(CHATS)


def test_threads_share_one(path):
    cached = CachedRewardModel(Inner(), path, "rm")
    batches = [[CHATS[(start + step) % 8] for step in range(5)] for start in range(8)] * 5
    with ThreadPoolExecutor(8) as pool:
        for batch, scores in zip(batches, pool.map(cached.score, batches), strict=True):
            assert torch.equal(scores, EXPECTED[[CHATS.index(conversation) for conversation in batch]])
    counted = cached.counters
    assert counted["hits"] + counted["misses"] == 200
    assert counted["cache_failures"] == 0


# In a process without other threads, as a fork wants it.
PROCESSES = """
import os, random, signal, sys, time
import torch
from hero_rl.reward_models import CachedRewardModel

class Inner:
    counters = {{}}

    def score(self, conversations):
        return torch.tensor([float(conversation[0]["content"].split()[-1]) / 3 for conversation in conversations])

def child(work):
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException as error:
            print(repr(error), file=sys.stderr)
            os._exit(1)
        os._exit(0)
    return pid

def score_many(seed, rounds):
    cached = CachedRewardModel(Inner(), {path!r}, "rm")  # all make the file at one time
    draw = random.Random(seed)
    for _ in range(rounds):
        numbers = [draw.randrange(400) for _ in range(20)]
        conversations = [[{{"role": "assistant", "content": f"It is {{n}}"}}] for n in numbers]
        assert cached.score(conversations).tolist() == Inner().score(conversations).tolist()
    assert cached.counters["cache_failures"] == 0
"""


def run(program, path):
    whole = PROCESSES.format(path=str(path)) + program
    done = subprocess.run([sys.executable, "-c", whole, str(path)], capture_output=True, text=True, timeout=120)
    assert done.stdout == "fine\n", done.stderr


def test_processes_share_one(path):
    program = """
pids = [child(lambda: score_many(seed, 30)) for seed in range(6)]
assert all(os.waitpid(pid, 0)[1] == 0 for pid in pids)
print("fine")
"""
    run(program, path)
    assert 390 <= files_in(path) <= 400
    cached = CachedRewardModel(Inner(lambda text: math.nan), path, "rm")
    conversations = [[{"role": "assistant", "content": f"It is {n}"}] for n in range(400)]
    scores = cached.score(conversations)
    kept = ~scores.isnan()
    assert kept.sum() == cached.counters["hits"] == files_in(path)
    assert torch.equal(scores[kept], Inner().score(conversations)[kept])


def test_a_writer_that_is_killed_spoils_nothing(path):
    CachedRewardModel(Inner(), path, "rm").score(CHATS)
    program = """
import sqlite3

def die_in_the_middle():
    connection = sqlite3.connect(sys.argv[1], timeout=60, isolation_level=None)
    connection.execute("PRAGMA cache_size = 1")  # so that pages are written before the end
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany("INSERT INTO scores VALUES (?, ?)", ((os.urandom(32), b"1234") for _ in range(5000)))
    os.kill(os.getpid(), signal.SIGKILL)

assert os.waitpid(child(die_in_the_middle), 0)[1] == signal.SIGKILL
for kill in range(6):
    pids = [child(lambda: score_many(10 * kill + seed, 10_000)) for seed in range(2)]
    time.sleep(0.05 + 0.03 * kill)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        assert os.waitpid(pid, 0)[1] == signal.SIGKILL
    score_many(kill, 1)
print("fine")
"""
    run(program, path)
    assert len(CHATS) + 20 <= files_in(path) <= len(CHATS) + 400
    cached = CachedRewardModel(Inner(), path, "rm")
    assert torch.equal(cached.score(CHATS), EXPECTED)
    assert cached.counters["hits"] == len(CHATS)
