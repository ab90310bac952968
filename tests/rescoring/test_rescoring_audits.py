"""`rescore` with an auditor: what the rule saw, recomputed from the file that it wrote."""

import math

import pytest
import torch

from hero_rl.errors import UnscorableError
from hero_rl.rescoring import Rescoring, rescore
from hero_rl.rollouts import Rollout, RolloutReader, read_rollouts, write_rollouts
from hero_rl.rules import AuditedHero, Hero
from hero_rl.signals import Signals
from hero_rl.verifiers import ExactVerifier, JudgeVerifier

RULE = AuditedHero(audits=2, memory=0.9)
STEPS, GROUPS, SIZE = 8, 4, 4
NOBODY = JudgeVerifier(url="http://127.0.0.1:9", seconds=1, retries=0)


@pytest.fixture
def path(tmp_path):
    """A verifier that knew no answer, and scores that put the right one first in one kind of prompt, last in another.

    The fourth group is mixed, and is never audited.
    """
    rows = []
    for n in range(STEPS * GROUPS * SIZE):
        step, group, place = n // (GROUPS * SIZE), n // SIZE % GROUPS, n % SIZE
        right, kind = place % 2, "blind" if group == 0 else "seen"
        rows.append(
            Rollout(
                prompt=f"{step} {group}",
                completion="yes" if right else "no",
                reference="yes",
                verdict=float(group == 3 and right),
                score=math.sin(n) + (6.0 * right if kind == "seen" else -6.0 * right),
                step=step,
                extra={"domain": kind},
            )
        )
    write_rollouts(tmp_path / "in.jsonl", rows)
    return tmp_path / "in.jsonl"


def settings(**changes):
    return Rescoring(**({"rule": RULE, "auditor": ExactVerifier()} | changes))


def columns(rows, *names):
    values = [[getattr(row, name, row.extra.get(name)) for row in rows] for name in names]
    return [torch.tensor([math.nan if v is None else v for v in one], dtype=torch.float64) for one in values]


def test_audits_and_trusts_are_the_core_s(path, tmp_path):
    done = rescore(RolloutReader(path), tmp_path / "out.jsonl", settings())
    found, state, told = list(read_rollouts(tmp_path / "out.jsonl")), RULE.init(), 0
    for step in range(STEPS):
        rows = [row for row in found if row.step == step]
        verdict, score, audit = columns(rows, "verdict", "score", "audit")
        group, domain = torch.arange(len(rows)) // SIZE, tuple(row.extra["domain"] for row in rows)
        drawn = RULE.draw(Signals(verdict, score, group, domain), state).tolist()
        for n, row in enumerate(rows):
            expected = float(row.completion == "yes") if n in drawn else None
            assert row.extra["audit"] == expected
        told += sum(len({audit[a].item(), audit[b].item()}) == 2 for a, b in zip(drawn[::2], drawn[1::2], strict=True))
        shaped, state = RULE.update(Signals(verdict, score, group, domain, audit), state)
        assert [row.advantage for row in rows] == shaped.advantage.tolist()
    assert done.state == state
    assert done.state.audit_domains["seen"].auroc == 1 and done.state.audit_domains["blind"].auroc == 0
    said = done.summary["audits"]
    assert (said["calls"], said["failed"], said["pairs"]) == (STEPS * 2 * RULE.audits, 0, told)
    assert 0 < said["auroc"] < 1


def test_a_call_that_was_stopped_goes_on_to_the_same_bytes(path, tmp_path, monkeypatch):
    whole = rescore(RolloutReader(path), tmp_path / "whole.jsonl", settings())
    out, partial = tmp_path / "out.jsonl", tmp_path / "out.jsonl.partial"
    with monkeypatch.context() as patch:
        patch.setattr("hero_rl.rescoring.run.write_lines", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            rescore(RolloutReader(path), out, settings())
    everything = partial.read_bytes()
    for cut in range(0, len(everything), len(everything) // 7):
        partial.write_bytes(everything[:cut])
        again = rescore(RolloutReader(path), out, settings())
        assert out.read_bytes() == (tmp_path / "whole.jsonl").read_bytes(), f"cut at {cut}"
        assert (again.summary, again.state) == (whole.summary, whole.state)


def test_an_auditor_that_fails_is_no_evidence_and_ends_the_call(path, tmp_path):
    with pytest.raises(UnscorableError, match=r"the auditor gave no verdict on 4 of 4.*the same command goes on"):
        rescore(RolloutReader(path), tmp_path / "out.jsonl", settings(auditor=NOBODY))
    done = rescore(RolloutReader(path), tmp_path / "out.jsonl", settings(auditor=NOBODY, max_missing=1), restart=True)
    assert done.summary["audits"] == {"calls": STEPS * 4, "failed": STEPS * 4, "pairs": 0, "auroc": None}
    assert done.state.audit.evidence == done.state.audit.trust == 0
    assert {row.extra["audit"] for row in read_rollouts(tmp_path / "out.jsonl")} == {None}


def test_without_an_auditor_no_word_of_audits(path, tmp_path):
    done = rescore(RolloutReader(path), tmp_path / "out.jsonl", Rescoring())
    assert done.summary["audits"] is None
    assert all("audit" not in row.extra for row in read_rollouts(tmp_path / "out.jsonl"))


def test_a_rule_that_draws_and_an_auditor_need_each_other():
    with pytest.raises(ValueError, match="needs an auditor"):
        Rescoring(rule=RULE)
    with pytest.raises(ValueError, match="no effect under the rule 'hero'"):
        Rescoring(rule=Hero(), auditor=ExactVerifier())
