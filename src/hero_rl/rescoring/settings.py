"""How a file is judged, scored and shaped anew."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from hero_rl.auditing import FittingRule
from hero_rl.reward_models import AnyRewardModel
from hero_rl.rules import AuditableRule, Hero
from hero_rl.verifiers import AnyVerifier, Processes

__all__ = ["Rescoring"]


class Rescoring(FittingRule):
    """How a file is rescored.

    Attributes:
        rule: combines verdict and score.
        verifier: judges anew; None keeps the file's verdicts, and takes the maths verifier for a file without.
        verifier_processes: the processes that a rule verifier runs in.
        reward_model: scores anew; None keeps the file's scores.
        auditor: judges the few rollouts of a batch that the rule `audited_hero` draws.
        batch_groups: groups of a batch, in files without steps.
        max_missing: stop when verifier, reward model or auditor fail on a larger share than this of 128 rollouts or
            more that they are asked about; what was judged before is kept for the next call.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rule: AuditableRule = Hero()
    verifier: AnyVerifier | None = None
    verifier_processes: Processes = Processes()
    reward_model: AnyRewardModel | None = None
    auditor: AnyVerifier | None = None
    batch_groups: Annotated[int, Field(ge=1)] = 128
    max_missing: Annotated[float, Field(ge=0, le=1)] = 0.1
