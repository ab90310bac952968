"""A policy and a judge behind vLLM's own server: `hero eval`, `hero data regimes`, verdicts of a judge."""

import json
import math
from contextlib import ExitStack

import pytest
from engine_processes import HERO, free_port

from hero_rl.rollouts import read_rollouts
from hero_rl.verifiers import JudgeVerifier
from hero_rl.verifiers.base import Request

NO_SEED = ["--generator.extra_body", "{seed: null}"]
LONG = "Count the letters before you add. " * 12  # about 400 tokens, so that vLLM takes prompts in parts
PARTED = ("--max-num-batched-tokens", "512", "--max-num-seqs", "64")


@pytest.fixture(scope="module")
def servers(engines, models):
    """A policy and a judge."""
    with ExitStack() as stack:
        started = {
            "policy": stack.enter_context(engines.serving(models["policy"], *PARTED)),
            "judge": stack.enter_context(engines.serving(models["judge"])),
        }
        for server in started.values():
            server.wait()
        yield started


@pytest.fixture
def problems(tmp_path):
    """Sums: the policy knows the first third, sometimes gets the second, never the last."""
    rows = [
        # The number comes first, so that no prompt begins like another and all of them are computed.
        {"id": f"p{n}", "prompt": f"{n}. {LONG}{n} + {n} =", "answer": (4, 7, 999)[n % 3]}
        for n in range(24)
    ]
    path = tmp_path / "sums.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def evaluated(engines, server, out, problems, *more):
    return engines.run(
        *HERO, "eval", out, "--benchmarks", f"sums={problems}", "--verifier.type", "exact",
        "--generator.type", "openai", "--generator.url", server.url, "--generator.retries", "0",
        "--sampling.max_tokens", "8", "--sampling.samples", "4", "--sampling.temperature", "1", "--sampling.top_p", "1",
        *more, seconds=150,
    )  # fmt: skip


def test_eval_without_seeds(servers, engines, problems, tmp_path):
    """96 requests, 64 at a time, their prompts taken in parts."""
    done = evaluated(engines, servers["policy"], tmp_path / "out", problems, *NO_SEED, "--json")
    assert done.returncode == 0, done.stdout
    responses = list(read_rollouts(tmp_path / "out" / "rollouts" / "sums.jsonl"))
    right = {reference: [r.verdict for r in responses if r.reference == reference] for reference in ("4", "7", "999")}
    assert [len(verdicts) for verdicts in right.values()] == [32, 32, 32]
    shares = [sum(verdicts) / 32 for verdicts in right.values()]
    print(f"\nright by reference: {dict(zip(right, shares, strict=True))}")
    assert max(shares[:2]) > 0.05 and shares[2] == 0


def test_regimes_of_what_it_generates(servers, engines, problems, tmp_path):
    done = engines.run(
        *HERO, "data", "regimes", "--problems", problems, "--output_dir", tmp_path / "out",
        "--generator.type", "openai", "--generator.url", servers["policy"].url, *NO_SEED,
        "--sampling.max_tokens", "8", "--sampling.samples", "4", "--verifier.type", "exact", "--easy_if", "any",
        "--sizes.easy", "2", "--sizes.hard", "2", "--sizes.mixed", "2", "--sizes.validation", "1", seconds=150,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    verified = list(read_rollouts(tmp_path / "out" / "verified.jsonl"))
    assert len(verified) == 96
    hard = [json.loads(line) for line in (tmp_path / "out" / "trl" / "hard_train.jsonl").read_text().splitlines()]
    assert len(hard) == 2 and all(row["verifiability"] == "hard" for row in hard)


def test_a_judge_that_speaks_and_one_that_babbles(servers):
    pairs = [Request(str(2 * n), f"so {n}", f"{n} + {n} =") for n in range(1, 21)]
    said = JudgeVerifier(url=servers["judge"].url, preset="tinyv", seconds=60).verify_batch(pairs)
    assert [verdict.value for verdict in said] == [1.0] * 20
    babble = JudgeVerifier(url=servers["policy"].url, preset="tinyv", seconds=60).verify_batch(pairs)
    assert all(math.isnan(verdict.value) for verdict in babble), "a judge that cannot be read judges nothing"


def test_a_server_that_dies_of_seeds_is_said_to_be_gone(servers, engines, problems, tmp_path):
    """Last in this file: vLLM's worker on a CPU ends when it takes the prompt of a seeded request in parts."""
    done = evaluated(engines, servers["policy"], tmp_path / "out", problems)
    died = "Generator does not use offset" in servers["policy"].log.read_text(errors="replace")
    print(f"\nseeded requests end vLLM's worker: {died}\n{done.stdout[-400:]}")
    assert (done.returncode != 0) == died
    assert (f"the server at {servers['policy'].url} is gone" in done.stdout) == died


def test_a_server_that_is_not_there(engines, problems, tmp_path):
    class Nobody:
        url = f"http://127.0.0.1:{free_port()}"

    done = evaluated(engines, Nobody, tmp_path / "out", problems, *NO_SEED)
    assert done.returncode != 0 and Nobody.url in done.stdout
