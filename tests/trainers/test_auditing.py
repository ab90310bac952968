"""Domains and audits in a real TRL run: what the rule saw, recomputed from the files that the run kept."""

from dataclasses import dataclass, field

import numpy as np
import pandas
import pytest
import torch
from datasets import Dataset
from parts import LoudnessModel, ParityVerifier, config, loudness, trainer

from hero_rl.errors import ConfigError, DataError
from hero_rl.rules import AuditedHero, GatedHero, VerifierOnly
from hero_rl.signals import Signals
from hero_rl.trainers.trl import HeroGRPOTrainer
from hero_rl.verifiers import Reason, Verdict


@dataclass
class Refuser:
    """A verifier that says no to everything, so that every group is uniform."""

    def verify(self, reference, completion):
        return Verdict.of(Reason.MISMATCH)


@dataclass
class CountingAuditor:
    """Right where the bytes are an odd sum; fails on one completion in `fails`."""

    fails: int = 0
    asked: list = field(default_factory=list)

    def verify(self, reference, completion):
        self.asked.append(completion)
        if self.fails and sum(completion.encode()) % self.fails == 0:
            return Verdict.of(Reason.TIMED_OUT)
        return ParityVerifier().verify(reference, completion)


def problems():
    rows = [{"prompt": f"{n} plus {n} is", "answer": str(2 * n), "kind": "even" if n % 2 else "odd"} for n in range(6)]
    return Dataset.from_list(rows)


def audited_run(policy, folder, auditor, rule, verifier=None, **changes):
    run = HeroGRPOTrainer(
        model=str(policy),
        verifier=verifier or Refuser(),
        reward_model=LoudnessModel(),
        rule=rule,
        auditor=auditor,
        args=config(
            output_dir=str(folder), rollouts_dir=str(folder / "rollouts"), domain_column="kind", max_steps=4, **changes
        ),
        train_dataset=problems(),
    )
    run.train()
    tables = [pandas.read_parquet(path) for path in sorted((folder / "rollouts").glob("train_*.parquet"))]
    return run, tables


@dataclass
class ReadingAuditor:
    """Reads whole requests."""

    asked: list = field(default_factory=list)

    def verify(self, request):
        self.asked.append(request)
        return Verdict(1.0, "read")


def test_an_auditor_reads_whole_rows_beside_a_verifier_that_does_not(policy, tmp_path):
    auditor = ReadingAuditor()
    rows = Dataset.from_list([{"prompt": f"{n} is", "answer": n, "kind": "all", "level": n} for n in range(6)])
    run = HeroGRPOTrainer(
        model=str(policy),
        verifier=Refuser(),
        reward_model=LoudnessModel(),
        rule=AuditedHero(audits=1),
        auditor=auditor,
        args=config(output_dir=str(tmp_path), domain_column="kind", max_steps=1),
        train_dataset=rows,
    )
    run.train()
    assert auditor.asked
    for request in auditor.asked:
        assert isinstance(request.reference, int) and request.domain == "all"
        assert request.columns["level"] == request.reference


@pytest.mark.parametrize("fails", [0, 2])
def test_a_run_s_audits_and_trusts_are_the_core_s(policy, tmp_path, fails):
    auditor, rule = CountingAuditor(fails=fails), AuditedHero(audits=1, memory=0.9)
    run, tables = audited_run(policy, tmp_path, auditor, rule)
    assert len(auditor.asked) == 2 * len(tables)
    state = rule.init()
    for table in tables:
        columns = (torch.tensor(table[name].to_numpy(), dtype=torch.float32) for name in ("verdict", "score"))
        audit = torch.tensor(table["audit"].to_numpy(), dtype=torch.float32)
        group = torch.tensor(table["group"].to_numpy())
        drawn = rule.draw(Signals(*columns, group), state).tolist()
        completions = table["completion"].tolist()
        for row, completion in enumerate(completions):
            failed = fails and sum(completion.encode()) % fails == 0
            expected = sum(completion.encode()) % 2 if row in drawn and not failed else np.nan
            np.testing.assert_equal(audit[row].item(), expected)
        signals = Signals(
            torch.zeros(len(table)),
            torch.tensor([loudness(c) for c in completions]),
            group,
            tuple(table["domain"]),
            audit,
        )
        shaped, state = rule.update(signals, state)
        np.testing.assert_allclose(table["advantage"], shaped.advantage, rtol=1e-5)
    assert run.rule_state.batches == len(tables) == state.batches
    assert run.rule_state.audit.evidence == pytest.approx(state.audit.evidence)
    logged = run.state.log_history[0]
    assert logged["hero/audit_calls"] == 2
    assert "hero/audit_auroc" in logged


def test_gated_hero_keeps_its_trust_by_the_domain_column(policy, tmp_path):
    run, tables = audited_run(policy, tmp_path, None, GatedHero(), verifier=ParityVerifier())
    assert set(run.rule_state.domains) <= {"even", "odd"}
    assert run.rule_state.domains
    assert {name for table in tables for name in table["domain"]} == {"even", "odd"}


def test_a_rule_that_draws_and_an_auditor_need_each_other(policy, tmp_path):
    with pytest.raises(ConfigError, match="needs an auditor"):
        audited_run(policy, tmp_path, None, AuditedHero())
    with pytest.raises(ConfigError, match="no effect"):
        audited_run(policy, tmp_path, CountingAuditor(), VerifierOnly())


def test_a_domain_column_that_is_not_there_is_named(policy, tmp_path):
    with pytest.raises(DataError, match=r"no column 'topic' \(domain_column\)"):
        trainer(policy, tmp_path, GatedHero(), domain_column="topic")
